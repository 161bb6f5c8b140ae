//! What is read of relations whose cached blocks a test decides.

use super::*;

fn key(name: &str) -> Key {
    Key { schema: "public".to_owned(), name: name.to_owned(), part: 0 }
}

/// A relation of 3,200 blocks, with so many of each slice cached.
fn cached(name: &str, is_index: bool, slices: &[(usize, u64)], use_of_each: u64) -> Cached {
    let mut cached = Cached::new(key(name), is_index, 3200);
    for (slice, count) in slices {
        cached.add(0, *slice, *count, count * use_of_each);
    }
    cached
}

fn room(relations: &[(&str, u64)], buffers: u64) -> Room {
    let there = |(oid, (name, blocks)): (usize, &(&str, u64))| {
        let oid = u32::try_from(oid).unwrap();
        (key(name), There { oid, blocks: *blocks, fsm_blocks: 3, vm_blocks: 1 })
    };
    Room { relations: relations.iter().enumerate().map(there).collect(), buffers, block_bytes: 8192 }
}

fn main(from: u64, to: u64) -> Range {
    Range { fork: Fork::Main, from, to }
}

fn ranges(load: &Load) -> Vec<Range> {
    load.pieces.iter().flat_map(|piece| piece.ranges.clone()).collect()
}

#[test]
fn the_share_that_is_cached_is_read_from_where_it_is_cached() {
    // The end of a table, as of one that is only added to, in a relation of half the size.
    let table = cached("t", false, &[(30, 100), (31, 100)], 1);
    let load = plan(vec![table], &room(&[("t", 1600)], 10_000));
    assert_eq!(ranges(&load), [main(1500, 1600)]);
    assert_eq!(load.bytes(), 100 * 8192);
    assert_eq!(load.outlook().cached_bytes, 200 * 8192);
    // Two places of one table.
    let table = cached("t", false, &[(2, 100), (7, 100)], 1);
    assert_eq!(ranges(&plan(vec![table], &room(&[("t", 3200)], 10_000))), [main(200, 300), main(700, 800)]);
}

#[test]
fn what_is_cached_here_and_there_is_read_from_the_end() {
    let everywhere: Vec<(usize, u64)> = (0..SLICES).map(|slice| (slice, 10)).collect();
    let load = plan(vec![cached("t", false, &everywhere, 1)], &room(&[("t", 3200)], 10_000));
    assert_eq!(ranges(&load), [main(2880, 3200)]);
    // Half of each part: the last sixteen of them.
    let everywhere: Vec<(usize, u64)> = (0..SLICES).map(|slice| (slice, 50)).collect();
    let load = plan(vec![cached("t", false, &everywhere, 1)], &room(&[("t", 3200)], 10_000));
    assert_eq!(ranges(&load), [main(1600, 3200)]);
}

#[test]
fn an_index_that_is_cached_by_half_is_read_whole_and_another_one_is_not() {
    let half: Vec<(usize, u64)> = (0..16).map(|slice| (slice, 100)).collect();
    assert_eq!(ranges(&plan(vec![cached("i", true, &half, 1)], &room(&[("i", 320)], 10_000))), [main(0, 320)]);
    assert_eq!(ranges(&plan(vec![cached("i", false, &half, 1)], &room(&[("i", 320)], 10_000))), [main(0, 160)]);
    let less: Vec<(usize, u64)> = (0..15).map(|slice| (slice, 100)).collect();
    assert_eq!(ranges(&plan(vec![cached("i", true, &less, 1)], &room(&[("i", 320)], 10_000))), [main(0, 150)]);
}

#[test]
fn three_quarters_of_the_cache_are_filled_with_what_is_used_most() {
    let all: Vec<(usize, u64)> = (0..SLICES).map(|slice| (slice, 100)).collect();
    let (cold, hot) = (cached("cold", false, &all, 1), cached("hot", false, &all, 5));
    let load = plan(vec![cold, hot], &room(&[("cold", 3200), ("hot", 3200)], 6400));
    let names: Vec<&str> = load.pieces.iter().map(|piece| piece.name.as_str()).collect();
    assert_eq!(names, ["public.hot", "public.cold"]);
    assert_eq!(ranges(&load), [main(0, 3200), main(1600, 3200)]);
    assert!(load.outlook().is_cut);
    assert_eq!(load.bytes(), 4800 * 8192);
}

#[test]
fn maps_go_with_their_relation_and_what_is_not_there_is_counted() {
    let mut table = cached("t", false, &[(31, 100)], 1);
    table.add(1, 0, 2, 2);
    table.add(2, 0, 1, 1);
    let gone = cached("gone", false, &[(0, 1)], 1);
    let load = plan(vec![table, gone], &room(&[("t", 3200)], 10_000));
    let map = |fork, to| Range { fork, from: 0, to };
    assert_eq!(ranges(&load), [map(Fork::Vm, 1), map(Fork::Fsm, 3), main(3100, 3200)]);
    assert_eq!(load.outlook().absent, 1);
    assert!(!load.outlook().is_cut);
}

#[test]
fn relations_of_any_size_are_read_within_themselves() {
    for blocks in [0, 1, 2, 31, 32, 33, 1000] {
        for share in [0, 1, 50, 100] {
            let slices: Vec<(usize, u64)> = (0..SLICES).map(|slice| (slice, share)).collect();
            let load = plan(vec![cached("t", false, &slices, 1)], &room(&[("t", blocks)], 1_000_000));
            let read: u64 = ranges(&load).iter().map(|range| range.to - range.from).sum();
            assert_eq!(read, (blocks * share).div_ceil(100), "{blocks} blocks, {share} of 100 cached");
            assert!(ranges(&load).iter().all(|range| range.from < range.to && range.to <= blocks));
        }
    }
}
