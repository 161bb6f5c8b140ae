//! Processes that decide at once.

use std::collections::HashSet;

use atalaya_route::{Decision, Error};

use crate::child::{Process, told};
use crate::ground::{Ground, opening};

on_every_backend! {
    of_processes_that_flip_and_close_one_wins_and_all_learn_the_same
    of_coordinators_that_open_at_once_one_does
}

const ROUNDS: u64 = 30;

async fn of_processes_that_flip_and_close_one_wins_and_all_learn_the_same(ground: &Ground) {
    let routes = ground.routes().await;
    let mut processes: Vec<_> = ["flip", "gate-1", "gate-2"].iter().map(|role| Process::start(ground, role)).collect();
    let mut at = "blue";
    for epoch in 1..=ROUNDS {
        let to = if at == "blue" { "green" } else { "blue" };
        let opened = routes.open("blue", opening(at, to)).await.unwrap();
        assert_eq!(opened.epoch, epoch);
        // Each is first to be told in its turn.
        processes.rotate_left(1);
        processes.iter_mut().for_each(Process::go);
        let learnt: HashSet<_> = processes.iter_mut().map(Process::next_line).collect();
        let decision = routes.decision(&opened).await.unwrap().unwrap();
        assert_eq!(learnt, HashSet::from([told(&decision)]));
        if let Decision::Flipped { .. } = decision {
            at = to;
        }
        let leads_to = routes.standing("blue").await.unwrap().leads_to.map_or("blue".to_owned(), |led| led.to);
        assert_eq!(leads_to, at);
    }
}

async fn of_coordinators_that_open_at_once_one_does(ground: &Ground) {
    let (one, other) = (ground.routes().await, ground.routes().await);
    for epoch in 1..=ROUNDS {
        let (one, other) =
            tokio::join!(one.open("blue", opening("blue", "green")), other.open("blue", opening("blue", "red")));
        let (opened, refused) = match (one, other) {
            (Ok(opened), Err(refused)) | (Err(refused), Ok(opened)) => (opened, refused),
            other => panic!("{other:?}"),
        };
        assert_eq!(opened.epoch, epoch);
        assert!(matches!(refused, Error::Open { epoch: open, .. } if open == epoch), "{refused}");
        ground.routes().await.close(&opened, "coordinator", "a test").await.unwrap();
    }
}
