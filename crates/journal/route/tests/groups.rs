//! Epochs that are opened together, and decided together: whoever decides one of them decides all.

use std::collections::HashSet;
use std::time::Duration;

use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Read, StreamName};
use atalaya_route::{Decision, Error, OpenEpoch, Opening, Routes};

use crate::child::{Process, told};
use crate::ground::{GROUP, Ground, Way, green, open_epoch, opening, openings};

on_every_backend! {
    each_of_a_group_names_the_others
    one_flip_leads_all_of_them_elsewhere
    whoever_closes_one_closes_all
    a_group_is_opened_as_a_whole_or_not_at_all
    epochs_of_a_group_have_their_own_numbers
    one_of_a_group_can_go_on_alone_once_it_is_decided
    a_rehearsal_of_a_group_can_only_be_closed
    of_processes_that_decide_different_ones_of_a_group_one_wins_and_all_learn_the_same
    of_groups_that_overlap_one_is_opened
}

async fn open_group(routes: &Routes) -> Vec<OpenEpoch> {
    routes.open_together(openings(Way::There)).await.unwrap()
}

async fn decisions(routes: &Routes, epochs: &[OpenEpoch]) -> Vec<Option<Decision>> {
    let mut decisions = Vec::new();
    for epoch in epochs {
        decisions.push(routes.decision(epoch).await.unwrap());
    }
    decisions
}

/// How many events the route of a database has.
async fn events(routes: &Routes, database: &str) -> usize {
    let stream = StreamName::new(format!("route-{database}")).unwrap();
    routes.store().read(Read::stream_from(stream, 1, 100)).await.unwrap().events.len()
}

async fn each_of_a_group_names_the_others(ground: &Ground) {
    let routes = ground.routes().await;
    let opened = open_group(&routes).await;
    let other = ground.routes().await;
    for (epoch, database) in opened.iter().zip(GROUP) {
        assert_eq!((epoch.database.as_str(), epoch.epoch), (database, 1));
        let others: Vec<_> = epoch.with.iter().map(|member| member.database.as_str()).collect();
        let expected: Vec<_> = GROUP.into_iter().filter(|other| *other != database).collect();
        assert_eq!(others, expected);
        for member in epoch.group() {
            assert_eq!(member.to, green(&member.database));
            assert_eq!(member.migration, format!("{}-to-18", member.database));
        }
        // As another process reads it.
        assert_eq!(other.standing(database).await.unwrap().open.as_ref(), Some(epoch));
    }
    let alone = open_epoch(&routes).await;
    assert!(alone.with.is_empty());
    assert_eq!(alone.group().count(), 1);
}

async fn one_flip_leads_all_of_them_elsewhere(ground: &Ground) {
    let routes = ground.routes().await;
    let opened = open_group(&routes).await;
    assert_eq!(decisions(&routes, &opened).await, [None, None, None]);
    let flipped = routes.flip(&opened[1], "coordinator").await.unwrap();
    assert_eq!(flipped, Decision::Flipped { to: green("orders"), epoch: 1 });
    for epoch in &opened {
        let own = Decision::Flipped { to: green(&epoch.database), epoch: 1 };
        assert_eq!(epoch.under(&flipped), own);
        assert_eq!(routes.decision(epoch).await.unwrap(), Some(own.clone()));
        let led = routes.standing(&epoch.database).await.unwrap().leads_to.unwrap();
        assert_eq!(led.to, green(&epoch.database));
        // A gate of any of them that is late learns it.
        assert_eq!(routes.close(epoch, "gate-1", "its lease is over").await.unwrap(), own);
    }
    // And all of them back.
    let back = routes.open_together(openings(Way::Back)).await.unwrap();
    routes.flip(&back[2], "coordinator").await.unwrap();
    for epoch in &back {
        assert_eq!(routes.standing(&epoch.database).await.unwrap().leads_to.unwrap().to, epoch.database);
    }
}

async fn whoever_closes_one_closes_all(ground: &Ground) {
    let routes = ground.routes().await;
    for closing in 0..GROUP.len() {
        let opened = open_group(&routes).await;
        // As a gate does that knows one route only, by what it reads in the journal.
        let gate = ground.routes().await;
        let (epoch, _) = gate.epoch(GROUP[closing], opened[closing].epoch).await.unwrap().unwrap();
        let closed = gate.close(&epoch, "gate-1", "its lease is over").await.unwrap();
        assert!(matches!(&closed, Decision::Closed { by, .. } if by == "gate-1"));
        for epoch in &opened {
            assert_eq!(routes.decision(epoch).await.unwrap(), Some(epoch.under(&closed)));
            // Whichever it tries, the coordinator learns it.
            assert_eq!(routes.flip(epoch, "coordinator").await.unwrap(), epoch.under(&closed));
            assert_eq!(routes.close(epoch, "gate-2", "late as well").await.unwrap(), epoch.under(&closed));
            let standing = routes.standing(&epoch.database).await.unwrap();
            assert!(standing.open.is_none() && standing.leads_to.is_none(), "{standing:?}");
        }
    }
}

async fn a_group_is_opened_as_a_whole_or_not_at_all(ground: &Ground) {
    let routes = ground.routes().await;
    let alone = routes.open("users", opening("users", "users-red")).await.unwrap();
    let refused = routes.open_together(openings(Way::There)).await.unwrap_err();
    assert!(matches!(&refused, Error::Open { database, epoch: 1, .. } if database == "users"), "{refused}");
    assert!(refused.is_refusal());
    routes.flip(&alone, "coordinator").await.unwrap();
    let elsewhere = routes.open_together(openings(Way::There)).await.unwrap_err();
    assert!(matches!(&elsewhere, Error::Elsewhere { database, .. } if database == "users"), "{elsewhere}");
    for database in ["carts", "orders"] {
        assert_eq!(events(&routes, database).await, 0, "{database}");
    }
}

async fn epochs_of_a_group_have_their_own_numbers(ground: &Ground) {
    let routes = ground.routes().await;
    for _ in 0..3 {
        let alone = routes.open("orders", opening("orders", "orders-green")).await.unwrap();
        routes.close(&alone, "coordinator", "a test").await.unwrap();
    }
    let opened = open_group(&routes).await;
    let numbers: Vec<_> = opened.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(numbers, [1, 4, 1]);
    routes.flip(&opened[0], "coordinator").await.unwrap();
    let flipped = |epoch: &OpenEpoch| Some(Decision::Flipped { to: green(&epoch.database), epoch: epoch.epoch });
    assert_eq!(decisions(&routes, &opened).await, opened.iter().map(flipped).collect::<Vec<_>>());
}

async fn one_of_a_group_can_go_on_alone_once_it_is_decided(ground: &Ground) {
    let routes = ground.routes().await;
    let opened = open_group(&routes).await;
    let alone = routes.open("orders", opening("orders", "orders-green")).await.unwrap_err();
    assert!(matches!(alone, Error::Open { epoch: 1, .. }), "{alone}");
    routes.close(&opened[0], "gate-1", "its lease is over").await.unwrap();
    let alone = routes.open("orders", opening("orders", "orders-green")).await.unwrap();
    assert!(alone.with.is_empty());
    routes.flip(&alone, "coordinator").await.unwrap();
    // Who wakes late learns what was decided of the group, whatever became of one of them since.
    for epoch in &opened {
        let decision = routes.flip(epoch, "coordinator").await.unwrap();
        assert!(matches!(decision, Decision::Closed { epoch: 1, .. }), "{decision:?}");
    }
    assert!(routes.standing("users").await.unwrap().leads_to.is_none());
}

async fn a_rehearsal_of_a_group_can_only_be_closed(ground: &Ground) {
    let routes = ground.routes().await;
    let rehearsals = openings(Way::There).into_iter();
    let rehearsals = rehearsals.map(|(database, opening)| (database, Opening { rehearsal: true, ..opening }));
    let opened = routes.open_together(rehearsals.collect()).await.unwrap();
    let refused = routes.flip(&opened[0], "coordinator").await.unwrap_err();
    assert!(matches!(refused, Error::Rehearsal { .. }), "{refused}");
    let closed = routes.close(&opened[0], "coordinator", "it was a rehearsal").await.unwrap();
    assert_eq!(routes.decision(&opened[2]).await.unwrap(), Some(opened[2].under(&closed)));
}

const ROUNDS: u64 = 30;

/// Processes of which each knows another one of the group.
async fn of_processes_that_decide_different_ones_of_a_group_one_wins_and_all_learn_the_same(ground: &Ground) {
    let routes = ground.routes().await;
    let mut processes: Vec<_> =
        ["gate-1", "flip", "gate-2"].iter().zip(GROUP).map(|(role, of)| Process::start_for(ground, role, of)).collect();
    let mut way = Way::There;
    for round in 1..=ROUNDS {
        let opened = routes.open_together(openings(way)).await.unwrap();
        processes.rotate_left(1);
        processes.iter_mut().for_each(Process::go);
        let learnt: Vec<String> = processes.iter_mut().map(Process::next_line).collect();
        let mut decided = HashSet::new();
        let mut kinds = HashSet::new();
        for decision in decisions(&routes, &opened).await {
            let decision = decision.unwrap();
            kinds.insert(matches!(decision, Decision::Flipped { .. }));
            decided.insert(told(&decision));
        }
        assert_eq!(kinds.len(), 1, "round {round}: {decided:?}");
        assert_eq!(learnt.into_iter().collect::<HashSet<_>>(), decided, "round {round}");
        if kinds.contains(&true) {
            way = if way == Way::There { Way::Back } else { Way::There };
        }
    }
}

async fn of_groups_that_overlap_one_is_opened(ground: &Ground) {
    let (one, other) = (ground.routes().await, ground.routes().await);
    for round in 1..=ROUNDS {
        let (mut first, mut second) = (openings(Way::There), openings(Way::There));
        first.remove(0);
        second.remove(2);
        let (first, second) = tokio::join!(one.open_together(first), other.open_together(second));
        let (opened, refused) = match (first, second) {
            (Ok(opened), Err(refused)) | (Err(refused), Ok(opened)) => (opened, refused),
            other => panic!("{other:?}"),
        };
        assert!(matches!(&refused, Error::Open { database, .. } if database == "orders"), "round {round}: {refused}");
        let opened_alone = opened.iter().find(|epoch| epoch.database != "orders").unwrap();
        one.close(opened_alone, "coordinator", "a test").await.unwrap();
        // Nothing is left of the other one.
        for database in GROUP {
            assert!(one.standing(database).await.unwrap().open.is_none(), "round {round}: {database}");
        }
    }
}

/// An epoch from before there were groups, byte by byte as it was written.
#[tokio::test]
async fn what_was_written_before_there_were_groups_is_read_and_decided_as_ever() {
    let ground = Ground::sqlite();
    let routes = ground.routes().await;
    let written = r#"{"kind":"epoch_opened","epoch":1,"migration":"m","from":"blue","to":"green","gates":["g"],"lease_ms":2000,"lift":["GRANT"],"rehearsal":false,"led":null}"#;
    let event = NewEvent::new(EventType::new("RouteEpochOpened").unwrap(), written.as_bytes().to_vec());
    assert_eq!(event.schema, 1);
    let stream = StreamName::new("route-blue").unwrap();
    routes.store().append(Append::to_stream(stream.clone(), Expected::None, vec![event])).await.unwrap();
    let (epoch, _) = routes.epoch("blue", 1).await.unwrap().unwrap();
    assert!(epoch.with.is_empty());
    routes.close(&epoch, "gate-1", "its lease is over").await.unwrap();
    // What is no group's is written as it was then, for gateways of that version.
    let again = routes.open("blue", opening("blue", "green")).await.unwrap();
    assert_eq!(again.epoch, 2);
    let stored = routes.store().read(Read::stream_from(stream, 3, 1)).await.unwrap().events;
    assert_eq!(stored[0].schema, 1);
    assert!(!String::from_utf8_lossy(stored[0].data.as_deref().unwrap()).contains("with"));
}

#[tokio::test]
async fn a_group_that_could_not_be_decided_by_one_append_is_refused() {
    let ground = Ground::sqlite();
    let routes = ground.routes().await;
    let good = openings(Way::There);
    let twice: Vec<_> = good.iter().chain(&good[..1]).cloned().collect();
    let mut mixed = good.clone();
    mixed[0].1.rehearsal = true;
    let mut endless = good.clone();
    endless[2].1.lease = Duration::from_secs(601);
    let named = |number: usize| (format!("d{number}"), opening(&format!("d{number}"), "elsewhere"));
    let too_many: Vec<_> = (0..129).map(named).collect();
    let heavy = |number: usize| {
        let (name, opening) = named(number);
        (name, Opening { lift: vec!["x".repeat(100 << 10)], ..opening })
    };
    let too_large: Vec<_> = (0..30).map(heavy).collect();
    for openings in [Vec::new(), twice, mixed, endless, too_many, too_large] {
        let refused = routes.open_together(openings).await.unwrap_err();
        assert!(matches!(refused, Error::Unsuitable { .. }), "{refused}");
    }
    for database in GROUP {
        assert_eq!(routes.standing(database).await.unwrap().last_epoch, 0);
    }
    let most: Vec<_> = (0..128).map(named).collect();
    let opened = routes.open_together(most).await.unwrap();
    routes.flip(&opened[127], "coordinator").await.unwrap();
    assert_eq!(routes.standing("d0").await.unwrap().leads_to.unwrap().to, "elsewhere");
}
