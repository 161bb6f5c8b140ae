//! Requests that a gateway must not pass on, and data where none is asked for.

use crate::support::{
    bind, copy_data, copy_done, copy_fail, execute, flush, gateway, message, parse, query, sync, tags,
};

#[test]
fn a_function_call_is_refused_by_name_in_every_state() {
    let gateway = gateway();
    let mut client = gateway.client();
    let call = message(b'F', &[0, 0, 8, 30, 0, 0, 0, 0, 0, 0]);
    let said = client.ask(&call);
    assert_eq!(tags(&said), "E0A000 ZI");
    assert!(said[0].text().contains("FunctionCall"), "{}", said[0].text());
    client.run("BEGIN");
    client.send(&call);
    let status = tags(&client.until_ready());
    assert!(status == "E0A000 ZT" || status == "E0A000 ZE", "{status}");
    client.run("ROLLBACK");
    client.send(&[query("SELECT 1"), call].concat());
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(tags(&client.until_ready()), "E0A000 ZI");
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn copy_data_that_nobody_asked_for_is_read_over() {
    let gateway = gateway();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.send(&[copy_data(b"1\n"), copy_done(), copy_fail("no"), query("SELECT 1")].concat());
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    client.send(&[query("SELECT 1"), copy_data(b"1\n"), copy_done(), query("SELECT 2")].concat());
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    client.run("BEGIN");
    client.send(&[copy_data(b"1\n"), copy_done(), query("COMMIT")].concat());
    assert_eq!(tags(&client.until_ready()), "C ZI");
    assert_eq!(other.run("SELECT 1"), "1");
}

#[test]
fn an_error_within_a_copy_is_told_while_data_are_still_coming() {
    let gateway = gateway();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.run("CREATE TABLE t (x int)");
    let mut all = query("COPY t FROM STDIN");
    all.extend(copy_data(b"no number\n"));
    for _ in 0..2000 {
        all.extend(copy_data(&[b'1'; 1000]));
    }
    all.extend([copy_done(), query("SELECT 'after'")].concat());
    client.send(&all);
    assert_eq!(tags(&client.until_ready()), "G E22P02 ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(other.run("SELECT count(*) FROM t"), "0");
}

#[test]
fn an_error_within_a_copy_of_a_pipeline_is_told_up_to_sync() {
    let gateway = gateway();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.run("CREATE TABLE t (x int)");
    client.send(&[parse("", "COPY t FROM STDIN"), bind("", "", &[]), execute("", 0), flush()].concat());
    client.until(b'G');
    client.send(&[copy_data(b"no number\n"), copy_data(b"1\n"), copy_done(), sync(), query("SELECT 1")].concat());
    assert_eq!(tags(&client.until_ready()), "E22P02 ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(other.run("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_copy_that_its_client_gives_up_is_undone() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x int)");
    client.send(&[query("COPY t FROM STDIN"), copy_data(b"1\n"), copy_fail("changed my mind")].concat());
    assert_eq!(tags(&client.until_ready()), "G E57014 ZI");
    assert_eq!(client.run("SELECT count(*) FROM t"), "0");
}

#[test]
fn flush_and_sync_within_a_copy_are_read_over() {
    let gateway = gateway();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.run("CREATE TABLE t (x int)");
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&[copy_data(b"1\n"), flush(), sync(), copy_data(b"2\n"), copy_done(), query("SELECT 1")].concat());
    assert_eq!(tags(&client.until_ready()), "C ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(other.run("SELECT count(*) FROM t"), "2");
    // The whole of it in one go, as some drivers do.
    client.send(
        &[
            parse("", "COPY t FROM STDIN"),
            bind("", "", &[]),
            execute("", 0),
            sync(),
            copy_data(b"3\n"),
            copy_done(),
            sync(),
            query("SELECT 2"),
        ]
        .concat(),
    );
    assert_eq!(tags(&client.until_ready()), "1 2 G C ZI");
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert_eq!(other.run("SELECT count(*) FROM t"), "3");
}

#[test]
fn anything_but_data_within_a_copy_ends_it() {
    let gateway = gateway();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.run("CREATE TABLE t (x int)");
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&[copy_data(b"1\n"), query("SELECT 1")].concat());
    let said = client.until(b'E');
    assert_eq!(tags(&said), "E08P01");
    assert_eq!(other.run("SELECT count(*) FROM t"), "0");
}

#[test]
fn fifty_megabytes_go_in_and_come_out() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x text)");
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let block = copy_data(&line.repeat(64));
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    for _ in 0..800 {
        client.send(&block);
    }
    client.send(&copy_done());
    assert_eq!(tags(&client.until_ready()), "C ZI");
    client.send(&query("COPY t TO STDOUT"));
    let mut bytes = 0;
    loop {
        let said = client.message();
        match said.tag {
            b'd' => bytes += said.body.len(),
            b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(bytes, 800 * 64 * 1024);
}
