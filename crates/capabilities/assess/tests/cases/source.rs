//! What spares the source, and what is made on it: a standby to read from, an event trigger.

use atalaya_assess::Status::{Fail, Warn};
use atalaya_assess::{EventTriggerTrial, Obstacle, Trying};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use crate::support::Expect::{Fires, Quiet};
use crate::support::{As, Case, Expect, Kind, Login, case};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); GRANT SELECT ON t TO plain; \
                     GRANT USAGE ON SCHEMA public TO plain";

fn beside(kind: Kind, id: &'static str, name: &'static str, expect: Expect) -> Case {
    let standby = Some((kind, Login::Superuser));
    Case { source: Kind::Primary, source_sql: TABLE, standby, ..case(id, name, expect) }
}

/// As the replicator tries it, with a function of its own.
struct Trial;

impl EventTriggerTrial for Trial {
    fn try_out<'a>(&'a self, source: &'a ConnectionUrl) -> Trying<'a> {
        Box::pin(async move {
            let sql = "BEGIN; CREATE FUNCTION pg_temp.told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                       CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION pg_temp.told(); ROLLBACK";
            let tried = Session::connect(source, "test").await?.batch(sql).await;
            let obstacle = |error| Obstacle { seen: atalaya_data::chain(&error), remedy: String::new() };
            Ok(tried.err().map(obstacle))
        })
    }
}

fn triggered(login: Login, name: &'static str, expect: Expect) -> Case {
    Case {
        login: As { source: login, target: Login::Superuser },
        plan: |plan| plan.options.event_trigger = Some(Box::new(Trial)),
        ..case("ddl-trigger", name, expect)
    }
}

super::cases! {
    a_standby_as_it_should_be_is_quiet: |name| beside(Kind::Follower, "standby", name, Quiet);
    a_server_that_is_no_standby_is_refused: |name| beside(Kind::Primary, "standby", name, Fires(Fail, "no standby"));
    a_standby_that_tells_what_it_reads_is_quiet: |name| beside(Kind::Follower, "standby-conflicts", name, Quiet);
    a_standby_that_tells_nothing_is_named:
        |name| beside(Kind::Silent, "standby-conflicts", name, Fires(Warn, "hot_standby_feedback = on"));
    a_standby_that_replays_is_quiet: |name| beside(Kind::Follower, "standby-lag", name, Quiet);
    a_standby_whose_replay_is_paused_is_refused: |name| Case {
        standby_sql: ["SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"],
        ..beside(Kind::Silent, "standby-lag", name, Fires(Fail, "pg_wal_replay_resume"))
    };
    a_standbys_role_that_reads_everything_is_quiet: |name| Case {
        standby: Some((Kind::Follower, Login::Plain)),
        ..beside(Kind::Follower, "standby-privileges", name, Quiet)
    };
    a_standbys_role_that_may_not_read_is_refused: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, secret int); GRANT SELECT (id) ON t TO plain",
        standby: Some((Kind::Follower, Login::Plain)),
        ..beside(Kind::Follower, "standby-privileges", name, Fires(Fail, "may not read: secret"))
    };
    a_standbys_role_that_policies_bind_is_refused: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO plain; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        standby: Some((Kind::Follower, Login::Plain)),
        ..beside(Kind::Follower, "standby-privileges", name, Fires(Fail, "on the source"))
    };
    a_standbys_role_that_may_not_replicate_is_refused: |name| Case {
        standby: Some((Kind::Follower, Login::Plain)),
        ..beside(Kind::Follower, "standby", name, Fires(Fail, "ALTER ROLE \"plain\" REPLICATION"))
    };
    a_role_that_may_make_an_event_trigger_is_quiet: |name| triggered(Login::Superuser, name, Quiet);
    a_role_that_may_make_no_event_trigger_is_refused:
        |name| triggered(Login::Shaped, name, Fires(Fail, "permission denied to create event trigger"));
}
