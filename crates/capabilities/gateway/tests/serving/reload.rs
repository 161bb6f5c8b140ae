//! The estate is read again while clients are connected: nobody whose server is the same loses anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use atalaya_gateway::admin::{Answer, Request};
use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, FakeServer, Gateway, Setup, fake_message, query, tags};

const NEXT: &str = "the next secret";

fn reload(gateway: &Gateway) {
    let answer = gateway.answer(Request::Reload);
    assert!(matches!(answer, Answer::Reloaded), "{answer:?}");
}

fn process(client: &mut Client) -> String {
    client.run("SELECT pg_backend_pid()")
}

#[test]
fn another_secret_for_the_same_server_ends_no_client_and_is_what_new_connections_log_in_with() {
    let (server, database) = fresh_database(18).unwrap();
    let setup = Setup::of(server, &database).servers_max(4);
    let gateway = setup.start();
    let [mut within, mut tied, mut idle] = [(); 3].map(|()| gateway.client());
    within.run("CREATE TABLE t (x int); BEGIN; INSERT INTO t VALUES (1)");
    tied.run("CREATE TEMP TABLE own AS SELECT 'still here' AS x");
    idle.run("SET work_mem = '9MB'");
    idle.prepare("s", "SELECT current_setting('work_mem')");
    eventually("it is tied", || gateway.status().kept.len() == 1);
    let processes = [&mut within, &mut tied].map(process);
    eventually("it is tied still", || gateway.status().kept.len() == 1);

    // As it is done: at the server first, where only new sessions are asked for it.
    server.run_sql(&database, &format!("ALTER ROLE {} PASSWORD '{NEXT}'", setup.server_user())).unwrap();
    setup.rotate_secret(NEXT);
    reload(&gateway);

    assert_eq!([&mut within, &mut tied].map(process), processes);
    within.run("INSERT INTO t VALUES (2); COMMIT");
    assert_eq!(tied.run("SELECT x, (SELECT count(*) FROM t) FROM own"), "still here|2");
    assert_eq!(idle.execute("s", &[]), "9MB");
    assert_eq!(gateway.status().kept.len(), 1);
    // None but the tied one has a server, or is looked at. Then no server is left to the others: each needs a connection that
    // the former secret would not open.
    let used = || gateway.status().pools[0].servers_used;
    eventually("the others have given theirs back", || used() == 1);
    server
        .run_sql(
            &database,
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND \
                 usename = '{}' AND pid <> {}",
                setup.server_user(),
                processes[1]
            ),
        )
        .unwrap();
    eventually("the gateway has noticed", || gateway.status().pools[0].servers_idle == 0);
    let mut new = gateway.client();
    new.run("BEGIN");
    assert_eq!(idle.execute("s", &[]), "9MB");
    assert_eq!(tied.run("SELECT x FROM own"), "still here");
    let status = gateway.status();
    assert_eq!((status.ended_at_server_change, status.clients), (0, 4));
}

#[test]
fn a_client_that_keeps_its_server_for_its_session_keeps_it_across_another_secret() {
    let (server, database) = fresh_database(18).unwrap();
    let setup = Setup::of(server, &database).servers_max(2).database("pooling: session");
    let gateway = setup.start();
    let mut client = gateway.client();
    let before = process(&mut client);
    server.run_sql(&database, &format!("ALTER ROLE {} PASSWORD '{NEXT}'", setup.server_user())).unwrap();
    setup.rotate_secret(NEXT);
    reload(&gateway);
    assert_eq!(process(&mut client), before);
    assert_ne!(process(&mut gateway.client()), before);
}

/// A server that refuses the former secret late, when the estate has the next one already.
#[test]
fn a_login_that_began_with_the_former_secret_refuses_nobody_who_waits() {
    let (refuse, refused) = mpsc::channel();
    let (refused, logins) = (Mutex::new(refused), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&logins);
    let door = move || match counted.fetch_add(1, Ordering::SeqCst) {
        0 => {
            refused.lock().unwrap().recv().unwrap();
            Some(fake_message(b'E', b"SFATAL\0C28P01\0Mno\0\0"))
        }
        _ => None,
    };
    let good = || [fake_message(b'C', b"SELECT 0\0"), fake_message(b'Z', b"I")].concat();
    let server = FakeServer::start_with_door(door, move |_| Some(good()));
    let setup = Setup::new(&server.url(), "fake", "the former");
    let gateway = setup.start();
    let login = gateway.login();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| tags(&Client::login(&login).ask(&query("SELECT"))));
        eventually("the gateway logs in", || logins.load(Ordering::SeqCst) == 1);
        setup.rotate_secret(NEXT);
        reload(&gateway);
        refuse.send(()).unwrap();
        assert_eq!(client.join().unwrap(), "C ZI");
    });
}
