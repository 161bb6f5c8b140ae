//! A spool that the source was told to rely on has to be the one, and whole.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::field::Field;
use crate::support::Move;

/// Small segments: an eighth of it each.
const OPTIONS: &[&str] = &["--ack-spool", "--spool-limit", "2MB"];

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Turns one bit in the middle of a file.
fn turn_a_bit(path: &Path) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let (mut byte, middle) = ([0], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 4], middle).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

/// A start that must refuse and touch nothing.
fn refused(field: &Field, because: &str) {
    let before = (field.target_rows(), field.confirmed(), field.stored("received"));
    let ran = field.start(OPTIONS, "").wait();
    assert_eq!(ran.code, Some(4), "{because}: {}", ran.stderr);
    assert!(ran.stderr.contains(because) && ran.stderr.contains("hint: "), "{because}: {}", ran.stderr);
    assert_eq!(before, (field.target_rows(), field.confirmed(), field.stored("received")), "{because}");
}

#[test]
fn a_spool_that_is_not_the_one_or_not_whole_is_refused_before_a_row_is_touched() {
    let mut field = Field::new(Move::between(15, 18));
    let (mut run, lock) = field.copying(OPTIONS);
    for _ in 0..5 {
        let end = field.change();
        field.wait_until_received(&mut run, end);
    }
    drop(run);
    let (folder, segments) = (field.folder().unwrap(), field.segments());
    assert!(segments.len() >= 3, "{segments:?}");
    let (first, middle, last) = (&segments[0], &segments[1], &segments[segments.len() - 1]);
    let kept = folder.with_extension("kept");
    copy(&folder, &kept);
    let damages: [(&str, &dyn Fn()); 7] = [
        ("is not there", &|| std::fs::remove_dir_all(&folder).unwrap()),
        ("begins after what the target has applied", &|| std::fs::remove_file(first).unwrap()),
        ("ends before what the source was told", &|| std::fs::remove_file(middle).unwrap()),
        ("ends before what the source was told", &|| std::fs::remove_file(last).unwrap()),
        ("is not what was written", &|| turn_a_bit(middle)),
        ("is not what was written", &|| cut(last, 5)),
        ("is another one", &|| copy_over(middle, first)),
    ];
    for (because, damage) in damages {
        damage();
        refused(&field, because);
        let _gone = std::fs::remove_dir_all(&folder);
        copy(&kept, &folder);
    }
    let progress =
        |sql: &str| field.shop.target.run_sql("shop", &format!("UPDATE atalaya.progress SET {sql}")).unwrap();
    let spool = field.shop.target.run_sql("shop", "SELECT max(spool) FROM atalaya.progress").unwrap();
    progress("spool = 'other' WHERE spool IS NOT NULL");
    refused(&field, "is another one");
    progress(&format!("spool = '{spool}' WHERE spool IS NOT NULL"));
    let received = field.shop.target.run_sql("shop", "SELECT max(received) FROM atalaya.progress").unwrap();
    progress("received = received - 1000 WHERE received IS NOT NULL");
    refused(&field, "was confirmed up to");
    progress(&format!("received = '{received}' WHERE received IS NOT NULL"));

    // What lies behind the received position is the torn end of a killed run, whatever it is.
    let file = std::fs::File::options().append(true).open(last).unwrap();
    std::io::Write::write_all(&mut &file, b"half a record").unwrap();
    let next = format!("{:012}.segment", segments.len() + 1);
    std::fs::write(folder.join(next), b"ATL").unwrap();
    field.change();
    drop(lock);
    // Without the option what was spooled is used all the same.
    let ran = field.start(&["--stop-when", "caught-up"], "").wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("an earlier run had the source free its log"), "{}", ran.stderr);
    std::fs::remove_dir_all(&kept).unwrap();
    field.finish(&[]);
}

fn copy_over(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}
