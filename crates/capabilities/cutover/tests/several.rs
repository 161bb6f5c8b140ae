//! Two databases by one decision: there and back, rehearsed, and none of them when one fails.

use std::sync::Arc;

use atalaya_cutover::switch::prepare;
use atalaya_cutover::{
    Course, Courses, Cutovers, Direction, Ends, Error, LastProof, Means, Outcome, Purpose, Report, TrafficGate,
};

use crate::ground::{Ground, NEW, OLD, Side, course};
use crate::hand::{Streams, TestGate};

pub(crate) const USERS: &str = "users";
pub(crate) const USERS_NEW: &str = "users-green";

/// A second database on the same servers.
pub(crate) struct Both<'a> {
    pub(crate) shop: &'a Ground,
    users: Side,
    users_new: Side,
    rights: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Old,
    New,
}

impl<'a> Both<'a> {
    pub(crate) fn with(shop: &'a Ground) -> Self {
        let (users, users_new) = (Side::new(13), Side::new(18));
        let rights = users.rights();
        Self { shop, users, users_new, rights }
    }

    /// Gateways by their names and the databases that they lead.
    pub(crate) async fn gates_of(&self, named: [(&'static str, &[&str]); 2]) -> Vec<Arc<TestGate>> {
        let places = vec![
            (OLD.to_owned(), self.shop.old.url()),
            (NEW.to_owned(), self.shop.new.url()),
            (USERS.to_owned(), self.users.url()),
            (USERS_NEW.to_owned(), self.users_new.url()),
        ];
        let mut gates = Vec::new();
        for (name, databases) in named {
            gates.push(Arc::new(TestGate::new(name, self.shop.routes().await, places.clone(), databases)));
        }
        gates
    }

    /// Two that lead both.
    pub(crate) async fn gates(&self) -> Vec<Arc<TestGate>> {
        self.gates_of([("gate-1", &[OLD, USERS]), ("gate-2", &[OLD, USERS])]).await
    }

    pub(crate) async fn means(&self, by: &str, gates: &[Arc<TestGate>]) -> Means {
        let mut means = self.shop.means(by, gates).await;
        means.ends.push(Ends {
            database: USERS.to_owned(),
            places: [(USERS.to_owned(), self.users.url()), (USERS_NEW.to_owned(), self.users_new.url())],
            replication: Arc::new(Streams::default()),
        });
        means
    }

    /// The same with streams of one's own for the second database.
    pub(crate) async fn means_with(&self, gates: &[Arc<TestGate>], users: Streams) -> Means {
        let mut means = self.means("one", gates).await;
        means.ends[1].replication = Arc::new(users);
        means
    }

    /// Where both routes lead: never to different places.
    pub(crate) async fn led_to(&self) -> At {
        let routes = self.shop.routes().await;
        let shop = routes.standing(OLD).await.unwrap();
        let users = routes.standing(USERS).await.unwrap();
        assert_eq!(shop.open.is_some(), users.open.is_some(), "{shop:?} {users:?}");
        let is_new = |led: Option<atalaya_route::Led>, new: &str| led.is_some_and(|led| led.to == new);
        let (shop, users) = (is_new(shop.leads_to, NEW), is_new(users.leads_to, USERS_NEW));
        assert_eq!(shop, users, "one is led away, and the other one is not");
        if shop { At::New } else { At::Old }
    }

    /// Both are served there, and neither is where it was led away from.
    pub(crate) async fn expect_served(&self, at: At, gates: &[Arc<TestGate>]) {
        assert_eq!(self.led_to().await, at);
        self.shop.expect_served_by(if at == At::New { NEW } else { OLD }, gates).await;
        let (place, here, there) = match at {
            At::Old => (USERS, &self.users, &self.users_new),
            At::New => (USERS_NEW, &self.users_new, &self.users),
        };
        for gate in gates {
            assert_eq!(gate.leads_to(USERS).as_deref(), Some(place), "{}", gate.name());
        }
        assert!(here.is_writable().await);
        match at {
            At::Old => assert_eq!(self.users.rights(), self.rights),
            At::New => assert!(!there.is_writable().await),
        }
    }

    /// Lets clients in where nobody is led after a way back: both sides as in the beginning.
    pub(crate) async fn open_the_new_ones(&self) {
        let routes = self.shop.routes().await;
        for (side, database) in [(&self.shop.new, OLD), (&self.users_new, USERS)] {
            let last_epoch = routes.standing(database).await.unwrap().last_epoch;
            let session = atalaya_postgres::Session::connect(&side.url(), "atalaya test").await.unwrap();
            atalaya_cutover::fence::lift_standing(&session, database, last_epoch).await.unwrap();
        }
    }

    /// Changes rights of the second database between the plan and the fence.
    fn grant(&self, verb: &str, word: &str) {
        let database = &self.users.database;
        self.users.sql(&format!("{verb} CREATE ON DATABASE \"{database}\" {word} pg_monitor"));
    }
}

pub(crate) fn users(purpose: Purpose) -> Course {
    Course {
        migration: "users-to-18".to_owned(),
        database: USERS.to_owned(),
        from: USERS.to_owned(),
        to: USERS_NEW.to_owned(),
        ..course(purpose)
    }
}

/// Both, in an order that is not theirs.
pub(crate) fn both(purpose: Purpose) -> Courses {
    Courses::new(vec![users(purpose), course(purpose)]).unwrap()
}

pub(crate) fn both_back() -> Courses {
    let users =
        Course { from: USERS_NEW.to_owned(), to: USERS.to_owned(), direction: Direction::Back, ..users(Purpose::Flip) };
    Courses::new(vec![users, crate::ground::back()]).unwrap()
}

async fn both_are_led_there_and_back_and_there_again(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let means = both_sides.means("one", &gates).await;
    for epoch in [1, 3] {
        let reports = prepare(both(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap();
        let named: Vec<_> =
            reports.iter().map(|report| (report.course.migration.as_str(), report.with.clone())).collect();
        let with = |name: &str| vec![name.to_owned()];
        assert_eq!(named, [("shop-to-18", with("users-to-18")), ("users-to-18", with("shop-to-18"))]);
        for report in reports {
            assert_eq!((report.epoch, &report.outcome), (epoch, &Outcome::Flipped));
            assert_eq!((report.rows_proven, report.sequences, report.gateways.len()), (7, 3, 2));
            let stages: Vec<&str> = report.stages.iter().map(|stage| stage.stage.as_str()).collect();
            assert_eq!(
                stages,
                ["drain", "fence", "marker", "proof", "sequences", "recheck", "flip", "admit", "settle"]
            );
            let database = report.course.database.clone();
            assert_eq!(Report::last(means.routes.store(), &database).await.unwrap(), Some(report));
        }
        both_sides.expect_served(At::New, &gates).await;
        prepare(both_back(), means.clone()).await.unwrap().run().await.unwrap();
        assert_eq!(both_sides.led_to().await, At::Old);
        assert!(!both_sides.users_new.is_writable().await && both_sides.users.is_writable().await);
    }
}

async fn a_rehearsal_of_both_does_everything_but_the_flip(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let means = both_sides.means("one", &gates).await;
    for epoch in 1..3 {
        let reports = prepare(both(Purpose::Rehearse), means.clone()).await.unwrap().run().await.unwrap();
        for report in &reports {
            assert_eq!((report.epoch, &report.outcome), (epoch, &Outcome::Rehearsed));
            assert!(report.fenced_at.is_some() && report.marker.is_some());
        }
        both_sides.expect_served(At::Old, &gates).await;
    }
}

/// Whichever stage it is, and however far the other one has come by then.
async fn what_fails_of_one_leads_neither_away(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let failing = |fails| Streams { fails: Some(fails), ..Streams::default() };
    let different = Streams { different: vec!["public.t".to_owned()], ..Streams::default() };
    let foreign = Streams { foreign: 1, ..Streams::default() };
    for users in [failing("marker"), failing("proof"), failing("sequences"), different, foreign] {
        let means = both_sides.means_with(&gates, users).await;
        let failed = prepare(both(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap_err();
        assert!(matches!(&failed, Error::Of { migration, .. } if migration == "users-to-18"), "{failed:?}");
        assert_eq!(failed.is_refusal(), !matches!(failed.met(), Error::Replication { .. }), "{failed:?}");
        both_sides.expect_served(At::Old, &gates).await;
        // Each report says whose failure it was.
        for database in [OLD, USERS] {
            let report = Report::last(means.routes.store(), database).await.unwrap().unwrap();
            assert!(
                matches!(&report.outcome, Outcome::Closed { by, reason } if by == "one" && reason.contains("users-to-18")),
                "{report:?}"
            );
        }
    }
    let prepared = prepare(both(Purpose::Flip), both_sides.means("one", &gates).await).await.unwrap();
    both_sides.grant("GRANT", "TO");
    let failed = prepared.run().await.unwrap_err();
    assert!(matches!(failed.met(), Error::Fence(_)), "{failed:?}");
    both_sides.grant("REVOKE", "FROM");
    both_sides.expect_served(At::Old, &gates).await;
}

async fn all_gates_of_both_are_armed_or_none_stays_closed(ground: &Ground) {
    let both_sides = Both::with(ground);
    for database in [OLD, USERS] {
        let gates = both_sides.gates().await;
        gates[1].refuse_of("arm", database);
        let means = both_sides.means("one", &gates).await;
        let failed = prepare(both(Purpose::Flip), means).await.unwrap().run().await.unwrap_err();
        assert!(matches!(failed.met(), Error::Gate { gateway, .. } if gateway == "gate-2"), "{failed:?}");
        both_sides.expect_served(At::Old, &gates).await;
    }
}

async fn what_forbids_one_touches_neither(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates().await;
    let old = LastProof { age: std::time::Duration::from_secs(90_000), is_clean: true, what: String::new() };
    let means = both_sides.means_with(&gates, Streams { proof: Some(Some(old)), ..Streams::default() }).await;
    let refused = Cutovers::open(means.clone()).unwrap().run(both(Purpose::Flip)).await.unwrap_err();
    assert!(matches!(&refused, Error::Forbidden { ids, .. } if ids == &["proof of `users-to-18`"]), "{refused:?}");
    for database in [OLD, USERS] {
        assert_eq!(means.routes.standing(database).await.unwrap().last_epoch, 0);
    }
    both_sides.expect_served(At::Old, &gates).await;
}

async fn a_gateway_may_lead_one_of_them_only(ground: &Ground) {
    let both_sides = Both::with(ground);
    let gates = both_sides.gates_of([("gate-1", &[OLD]), ("gate-2", &[USERS])]).await;
    let means = both_sides.means("one", &gates).await;
    let reports = prepare(both(Purpose::Flip), means.clone()).await.unwrap().run().await.unwrap();
    for (report, gateway) in reports.iter().zip(["gate-1", "gate-2"]) {
        assert_eq!(report.gateways.iter().map(|gate| gate.gateway.as_str()).collect::<Vec<_>>(), [gateway]);
    }
    assert_eq!(both_sides.led_to().await, At::New);
    prepare(both_back(), means.clone()).await.unwrap().run().await.unwrap();
    // One that nobody leads clients to is refused, and so is a single one whose gateway does not.
    let without_users: Vec<Arc<dyn TrafficGate>> = vec![means.gates[0].clone()];
    let refused = prepare(both(Purpose::Flip), Means { gates: without_users, ..means.clone() }).await.err().unwrap();
    assert!(matches!(refused.met(), Error::NoGate { database } if database == USERS), "{refused:?}");
    assert!(refused.is_refusal());
    let mut alone = means;
    alone.ends.remove(0);
    let refused = prepare(users(Purpose::Flip), alone).await.err().unwrap();
    assert!(matches!(&refused, Error::Gate { gateway, .. } if gateway == "gate-1"), "{refused:?}");
    assert_eq!(both_sides.led_to().await, At::Old);
}

#[test]
fn what_no_decision_could_lead_together_is_refused() {
    let (shop, users) = (course(Purpose::Flip), users(Purpose::Flip));
    let onto = Course { to: NEW.to_owned(), ..users.clone() };
    let back = Course { direction: Direction::Back, ..users.clone() };
    let rehearsal = Course { purpose: Purpose::Rehearse, ..users.clone() };
    for others in [vec![shop.clone()], vec![onto], vec![back], vec![rehearsal]] {
        let refused = Courses::new([vec![shop.clone()], others].concat()).unwrap_err();
        assert!(matches!(refused, Error::NotTogether { .. }), "{refused:?}");
    }
    assert!(Courses::new(Vec::new()).is_err());
    assert_eq!(Courses::new(vec![users.clone(), shop.clone()]).unwrap(), Courses::new(vec![shop, users]).unwrap());
}

atalaya_sandbox::on_every_backend! {
    both_are_led_there_and_back_and_there_again
    a_rehearsal_of_both_does_everything_but_the_flip
    what_fails_of_one_leads_neither_away
    all_gates_of_both_are_armed_or_none_stays_closed
    what_forbids_one_touches_neither
    a_gateway_may_lead_one_of_them_only
}
