//! What the target has stored is believed only when it can be read.

use crate::support::Move;

#[test]
fn a_stored_value_that_cannot_be_read_is_refused_and_nothing_is_copied_anew() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    let mut command = shop.command(&Move::migrate("start", &["--stop-when", "caught-up"]));
    let ran = crate::support::ran(command.env("ATALAYA_FAILPOINT", "copy-committed"));
    assert_eq!(ran.code, None, "not killed: {}", ran.stderr);
    let kept = shop.target.run_sql("shop", "SELECT snapshot, options FROM atalaya.migration").unwrap();
    let (snapshot, options) = kept.trim().split_once('|').unwrap();
    assert!(snapshot.starts_with('{') && options.contains("schema"), "{kept}");
    for (column, broken) in [
        ("snapshot", "'{\"name\": 7}'"),
        ("options", "jsonb_set(options, '{schema,existing}', '\"perhaps\"')"),
        ("options", "options - 'schema'"),
    ] {
        let set = format!("UPDATE atalaya.migration SET {column} = {broken}");
        shop.target.run_sql("shop", &set).unwrap();
        for verb in ["start", "finish"] {
            let ran = shop.run(verb, &[]);
            assert_eq!(ran.code, Some(4), "{verb} with {broken}: {}", ran.stderr);
            assert!(ran.stderr.contains("cannot read"), "{}", ran.stderr);
        }
        let whole = format!("UPDATE atalaya.migration SET snapshot = '{snapshot}', options = '{options}'");
        shop.target.run_sql("shop", &whole).unwrap();
    }
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
}
