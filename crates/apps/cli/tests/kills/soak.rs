//! The same, for longer: more data, and kills at places and times that a seed chooses.
//!
//! `ATALAYA_SEED` brings the same choices again, `ATALAYA_KILLS` makes it longer or shorter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use atalaya_sandbox::ServerOptions;
use nix::sys::signal::Signal;

use super::field::Field;
use super::holder::holder;
use crate::support::{Move, Running, signal};
use crate::writes::Writes;

const KILLS: u32 = 50;
/// 1 GB in one table, copied in ranges.
const LARGE: &str = "CREATE TABLE large (id bigint PRIMARY KEY, pad text NOT NULL);
    INSERT INTO large SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 1000000) i";
const PLACES: &[&str] = &[
    "migration-written",
    "slot-made",
    "position-stored",
    "schema-restored",
    "snapshot-made",
    "copy-begun",
    "copy-passing",
    "copy-loaded",
    "copy-marked",
    "copy-committed",
    "index-built",
    "indexes-built",
    "vacuumed",
    "apply-begun",
    "apply-part-written",
    "apply-ordered-written",
    "apply-truncated",
    "apply-position-written",
    "apply-committed",
    "idle-position-written",
    "idle-committed",
    "acknowledged",
];

/// A small generator, so that a printed seed brings the same choices again.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> u64 {
        // Constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number_of("ATALAYA_SEED").unwrap_or(now);
    eprintln!("ATALAYA_SEED={seed}");
    seed
}

#[test]
#[ignore = "soak: minutes, and more than 2 GB of disk"]
fn fifty_kills_at_places_that_a_seed_chooses_lose_nothing() {
    let seed = seed();
    let mut choices = Choices(seed);
    let mut field = Field::prepare(Move::between(13, 18));
    field.shop.source.run_sql("shop", LARGE).unwrap();
    let writes = Writes::start(&field.shop.source_url, 4, 300);
    let mut kills = 0;
    for turn in 0.. {
        assert!(turn < 40 * KILLS, "seed {seed}: only {kills} kills in {turn} runs");
        let place = PLACES[usize::try_from(choices.below(PLACES.len() as u64)).unwrap()];
        let times = 1 + choices.below(if place == "copy-passing" { 400 } else { 6 });
        field.change();
        // A place that this run does not come to ends it caught up; that is no kill.
        let ran = field.start_with(&format!("{place}:{times}"));
        assert!(ran.signal == Some(9) || ran.code == Some(0), "seed {seed}, {place}:{times}: {}", ran.stderr);
        kills += u32::from(ran.signal == Some(9));
        if kills == KILLS {
            break;
        }
    }
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}

/// Kills of everything there is, in all.
const KILLS_OF_ALL: u64 = 200;
/// Each a migration of its own, so that a copy is there to be killed in each.
const ROUNDS: [(u16, u16); 4] = [(13, 18), (14, 17), (16, 16), (17, 18)];
/// Copied in ranges; some hundred MB, so that kills find the copy under way.
const COPIED: &str = "CREATE TABLE large (id bigint PRIMARY KEY, pad text NOT NULL);
    INSERT INTO large SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 200000) i";
const ROUND_LIMIT: Duration = Duration::from_secs(30 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(300);
const KILL_AFTER_MS: u64 = 1_500;
const ARGUMENTS: &[&str] = &["--stop-when", "caught-up", "--split-larger-than", "1", "--retries", "20"];

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Run,
    Holder,
    Source,
    Target,
}

/// Of ten kills four are the run's, two of each other's.
const VICTIMS: [Victim; 10] = [
    Victim::Run,
    Victim::Holder,
    Victim::Source,
    Victim::Target,
    Victim::Run,
    Victim::Holder,
    Victim::Source,
    Victim::Target,
    Victim::Run,
    Victim::Run,
];

fn end_of(mut run: Running, story: &str) {
    let deadline = Instant::now() + RUN_LIMIT;
    while run.is_running() {
        assert!(Instant::now() < deadline, "{story}: the run did not come to its end: {}", run.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = run.wait();
    // It may have given up; the same command goes on.
    assert!(matches!(ran.code, Some(0 | 1)), "{story}: {:?} {}", ran.code, ran.stderr);
}

/// Kills once; false when there was nothing to kill.
fn kill(field: &mut Field, choices: &mut Choices, victim: Victim, story: &str) -> bool {
    if victim == Victim::Run {
        let place = PLACES[usize::try_from(choices.below(PLACES.len() as u64)).unwrap()];
        let times = 1 + choices.below(if place == "copy-passing" { 100 } else { 6 });
        let ran = field.start_with(&format!("{place}:{times}"));
        assert!(ran.signal == Some(9) || ran.code == Some(0), "{story} {place}:{times}: {}", ran.stderr);
        return ran.signal == Some(9);
    }
    let mut run = field.shop.spawn("start", ARGUMENTS);
    // The moment that the seed has drawn.
    std::thread::sleep(Duration::from_millis(choices.below(KILL_AFTER_MS)));
    let was_running = run.is_running();
    let has_struck = match victim {
        Victim::Run => false,
        Victim::Holder => {
            let found = holder(field);
            if let Some(holder) = found {
                signal(holder, Signal::SIGKILL);
            }
            found.is_some()
        }
        Victim::Source | Victim::Target => {
            let server = if victim == Victim::Source { &mut field.shop.source } else { &mut field.shop.target };
            server.kill().unwrap();
            server.start_again().unwrap();
            was_running
        }
    };
    end_of(run, story);
    has_struck
}

#[test]
#[ignore = "soak: half an hour, and some GB of disk"]
fn two_hundred_kills_of_run_holder_source_and_target_lose_nothing_and_double_nothing() {
    let seed = seed();
    let mut choices = Choices(seed);
    let wanted = number_of("ATALAYA_KILLS").unwrap_or(KILLS_OF_ALL).div_ceil(ROUNDS.len() as u64);
    for (from, to) in ROUNDS {
        let began = Instant::now();
        let (old, new) = (ServerOptions::new(from).durable(), ServerOptions::new(to).durable());
        let mut field = Field::prepare(Move::with(old, new));
        field.shop.source.run_sql("shop", COPIED).unwrap();
        let writes = Writes::start(&field.shop.source_url, 4, 200);
        let mut kills = std::collections::BTreeMap::new();
        while kills.values().sum::<u64>() < wanted {
            let story = format!("seed {seed}, {from} to {to}, after {kills:?}");
            assert!(began.elapsed() < ROUND_LIMIT, "{story}: no time is left");
            let victim = VICTIMS[usize::try_from(choices.below(VICTIMS.len() as u64)).unwrap()];
            field.change();
            if kill(&mut field, &mut choices, victim, &story) {
                *kills.entry(format!("{victim:?}")).or_default() += 1;
            }
        }
        eprintln!("{from} to {to}: {kills:?} in {:.0} s", began.elapsed().as_secs_f64());
        let written = writes.stop();
        // Equal rows of the table without a key are counted: none may be there twice.
        field.finish();
        written.assert_reconciled(&field.shop.target_url);
    }
}
