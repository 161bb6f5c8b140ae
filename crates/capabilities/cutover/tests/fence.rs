//! Raised and lifted between real servers of the oldest and the newest version.

use std::time::Duration;

use atalaya_cutover::fence::{self, FenceError, Plan};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::{Role, Server, fresh_database};

const LIMIT: Duration = Duration::from_secs(30);
const ROUTE: &str = "shop";

/// A database, the superuser who fences it, and an application.
struct Field {
    server: &'static Server,
    database: String,
    app: Role,
}

impl Field {
    fn new(major: u16) -> Self {
        let (server, database) = fresh_database(major).unwrap();
        let app = server.create_rds_shaped_role(&format!("app {database}\" '$fence$"), &database).unwrap();
        Self { server, database, app }
    }

    fn url(&self) -> ConnectionUrl {
        ConnectionUrl::parse(&self.server.url(&self.database)).unwrap()
    }

    fn app_url(&self) -> ConnectionUrl {
        ConnectionUrl::parse(&self.server.url_as(&self.app, &self.database)).unwrap()
    }

    async fn session(&self) -> Session {
        let session = Session::connect(&self.url(), "atalaya cutover").await.unwrap();
        fence::prepare(&session).await.unwrap();
        session
    }

    fn sql(&self, sql: &str) -> String {
        self.server.run_sql(&self.database, sql).unwrap()
    }

    /// The rights as they are stored; `none` where they are NULL.
    fn rights(&self) -> String {
        self.sql("SELECT coalesce(datacl::text, 'none') FROM pg_database WHERE datname = current_database()")
    }

    async fn app_gets_in(&self) -> bool {
        match Session::connect(&self.app_url(), "app").await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.sqlstate(), Some("42501"), "{error:?}");
                false
            }
        }
    }
}

async fn raise_and_lift(session: &Session, epoch: u64) -> Plan {
    let plan = fence::plan(session, ROUTE).await.unwrap();
    fence::raise(session, &plan, ROUTE, epoch, &[], Duration::ZERO, LIMIT).await.unwrap();
    assert!(fence::standing(session, ROUTE).await.unwrap().is_up());
    fence::lift(session, &fence::lifting(&plan, ROUTE, epoch)).await.unwrap();
    assert!(!fence::standing(session, ROUTE).await.unwrap().is_up());
    plan
}

async fn everybody_is_kept_out_and_let_in_again(major: u16) {
    let field = Field::new(major);
    let session = field.session().await;
    let client = Session::connect(&field.app_url(), "atalaya in name only").await.unwrap();
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    let raised = fence::raise(&session, &plan, ROUTE, 1, &[], Duration::ZERO, LIMIT).await.unwrap();
    assert_eq!((raised.ended, raised.beyond_reach), (1, 0));
    let told = client.query("SELECT 1", &[]).await.unwrap_err();
    assert!(client.is_closed() || told.sqlstate() == Some("57P01"), "{told:?}");
    assert!(!field.app_gets_in().await);
    // The fencing role gets in as ever.
    let second = Session::connect(&field.url(), "atalaya cutover").await.unwrap();
    fence::lift(&second, &fence::lifting(&plan, ROUTE, 1)).await.unwrap();
    assert!(field.app_gets_in().await);
}

#[tokio::test]
async fn everybody_is_kept_out_and_let_in_again_on_13() {
    everybody_is_kept_out_and_let_in_again(13).await;
}

#[tokio::test]
async fn everybody_is_kept_out_and_let_in_again_on_18() {
    everybody_is_kept_out_and_let_in_again(18).await;
}

/// A generator of its own, so that a failure names its seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Grants and revokes by whoever may, and by whoever may not, which is then passed over.
fn some_rights(draw: &mut Draw, roles: &[String], database: &str) -> String {
    let mut script = String::new();
    for _ in 0..14 {
        let what = ["CONNECT", "CREATE", "TEMPORARY", "ALL", "CONNECT"][draw.below(5)];
        let role = |draw: &mut Draw| format!("\"{}\"", roles[draw.below(roles.len())].replace('"', "\"\""));
        let (by, to) = (role(draw), role(draw));
        let to = if draw.below(6) == 0 { "PUBLIC".to_owned() } else { to };
        let statement = match draw.below(4) {
            0 => format!("REVOKE {what} ON DATABASE \"{database}\" FROM {to} CASCADE"),
            1 => format!("GRANT {what} ON DATABASE \"{database}\" TO {to}"),
            _ => format!("GRANT {what} ON DATABASE \"{database}\" TO {to} WITH GRANT OPTION"),
        };
        let by = if draw.below(2) == 0 { String::new() } else { format!("SET LOCAL ROLE {by};") };
        script.push_str(&format!(
            "DO $do$ BEGIN {by} {statement}; SET LOCAL ROLE NONE; EXCEPTION WHEN OTHERS THEN SET LOCAL ROLE NONE; END $do$;\n"
        ));
    }
    script
}

async fn rights_come_back_byte_by_byte(major: u16) {
    let field = Field::new(major);
    let session = field.session().await;
    let roles: Vec<String> = ["a", "Two words", "quote\"s'", "é$fence$", "select"]
        .map(|name| format!("{name} {}", field.database))
        .into_iter()
        .collect();
    for role in &roles {
        field.sql(&format!("CREATE ROLE \"{}\"", role.replace('"', "\"\"")));
    }
    let mut epoch = 0;
    for seed in 0..40 {
        field.sql("UPDATE pg_database SET datacl = NULL WHERE datname = current_database()");
        if seed > 0 {
            field.sql(&some_rights(&mut Draw(seed), &roles, &field.database));
        }
        let before = field.rights();
        epoch += 1;
        let plan = raise_and_lift(&session, epoch).await;
        assert_eq!(field.rights(), before, "seed {seed}: {:#?}", plan.lifting());
    }
}

#[tokio::test]
async fn rights_come_back_byte_by_byte_on_13() {
    rights_come_back_byte_by_byte(13).await;
}

#[tokio::test]
async fn rights_come_back_byte_by_byte_on_18() {
    rights_come_back_byte_by_byte(18).await;
}

/// As on a managed server: whoever moves is a member of the owner, and no superuser.
async fn a_member_of_the_owner_fences_the_owner_too(major: u16) {
    let field = Field::new(major);
    let database = &field.database;
    let mover = field.server.create_rds_shaped_role(&format!("mover {database}"), database).unwrap();
    field.sql(&format!(
        "CREATE ROLE \"owner {database}\" LOGIN; GRANT \"owner {database}\" TO \"mover {database}\";
         ALTER DATABASE \"{database}\" OWNER TO \"owner {database}\""
    ));
    let url = ConnectionUrl::parse(&field.server.url_as(&mover, database)).unwrap();
    let session = Session::connect(&url, "atalaya cutover").await.unwrap();
    fence::prepare(&session).await.unwrap();
    let before = field.rights();
    let client = Session::connect(&field.app_url(), "app").await.unwrap();
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    let raised = fence::raise(&session, &plan, ROUTE, 1, &[], Duration::ZERO, LIMIT).await.unwrap();
    assert_eq!(raised.ended, 1);
    assert!(client.query("SELECT 1", &[]).await.is_err());
    assert!(!field.app_gets_in().await);
    let owner = format!("SELECT has_database_privilege('owner {database}', current_database(), 'CONNECT')");
    assert_eq!(field.sql(&owner), "f");
    // Others of the fencing role get in.
    let second = Session::connect(&url, "app").await.unwrap();
    fence::lift(&second, &fence::lifting(&plan, ROUTE, 1)).await.unwrap();
    assert_eq!(field.rights(), before);
    // No GRANT takes a list away that was never written down: it is what the server would have taken for it.
    field.sql("UPDATE pg_database SET datacl = NULL WHERE datname = current_database()");
    raise_and_lift(&session, 2).await;
    let is_default = "SELECT datacl = acldefault('d', datdba) FROM pg_database WHERE datname = current_database()";
    assert_eq!(field.sql(is_default), "t");
}

#[tokio::test]
async fn a_member_of_the_owner_fences_the_owner_too_on_13() {
    a_member_of_the_owner_fences_the_owner_too(13).await;
}

#[tokio::test]
async fn a_member_of_the_owner_fences_the_owner_too_on_18() {
    a_member_of_the_owner_fences_the_owner_too(18).await;
}

/// The text that lifts a fence is run as the fencing role, whoever wrote it.
#[tokio::test]
async fn what_somebody_else_owns_is_not_trusted_to_lift() {
    let field = Field::new(18);
    let session = field.session().await;
    fence::trust(&session).await.unwrap();
    field.sql(&format!("CREATE ROLE \"stranger {}\"", field.database));
    for (what, back) in [("TABLE atalaya.fence", "TABLE atalaya.fence"), ("SCHEMA atalaya", "SCHEMA atalaya")] {
        field.sql(&format!("ALTER {what} OWNER TO \"stranger {}\"", field.database));
        let refused = fence::trust(&session).await.unwrap_err();
        assert!(matches!(&refused, FenceError::Owner { what: named, .. } if named == what), "{refused:?}");
        field.sql(&format!("ALTER {back} OWNER TO CURRENT_USER"));
    }
    fence::trust(&session).await.unwrap();
}

#[tokio::test]
async fn what_was_lifted_is_never_raised_again() {
    let field = Field::new(13);
    let session = field.session().await;
    let before = field.rights();
    let plan = raise_and_lift(&session, 3).await;
    for epoch in [1, 2, 3] {
        let late = fence::raise(&session, &plan, ROUTE, epoch, &[], Duration::ZERO, LIMIT).await;
        assert!(matches!(late, Err(FenceError::Over { epoch: over }) if over == epoch), "{late:?}");
    }
    // An epoch that was lifted before it was raised, since its gates were quicker.
    fence::lift(&session, &fence::lifting(&plan, ROUTE, 4)).await.unwrap();
    let late = fence::raise(&session, &plan, ROUTE, 4, &[], Duration::ZERO, LIMIT).await;
    assert!(matches!(late, Err(FenceError::Over { epoch: 4 })), "{late:?}");
    assert_eq!(field.rights(), before);
    assert!(field.app_gets_in().await);
}

#[tokio::test]
async fn two_raise_it_at_once_and_several_lift_it_at_once() {
    let field = Field::new(18);
    let (one, other) = (field.session().await, field.session().await);
    let before = field.rights();
    for epoch in 1..10 {
        let plan = fence::plan(&one, ROUTE).await.unwrap();
        let raise = |session| fence::raise(session, &plan, ROUTE, epoch, &[], Duration::ZERO, LIMIT);
        let (first, second) = tokio::join!(raise(&one), raise(&other));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        // Of another epoch it is not.
        let later = fence::raise(&one, &plan, ROUTE, epoch + 1, &[], Duration::ZERO, LIMIT).await;
        assert!(matches!(later, Err(FenceError::Stands { .. })), "{later:?}");
        let lifting = fence::lifting(&plan, ROUTE, epoch);
        let (first, second) = tokio::join!(fence::lift(&one, &lifting), fence::lift(&other, &lifting));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        fence::lift(&one, &lifting).await.unwrap();
        assert_eq!(field.rights(), before);
    }
}

#[tokio::test]
async fn what_stands_is_lifted_by_its_own_row_and_only_up_to_an_epoch() {
    let field = Field::new(18);
    let session = field.session().await;
    let before = field.rights();
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    fence::raise(&session, &plan, ROUTE, 7, &[], Duration::ZERO, LIMIT).await.unwrap();
    assert!(matches!(fence::plan(&session, ROUTE).await, Err(FenceError::Stands { epoch: Some(7) })));
    assert_eq!(fence::lift_standing(&session, ROUTE, 6).await.unwrap(), None);
    assert!(!field.app_gets_in().await);
    assert_eq!(fence::lift_standing(&session, ROUTE, 7).await.unwrap(), Some(7));
    assert_eq!(field.rights(), before);
}

#[tokio::test]
async fn a_transaction_is_waited_for_as_long_as_its_grace_and_idle_sessions_are_not() {
    let field = Field::new(15);
    let session = field.session().await;
    for (grace, ends) in [(LIMIT, true), (Duration::from_millis(300), false)] {
        let plan = fence::plan(&session, ROUTE).await.unwrap();
        let epoch = if ends { 1 } else { 2 };
        let (busy, idle) = (field.app_url(), field.app_url());
        let busy = Session::connect(&busy, "busy").await.unwrap();
        let idle = Session::connect(&idle, "idle").await.unwrap();
        busy.batch("BEGIN; CREATE TEMP TABLE IF NOT EXISTS kept (a int)").await.unwrap();
        let raising = fence::raise(&session, &plan, ROUTE, epoch, &[], grace, LIMIT);
        let working = async {
            // The fence stands once the idle one is gone, and the other one works on behind it.
            while idle.query("SELECT 1", &[]).await.is_ok() {}
            busy.batch("INSERT INTO kept VALUES (1)").await.unwrap();
            if ends {
                busy.batch("COMMIT").await.unwrap();
            }
        };
        let (raised, ()) = tokio::join!(raising, working);
        match ends {
            true => assert_eq!(raised.unwrap().ended, 2),
            false => {
                assert!(matches!(raised, Err(FenceError::Running { sessions: 1, .. })), "{raised:?}");
                busy.batch("INSERT INTO kept VALUES (2); COMMIT").await.unwrap();
            }
        }
        fence::lift(&session, &fence::lifting(&plan, ROUTE, epoch)).await.unwrap();
    }
}

#[tokio::test]
async fn rights_that_were_changed_since_they_were_read_are_not_touched() {
    let field = Field::new(18);
    let session = field.session().await;
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    field.sql(&format!("CREATE ROLE \"late {0}\"; GRANT CONNECT ON DATABASE \"{0}\" TO \"late {0}\"", field.database));
    let before = field.rights();
    let raised = fence::raise(&session, &plan, ROUTE, 1, &[], Duration::ZERO, LIMIT).await;
    assert!(matches!(raised, Err(FenceError::Changed)), "{raised:?}");
    assert_eq!(field.rights(), before);
}

#[tokio::test]
async fn a_role_that_was_dropped_and_one_that_came_keep_nobody_out() {
    let field = Field::new(13);
    let session = field.session().await;
    let database = &field.database;
    field.sql(&format!(
        "CREATE ROLE \"gone {database}\"; GRANT CONNECT ON DATABASE \"{database}\" TO \"gone {database}\";
         REVOKE ALL ON DATABASE \"{database}\" FROM PUBLIC"
    ));
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    fence::raise(&session, &plan, ROUTE, 1, &[], Duration::ZERO, LIMIT).await.unwrap();
    field.sql(&format!(
        "DROP ROLE \"gone {database}\"; CREATE ROLE \"new {database}\"; GRANT CREATE ON DATABASE \"{database}\" TO \"new {database}\""
    ));
    fence::lift(&session, &fence::lifting(&plan, ROUTE, 1)).await.unwrap();
    assert!(field.app_gets_in().await);
    assert!(field.rights().contains("new "), "{}", field.rights());
}

#[tokio::test]
async fn a_prepared_transaction_is_not_left_behind() {
    let server =
        Server::start(atalaya_sandbox::ServerOptions::new(18).setting("max_prepared_transactions", "2")).unwrap();
    let session =
        Session::connect(&ConnectionUrl::parse(&server.url("postgres")).unwrap(), "atalaya cutover").await.unwrap();
    fence::prepare(&session).await.unwrap();
    server.run_sql("postgres", "BEGIN; CREATE TABLE t (a int); PREPARE TRANSACTION 'one'").unwrap();
    let plan = fence::plan(&session, ROUTE).await.unwrap();
    let raised = fence::raise(&session, &plan, ROUTE, 1, &[], Duration::ZERO, LIMIT).await;
    assert!(matches!(raised, Err(FenceError::Prepared { transactions: 1 })), "{raised:?}");
    server.run_sql("postgres", "ROLLBACK PREPARED 'one'").unwrap();
    fence::lift(&session, &fence::lifting(&plan, ROUTE, 1)).await.unwrap();
}
