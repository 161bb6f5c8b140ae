//! Whether the statements that take most time where clients are have plans as good where they are led.
//!
//! Both servers are only asked for plans ([`explain`]); nothing is executed. A statement is known by its number in
//! `pg_stat_statements`: its text is neither shown nor written down.

mod explain;
mod foreign;
mod judge;
mod shape;
mod statements;
mod tally;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use self::explain::{Answer, Planner};
use self::foreign::Foreign;
use self::judge::{Terms, Worse, suspects, worse};
use self::shape::Shape;
use self::statements::{Found, Statement};
use self::tally::{Tally, Why};
use super::check::{Seen, Severity};
use crate::Error;
use crate::course::{Course, Means, PlanCheck};

const ID: &str = "plans";
/// How long the statements are compared for, all together.
const LIMIT: Duration = Duration::from_secs(20);
/// How long one server plans one statement.
const STATEMENT_LIMIT: Duration = Duration::from_secs(2);

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let severity = match means.plans.check {
        PlanCheck::Off => {
            seen.info(ID, "they are not compared");
            return Ok(());
        }
        PlanCheck::WarnUnlessAlmighty | PlanCheck::Warn => Severity::Warn,
        PlanCheck::Fail => Severity::Fail,
    };
    let (from, to) = (means.url(course, &course.from)?, means.url(course, &course.to)?);
    let until = Instant::now() + LIMIT;
    let compared = async {
        let (here, there) = tokio::try_join!(Planner::connect(from, LIMIT), Planner::connect(to, LIMIT))?;
        let almighty = [(&here, &course.from), (&there, &course.to)].into_iter().find(|(side, _)| side.is_almighty);
        if let (PlanCheck::WarnUnlessAlmighty, Some((_, place))) = (means.plans.check, almighty) {
            seen.info(ID, not_as_a_superuser(place));
            return Ok(());
        }
        Comparison { course, here, there, severity, seen }.compare(means, until).await
    };
    // Each statement has a limit of its own; this one is for a server that says nothing at all.
    let compared = tokio::time::timeout_at(until + 2 * STATEMENT_LIMIT, compared).await;
    let trouble = match compared {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => atalaya_data::chain(&error),
        Err(_) => "a server does not answer".to_owned(),
    };
    let remedy = "see that both servers can be reached, or say --plan-check off";
    seen.add(ID, severity, format!("the plans cannot be compared: {trouble}"), Some(remedy.to_owned()));
    Ok(())
}

/// What one statement came to.
enum Compared {
    /// Its plan is as good there.
    Alike,
    /// It is not, in these ways.
    Worse { ways: Vec<Worse>, here: Shape, there: Shape },
    /// The server there refuses what the one here plans.
    Refused { sqlstate: String },
    /// There is nothing to compare.
    Not(Why),
}

struct Comparison<'a> {
    course: &'a Course,
    here: Planner,
    there: Planner,
    severity: Severity,
    seen: &'a mut Seen,
}

impl Comparison<'_> {
    async fn compare(mut self, means: &Means, until: Instant) -> Result<(), atalaya_postgres::Error> {
        let statements = match statements::longest(&self.here.session, means.plans.statements).await? {
            Found::Statements(statements) => statements,
            Found::NoExtension => {
                self.no_extension();
                return Ok(());
            }
        };
        let mut foreign = Foreign::default();
        foreign.read(&self.here.session).await?;
        foreign.read(&self.there.session).await?;
        let terms =
            Terms { cost_factor: f64::from(means.plans.cost_factor), here: self.here.memory, there: self.there.memory };
        let mut tally = Tally::default();
        for statement in &statements {
            let compared = match Instant::now() < until {
                true => self.compare_one(statement, &foreign, &terms).await?,
                false => Compared::Not(Why::Late),
            };
            match compared {
                Compared::Alike => tally.compared += 1,
                Compared::Not(why) => tally.leave_out(why, statement.id),
                Compared::Worse { ways, here, there } => {
                    tally.compared += 1;
                    self.tell_worse(statement, &ways, &here, &there);
                }
                Compared::Refused { sqlstate } => {
                    tally.compared += 1;
                    self.tell_refused(statement, &sqlstate);
                }
            }
        }
        for text in tally.told(statements.len()) {
            self.seen.info(ID, text);
        }
        Ok(())
    }

    async fn compare_one(
        &self,
        statement: &Statement,
        foreign: &Foreign,
        terms: &Terms,
    ) -> Result<Compared, atalaya_postgres::Error> {
        let Some(text) = &statement.text else { return Ok(Compared::Not(Why::Unreadable)) };
        if foreign.may_be_in(text) {
            return Ok(Compared::Not(Why::Foreign));
        }
        let path = &statement.search_path;
        let here = match self.here.plan(text, path, STATEMENT_LIMIT).await? {
            Answer::Plan(shape) if !shape.touches_tables() => return Ok(Compared::Not(Why::NoTable)),
            Answer::Plan(shape) => shape,
            Answer::Refused(sqlstate) => return Ok(Compared::Not(Why::of(&sqlstate))),
        };
        let there = match self.there.plan(text, path, STATEMENT_LIMIT).await? {
            Answer::Plan(shape) => shape,
            Answer::Refused(sqlstate) => {
                return Ok(match Why::of(&sqlstate) {
                    why @ (Why::Slow | Why::NoRight) => Compared::Not(why),
                    _ => Compared::Refused { sqlstate },
                });
            }
        };
        let mut pages = BTreeMap::new();
        for table in suspects(&here, &there) {
            let count = self.there.pages(&table).await?;
            pages.insert(table, count);
        }
        let ways = worse(&here, &there, &pages, terms);
        Ok(if ways.is_empty() { Compared::Alike } else { Compared::Worse { ways, here, there } })
    }

    fn tell_worse(&mut self, statement: &Statement, ways: &[Worse], here: &Shape, there: &Shape) {
        let told: Vec<String> = ways.iter().map(ToString::to_string).collect();
        let (from, to) = (&self.course.from, &self.course.to);
        let text = format!("{}: {}; on `{from}` {here}; on `{to}` {there}", name(statement), told.join(", and "));
        let remedy = match ways.first() {
            Some(Worse::ReadsWhole(_)) => {
                "`atalaya validate --schema` names indexes that are missing; ANALYZE, and compare planner settings of both sides"
            }
            Some(Worse::MaySpill) => "compare work_mem and hash_mem_multiplier of both sides; ANALYZE",
            _ => "ANALYZE, and compare planner settings of both sides",
        };
        self.seen.add(ID, self.severity, text, Some(remedy.to_owned()));
    }

    fn tell_refused(&mut self, statement: &Statement, sqlstate: &str) {
        let (from, to) = (&self.course.from, &self.course.to);
        let text = format!("{}: `{to}` refuses it (SQLSTATE {sqlstate}), and `{from}` does not", name(statement));
        let remedy =
            "`atalaya validate --schema` names what is missing; pg_stat_statements has the text, to try it there";
        self.seen.add(ID, self.severity, text, Some(remedy.to_owned()));
    }

    /// Where worse plans forbid it, so does not knowing of any.
    fn no_extension(&mut self) {
        let from = &self.course.from;
        let text = format!("`{from}` does not count statements, so that there is none whose plan could be compared");
        let remedy = "add pg_stat_statements to shared_preload_libraries and restart at a quiet time, then \
                      CREATE EXTENSION pg_stat_statements; it has to have seen the load of a day";
        let severity = if self.severity == Severity::Fail { Severity::Fail } else { Severity::Info };
        self.seen.add(ID, severity, text, Some(remedy.to_owned()));
    }
}

/// That nothing is compared unless it is asked for, and why.
fn not_as_a_superuser(place: &str) -> String {
    format!(
        "they are not compared: our role is a superuser on `{place}` or can become one, and planning may run code of those who \
         wrote the statements; with --plan-check warn all are compared that are known to run none"
    )
}

/// A statement as it can be found again where clients are.
fn name(statement: &Statement) -> String {
    format!("statement {} ({} calls, {:.1} ms each)", statement.id, statement.calls, statement.mean_ms)
}
