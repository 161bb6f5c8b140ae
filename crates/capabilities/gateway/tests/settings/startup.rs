//! Settings of the startup packet.

use crate::support::{Client, Message, gateway, query, run};

#[test]
fn reset_goes_back_to_what_the_startup_packet_said() {
    let gateway = gateway();
    let mut client = Client::login(&gateway.login().with("work_mem", "6MB").with("options", "-c a.b=begun"));
    assert_eq!(client.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "6MB|begun");
    client.run("SET work_mem = '8MB'; SET a.b = 'changed'");
    assert_eq!(gateway.client().run("SHOW work_mem"), "4MB");
    assert_eq!(client.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "8MB|changed");
    client.run("RESET work_mem; RESET a.b");
    assert_eq!(client.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "6MB|begun");
    client.run("SET work_mem = '8MB'");
    client.run("RESET ALL");
    assert_eq!(client.run("SHOW work_mem"), "6MB");
    client.run("SET work_mem = '8MB'");
    client.run("DISCARD ALL");
    assert_eq!(client.run("SHOW work_mem"), "6MB");
}

#[test]
fn a_client_that_keeps_its_server_goes_back_to_its_startup_packet_too() {
    let gateway = gateway();
    let mut client = Client::login(&gateway.login().with("work_mem", "6MB"));
    client.run("CREATE TEMP TABLE t (x int); SET work_mem = '8MB'");
    client.run("RESET work_mem");
    assert_eq!(client.run("SHOW work_mem"), "6MB");
}

#[test]
fn what_is_reported_at_the_login_is_what_was_asked_for() {
    let gateway = gateway();
    let login = gateway.login().with("application_name", "ledger").with("TimeZone", "Asia/Tokyo");
    for _ in 0..2 {
        let client = Client::login(&login);
        let reported =
            |name: &str| client.reported.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(reported("application_name"), Some("ledger"));
        assert_eq!(reported("TimeZone"), Some("Asia/Tokyo"));
        assert!(reported("server_version").is_some());
    }
    assert!(gateway.client().reported.contains(&("application_name".to_owned(), String::new())));
}

#[test]
fn a_setting_that_the_server_refuses_refuses_the_login_in_its_words() {
    let gateway = gateway();
    for (name, value, sqlstate) in
        [("work_mem", "much", "22023"), ("no_such_setting", "1", "42704"), ("role", "nobody_at_all", "22023")]
    {
        let refused = Client::try_login(&gateway.login().with(name, value)).err().unwrap();
        assert_eq!(refused.sqlstate, sqlstate, "{}", refused.text);
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn reset_goes_back_to_the_startup_packet_in_the_midst_of_a_transaction_too() {
    let gateway = gateway();
    let login = gateway.login().with("work_mem", "6MB").with("options", "-c a.b=begun").with("TimeZone", "Asia/Tokyo");
    let mut client = Client::login(&login);
    client.prepare("reset", "RESET work_mem");
    client.run("BEGIN");
    for reset in ["RESET work_mem", "RESET ALL", "SET work_mem TO DEFAULT", "SET a.c = 'x'; RESET ALL"] {
        client.run("SET work_mem = '8MB'");
        assert_eq!(client.run("SHOW work_mem"), "8MB");
        client.run(reset);
        assert_eq!(client.run("SHOW work_mem"), "6MB", "{reset}");
    }
    client.run("SET a.b = 'changed'");
    assert_eq!(client.run("SHOW a.b"), "changed");
    client.run("RESET a.b");
    assert_eq!(client.run("SELECT current_setting('a.b'), current_setting('TimeZone')"), "begun|Asia/Tokyo");
    client.run("SET LOCAL work_mem = '8MB'");
    assert_eq!(client.tags(&run("reset", &[])), "2 C ZT");
    assert_eq!(client.run("SHOW work_mem"), "6MB");
    client.run("RESET work_mem; SET work_mem = '9MB'");
    assert_eq!(client.run("SHOW work_mem"), "9MB", "what was set behind it stays");
    client.run("ROLLBACK");
    assert_eq!(client.run("SELECT current_setting('work_mem'), current_setting('a.b')"), "6MB|begun");
}

#[test]
fn a_client_is_told_what_a_reset_has_come_to() {
    let gateway = gateway();
    let mut client = Client::login(&gateway.login().with("TimeZone", "Asia/Tokyo"));
    for begin in ["SELECT 1", "BEGIN"] {
        let mut said = client.ask(&query(&format!("{begin}; SET TimeZone = 'Asia/Seoul'")));
        said.extend(client.ask(&query("RESET TimeZone")));
        said.extend(client.ask(&query("SELECT 1")));
        let told: Vec<_> = said.iter().filter(|said| said.tag == b'S').map(Message::texts).collect();
        assert_eq!(told.last().unwrap(), &["TimeZone", "Asia/Tokyo"], "{begin}: {told:?}");
        client.run("ROLLBACK");
    }
}
