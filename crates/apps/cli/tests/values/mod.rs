//! Every built-in type with the values that others have lost: copied, inserted, updated to, deleted by.

mod literals;
mod tables;

use crate::support::Move;

/// Moves the tables of every type, half of the rows by copy and half by changes, and compares both sides by text and,
/// where the type is the server's own, by the bytes that its send function gives.
fn every_type_arrives(from: u16, to: u16) {
    let shop = Move::between(from, to);
    let types = literals::of(from);
    assert!(types.len() > 60, "{}", types.len());
    shop.source.run_sql("shop", &tables::create(&types)).unwrap();
    shop.source.run_sql("shop", &tables::first_rows(&types)).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    same_bytes(&shop, &types);
    shop.source.run_sql("shop", &tables::changes(&types)).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    same_bytes(&shop, &types);
    let rows = tables::rows(&shop.target);
    assert!(rows > types.len() * 4, "{rows} rows of {} types", types.len());
    let validated = shop.validate(&["--quiesced"]);
    assert_eq!(validated.code, Some(0), "{}\n{}", validated.stdout, validated.stderr);
    let running = shop.follow(&[]);
    shop.target.run_sql("shop", &tables::damage(&types)).unwrap();
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    same_bytes(&shop, &types);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
}

fn same_bytes(shop: &Move, types: &[literals::Type]) {
    let digests = tables::digests(types);
    let (source, target) =
        (shop.source.run_sql("shop", &digests).unwrap(), shop.target.run_sql("shop", &digests).unwrap());
    assert_eq!(source.lines().count(), 2 * types.len());
    assert_eq!(source, target);
}

#[test]
fn every_type_of_13_arrives_on_18() {
    every_type_arrives(13, 18);
}

#[test]
fn every_type_of_18_arrives_on_18() {
    every_type_arrives(18, 18);
}
