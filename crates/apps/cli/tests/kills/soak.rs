//! The same, for longer: more data, and kills at places and times that a seed chooses.
//!
//! `ATALAYA_SEED` brings the same choices again, `ATALAYA_KILLS` makes it longer or shorter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use atalaya_sandbox::ServerOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::field::Field;
use super::holder::holder;
use crate::support::{Move, Running};
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
/// Each a migration of its own.
const ROUNDS: [(u16, u16); 4] = [(13, 18), (14, 17), (16, 16), (17, 18)];
/// Copied in ranges; some hundred MB, so that kills find the copy under way.
const COPIED: &str = "CREATE TABLE large (id bigint PRIMARY KEY, pad text NOT NULL);
    INSERT INTO large SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 200000) i";
/// What is copied again and again, so that not only a round's beginning has a copy to be killed in.
const COPIED_AGAIN: &[&str] = &["public.large", "public.big", "public.small_*"];
const ROUND_LIMIT: Duration = Duration::from_secs(60 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(300);
const KILL_AFTER_MS: u64 = 1_500;
const ARGUMENTS: &[&str] = &["--stop-when", "caught-up", "--split-larger-than", "1", "--retries", "20"];

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Run,
    Holder,
    Source,
    Target,
}

type Struck = BTreeMap<Victim, u64>;

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

/// So many kills in an order that the seed has drawn: how often each victim is hit is no matter of luck.
fn deck(kills: usize, choices: &mut Choices) -> Vec<Victim> {
    let mut deck: Vec<Victim> = VICTIMS.iter().copied().cycle().take(kills).collect();
    for last in (1..deck.len()).rev() {
        deck.swap(last, usize::try_from(choices.below(last as u64 + 1)).unwrap());
    }
    deck
}

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

/// Has the next run copy a table once more, unless the first copy is not complete: then there is one to be killed in.
fn begin_a_copy(field: &Field, choices: &mut Choices, story: &str) {
    let table = COPIED_AGAIN[usize::try_from(choices.below(COPIED_AGAIN.len() as u64)).unwrap()];
    let ran = field.shop.run("add-table", &["--table", table, "--again", "--timeout", "1"]);
    let unfinished = ["copy-unfinished", "unknown-migration"].iter().any(|code| ran.stderr.contains(code));
    assert!(ran.code == Some(0) || unfinished, "{story}, {table} again: {:?} {}", ran.code, ran.stderr);
}

/// The moment that the seed has drawn, as long after now.
fn wait_for_moment(choices: &mut Choices) {
    std::thread::sleep(Duration::from_millis(choices.below(KILL_AFTER_MS)));
}

/// Kills the holder at a moment of its life; false when it has ended by itself before.
fn kill_holder(field: &Field, run: &mut Running, choices: &mut Choices) -> bool {
    while holder(field).is_none() {
        if !run.is_running() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    wait_for_moment(choices);
    holder(field).is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
}

/// Tries to kill once; false when there was nothing to kill.
fn strike(field: &mut Field, choices: &mut Choices, victim: Victim, story: &str) -> bool {
    if victim == Victim::Holder || choices.below(2) == 0 {
        begin_a_copy(field, choices, story);
    }
    if victim == Victim::Run {
        let place = PLACES[usize::try_from(choices.below(PLACES.len() as u64)).unwrap()];
        let times = 1 + choices.below(if place == "copy-passing" { 100 } else { 6 });
        let ran = field.start_with(&format!("{place}:{times}"));
        assert!(ran.signal == Some(9) || ran.code == Some(0), "{story} {place}:{times}: {}", ran.stderr);
        return ran.signal == Some(9);
    }
    let mut run = field.shop.spawn("start", ARGUMENTS);
    let has_struck = match victim {
        Victim::Run => false,
        Victim::Holder => kill_holder(field, &mut run, choices),
        Victim::Source | Victim::Target => {
            wait_for_moment(choices);
            let was_running = run.is_running();
            let server = if victim == Victim::Source { &mut field.shop.source } else { &mut field.shop.target };
            server.kill().unwrap();
            server.start_again().unwrap();
            was_running
        }
    };
    end_of(run, story);
    has_struck
}

/// One migration under its share of the kills.
fn round(from: u16, to: u16, deck: &[Victim], choices: &mut Choices, seed: u64) -> Struck {
    let began = Instant::now();
    let (old, new) = (ServerOptions::new(from).durable(), ServerOptions::new(to).durable());
    let mut field = Field::prepare(Move::with(old, new));
    field.shop.source.run_sql("shop", COPIED).unwrap();
    let writes = Writes::start(&field.shop.source_url, 4, 200);
    let (mut struck, mut tries) = (Struck::new(), 0);
    for victim in deck {
        loop {
            let story = format!("seed {seed}, {from} to {to}, {victim:?} after {struck:?}");
            assert!(began.elapsed() < ROUND_LIMIT, "{story}: no time is left");
            field.change();
            tries += 1;
            if strike(&mut field, choices, *victim, &story) {
                break;
            }
        }
        *struck.entry(*victim).or_default() += 1;
    }
    eprintln!("{from} to {to}: {struck:?} in {tries} tries, {:.0} s", began.elapsed().as_secs_f64());
    let written = writes.stop();
    // Equal rows of the table without a key are counted: none may be there twice.
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
    struck
}

#[test]
#[ignore = "soak: half an hour, and some GB of disk"]
fn two_hundred_kills_of_run_holder_source_and_target_lose_nothing_and_double_nothing() {
    let seed = seed();
    let mut choices = Choices(seed);
    let began = Instant::now();
    let wanted = number_of("ATALAYA_KILLS").unwrap_or(KILLS_OF_ALL).div_ceil(ROUNDS.len() as u64);
    let wanted = usize::try_from(wanted).unwrap();
    let (mut drawn, mut struck) = (Struck::new(), Struck::new());
    // All at once: most of a round is waiting. Each has choices of its own, so that the order of threads changes none.
    let rounds: Vec<(Choices, Vec<Victim>)> = ROUNDS
        .iter()
        .map(|_| {
            let mut own = Choices(choices.below(u64::from(u32::MAX)));
            let deck = deck(wanted, &mut own);
            (own, deck)
        })
        .collect();
    rounds.iter().flat_map(|(_, deck)| deck).for_each(|victim| *drawn.entry(*victim).or_default() += 1);
    let ended: Vec<Struck> = std::thread::scope(|threads| {
        let running: Vec<_> = ROUNDS
            .into_iter()
            .zip(rounds)
            .map(|((from, to), (mut own, deck))| threads.spawn(move || round(from, to, &deck, &mut own, seed)))
            .collect();
        running.into_iter().map(|round| round.join().unwrap()).collect()
    });
    for (victim, times) in ended.into_iter().flatten() {
        *struck.entry(victim).or_default() += times;
    }
    eprintln!("seed {seed}: {struck:?} in {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(struck, drawn);
    assert!(struck.len() == 4 || wanted < VICTIMS.len(), "somebody was spared: {struck:?}");
}
