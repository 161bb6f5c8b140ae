//! One case: two databases with something in them, and what one check says of it.

use std::time::Duration;

use atalaya_assess::{Plan, Report, Status, assess};

use super::servers::{Kind, Login, caught_up, create_database, run_sql, session, url};

/// Which roles assess.
#[derive(Clone, Copy, Debug)]
pub(crate) struct As {
    pub(crate) source: Login,
    pub(crate) target: Login,
}

/// What the check has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// This status, and a finding that holds this text in what it names, saw or advises.
    Fires(Status, &'static str),
    /// It passes, having looked, and has nothing to say.
    Quiet,
}

/// One case. In SQL `{db}` is the database's name, and `;;` ends a batch.
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) source: Kind,
    pub(crate) target: Kind,
    pub(crate) source_options: &'static str,
    pub(crate) source_sql: &'static str,
    pub(crate) target_sql: &'static str,
    /// Run on the source in a session that stays open.
    pub(crate) held_sql: &'static str,
    pub(crate) one_database: bool,
    /// Where rows are read from, and as whom.
    pub(crate) standby: Option<(Kind, Login)>,
    /// Run on the standby before, and after.
    pub(crate) standby_sql: [&'static str; 2],
    pub(crate) login: As,
    pub(crate) plan: fn(&mut Plan),
    pub(crate) expect: Expect,
}

/// A case between the usual servers as superuser, over a small table.
pub(crate) fn case(id: &'static str, name: &'static str, expect: Expect) -> Case {
    Case {
        id,
        name,
        source: Kind::Old,
        target: Kind::New,
        source_options: "",
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        target_sql: "",
        held_sql: "",
        one_database: false,
        standby: None,
        standby_sql: ["", ""],
        login: As { source: Login::Superuser, target: Login::Superuser },
        plan: |_| {},
        expect,
    }
}

/// What a case does to a standby, no other one may meet.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Makes both databases, assesses, and judges what the check said.
pub(crate) async fn run(case: Case) {
    let source = create_database(case.source, &format!("s_{}", case.name), case.source_options).await;
    run_sql(case.source, &source, case.source_sql).await;
    let target = if case.one_database {
        source.clone()
    } else {
        let target = create_database(case.target, &format!("t_{}", case.name), "").await;
        run_sql(case.target, &target, case.target_sql).await;
        target
    };
    let holder = if case.held_sql.is_empty() {
        None
    } else {
        let holder = session(case.source, &source).await;
        holder.batch(case.held_sql).await.unwrap();
        Some(holder)
    };
    let mut plan =
        Plan::new(url(case.source, &source, case.login.source), url(case.target, &target, case.login.target));
    plan.options.statement_timeout = Duration::from_secs(60);
    (case.plan)(&mut plan);
    let _alone = match case.standby {
        Some(_) => Some(ALONE.lock().await),
        None => None,
    };
    if let Some((kind, login)) = case.standby {
        if kind != case.source {
            caught_up(kind).await;
        }
        plan.options.snapshot_from = Some(url(kind, &source, login));
        run_sql(kind, &source, case.standby_sql[0]).await;
    }
    let report = assess(plan).await;
    if let Some((kind, _)) = case.standby {
        run_sql(kind, &source, case.standby_sql[1]).await;
    }
    let report = report.unwrap();
    drop(holder);
    judge(&case, &report);
}

fn judge(case: &Case, report: &Report) {
    let result = report.check(case.id).unwrap();
    match case.expect {
        Expect::Fires(status, text) => {
            assert_eq!(result.status, status, "{result:#?}");
            let told = result.findings.iter().any(|finding| {
                let all = [
                    finding.object.as_deref().unwrap_or_default(),
                    &finding.seen,
                    finding.remedy.as_deref().unwrap_or_default(),
                ];
                all.iter().any(|each| each.contains(text))
            });
            assert!(told, "no finding holds {text:?}: {result:#?}");
        }
        Expect::Quiet => {
            assert_eq!(result.status, Status::Pass, "{result:#?}");
            assert!(result.findings.is_empty(), "{result:#?}");
        }
    }
    looked_everywhere(report);
}

/// No check was kept from looking.
pub(crate) fn looked_everywhere(report: &Report) {
    for result in &report.checks {
        for finding in &result.findings {
            assert!(!finding.seen.contains("could not be looked at"), "{}: {}", result.id, finding.seen);
        }
    }
}
