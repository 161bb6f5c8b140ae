//! The words as they travel; a versioned contract.

use atalaya_gateway::admin::{Answer, Readiness, Refused, Request, Settled, Settlement};

#[test]
fn requests_are_written_as_ever() {
    let golden = [
        (
            r#"{"verb":"ready","database":"orders","to":"orders-green"}"#,
            Request::Ready { database: "orders".to_owned(), to: "orders-green".to_owned() },
        ),
        (
            r#"{"verb":"arm","database":"orders","epoch":3,"drain_limit_ms":500}"#,
            Request::Arm { database: "orders".to_owned(), epoch: 3, drain_limit_ms: 500 },
        ),
        (
            r#"{"verb":"settle","database":"orders","epoch":3}"#,
            Request::Settle { database: "orders".to_owned(), epoch: 3 },
        ),
    ];
    for (text, request) in golden {
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
    }
}

#[test]
fn answers_are_written_as_ever() {
    let settled = Settled {
        decision: Settlement::Closed { by: "gate".to_owned(), reason: "late".to_owned() },
        leads_to: "orders".to_owned(),
        paused_ms: 12,
        clients_held: 3,
        clients_ended: 0,
        clients_misled: 0,
        requests_refused: 0,
        longest_wait_ms: 11,
    };
    let ready = Readiness {
        gate: "127.0.0.1:6432#0123456789abcdef".to_owned(),
        from: "orders".to_owned(),
        last_epoch: 2,
        fence_process_id: 77,
        session_user: "mover".to_owned(),
        servers_open: 4,
        running: 1,
        kept: Vec::new(),
        misled: 2,
    };
    let golden = [
        (r#"{"answer":"armed","drained_ms":7}"#, Answer::Armed { drained_ms: 7 }),
        (
            r#"{"answer":"settled","decision":"closed","by":"gate","reason":"late","leads_to":"orders","paused_ms":12,"clients_held":3,"clients_ended":0,"clients_misled":0,"requests_refused":0,"longest_wait_ms":11}"#,
            Answer::Settled(settled.clone()),
        ),
        (
            r#"{"answer":"settled","decision":"flipped","leads_to":"orders","paused_ms":12,"clients_held":3,"clients_ended":0,"clients_misled":0,"requests_refused":0,"longest_wait_ms":11}"#,
            Answer::Settled(Settled { decision: Settlement::Flipped, ..settled }),
        ),
        (
            r#"{"answer":"ready","gate":"127.0.0.1:6432#0123456789abcdef","from":"orders","last_epoch":2,"fence_process_id":77,"session_user":"mover","servers_open":4,"running":1,"kept":[],"misled":2}"#,
            Answer::Ready(ready),
        ),
        (
            r#"{"answer":"refused","reason":"epoch_open","epoch":1,"migration":"m"}"#,
            Answer::Refused(Refused::EpochOpen { epoch: 1, migration: "m".to_owned() }),
        ),
        (
            r#"{"answer":"refused","reason":"late","epoch":1,"waited_ms":700}"#,
            Answer::Refused(Refused::Late { epoch: 1, waited_ms: 700 }),
        ),
    ];
    for (text, answer) in golden {
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        let read: Answer = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
