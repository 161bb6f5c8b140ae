//! The same, for longer: more data, and kills at places and times that a seed chooses.

use std::time::{SystemTime, UNIX_EPOCH};

use super::field::Field;
use crate::support::Move;
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

#[test]
#[ignore = "soak: minutes, and more than 2 GB of disk"]
fn fifty_kills_at_places_that_a_seed_chooses_lose_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("ATALAYA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    eprintln!("ATALAYA_SEED={seed}");
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
