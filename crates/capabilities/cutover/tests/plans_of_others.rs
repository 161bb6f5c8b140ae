//! Statements by which a role would have its own code run as whoever asks for their plans.

use atalaya_cutover::preflight::Status;
use atalaya_cutover::{PlanCheck, Purpose};
use atalaya_postgres::Session;

use crate::ground::{Side, course};
use crate::plans::{asked, counted, ground, left_out, looked};

/// What the application makes in a schema of its own. `struck` ends the witness that it is told, as only a superuser can;
/// `calm` and `still` are the same for those who trust in what a function is declared to be.
const TRAPS: &str = "
    CREATE FUNCTION struck(who text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
      IF pg_catalog.current_setting('is_superuser') = 'on' THEN
        PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
          WHERE datname = pg_catalog.current_database() AND application_name = who;
      END IF;
      RETURN 1; END $$;
    CREATE FUNCTION calm(who text) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN :app.struck(who); END $$;
    CREATE FUNCTION still(who text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN :app.struck(who); END $$;
    CREATE TABLE kinds AS SELECT n % 3 AS kind FROM generate_series(1, 3000) n;
    CREATE VIEW bait AS SELECT :app.struck('xml') AS n;
    CREATE VIEW sneaky AS SELECT id FROM public.orders
      WHERE id = 1 AND note = table_to_xml('bait', current_user IS NULL, current_user IS NULL, current_user::text)::text;
    CREATE FUNCTION aid() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN :app.struck('helper'); END $$;
    CREATE DOMAIN mark AS int CHECK (:app.struck('domain') = 1);
    CREATE FUNCTION same(a int, b int) RETURNS bool LANGUAGE plpgsql AS
      $$ BEGIN RETURN :app.struck('operator') = 1 AND a = b; END $$;
    CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same, RESTRICT = eqsel);
    CREATE TABLE indexed (kind int, note int);
    CREATE INDEX ON indexed ((kind + still('index')));
    CREATE FUNCTION wrapped() RETURNS int LANGUAGE sql AS $$ SELECT :app.still('inlined') $$;
    CREATE DOMAIN start AS int CHECK (:app.struck('aggregate') = 1);
    CREATE TYPE pair AS (n start);
    CREATE FUNCTION next_pair(p pair, n int) RETURNS pair LANGUAGE sql AS 'SELECT p';
    CREATE AGGREGATE paired(int) (SFUNC = next_pair, STYPE = pair, INITCOND = '(1)');
    CREATE FUNCTION :long() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN :app.struck('long name'); END $$";

/// Each with a part of its text that finds it again, and the witness.
const BAITS: &[(&str, &str, &str)] = &[
    (
        "xml",
        "SELECT%schema_to_xml%",
        "SELECT id FROM public.orders WHERE id = 1 AND note =
           schema_to_xml(current_schema(), current_user IS NULL, current_user IS NULL, current_user::text)::text",
    ),
    ("xml in a view", "SELECT count(_) FROM sneaky", "SELECT count(*) FROM sneaky"),
    ("helper", "SELECT%helper()", "SELECT id FROM public.orders WHERE id = 1 AND client = public.helper()"),
    ("domain", "SELECT note%::mark", "SELECT note FROM public.orders WHERE id = 5::mark"),
    ("operator", "SELECT kind%===%", "SELECT kind FROM kinds WHERE kind === length(current_user)"),
    ("index", "SELECT kind FROM indexed", "SELECT kind FROM indexed"),
    ("inlined", "SELECT%wrapped()", "SELECT id FROM public.orders WHERE id = 1 AND client = wrapped()"),
    ("aggregate", "SELECT paired%", "SELECT paired(client) FROM public.orders"),
    ("long name", "SELECT id%= named%", "SELECT id FROM public.orders WHERE id = 1 AND client = :long_and_more()"),
];

async fn witness(side: &Side, name: &str) -> Session {
    Session::connect(&side.url(), name).await.unwrap()
}

#[tokio::test]
async fn no_statement_has_code_of_its_role_run_while_it_is_planned() {
    let ground = ground();
    let old = &ground.old;
    let app = format!("\"{}\"", old.app.name());
    let long = format!("named_{}", "x".repeat(57));
    let spelled = |text: &str| text.replace(":app", &app).replace(":long", &long);
    old.sql(&format!("CREATE SCHEMA {app} AUTHORIZATION {app}"));
    // A superuser's, who names what it calls by the search_path of whoever calls it.
    old.sql(
        "CREATE FUNCTION public.helper() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN aid(); END $$;
         GRANT EXECUTE ON FUNCTION public.helper() TO PUBLIC",
    );
    let baits: Vec<String> = BAITS.iter().map(|(.., bait)| spelled(bait)).collect();
    let texts: Vec<String> = std::iter::once(spelled(TRAPS)).chain(baits).collect();
    asked(old, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    old.sql(&format!("ANALYZE {app}.kinds"));
    let mut witnesses = Vec::new();
    for (name, ..) in BAITS {
        // The view of the first one is what the second one reads.
        witnesses.push((name, witness(old, if *name == "xml in a view" { "xml" } else { name }).await));
    }

    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
    let mut ran = Vec::new();
    for (name, witness) in witnesses {
        if witness.query("SELECT 1", &[]).await.is_err() {
            ran.push(name);
        }
    }
    assert!(ran.is_empty(), "run as a superuser: {ran:?}\n{plans:#?}");
    let told = left_out(&plans, "might have");
    for (name, text, _) in BAITS {
        assert!(told.contains(&counted(old, text).0), "{name}: {told}");
    }
}

/// What is made while plans are asked for is not seen, so that it takes somebody who says so.
#[tokio::test]
async fn a_superuser_compares_no_plans_unless_that_is_asked_for() {
    let ground = ground();
    asked(&ground.old, &["SELECT note FROM orders WHERE id = 4711"]).await;
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::default()).await;
    assert_eq!((plans.status, plans.findings.len()), (Status::Pass, 1), "{plans:#?}");
    assert!(plans.findings[0].seen.contains("our role is a superuser on `shop` or can become one"), "{plans:#?}");
    let plans = looked(&ground, &course(Purpose::Flip), PlanCheck::Warn).await;
    assert!(plans.findings[0].seen.contains("1 of the 1 statements"), "{plans:#?}");
}
