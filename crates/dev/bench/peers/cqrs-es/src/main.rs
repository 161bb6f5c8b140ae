//! What `make bench` measures of the crates `cqrs-es` and `postgres-es`: their event repository, in a database of its own.
//!
//! The repository is what the framework stores events with. Its commands, which stand in front of it and read the
//! aggregate's whole stream first, are left out. Says the seconds that the work took, without connecting, as JSON.
//!
//! ```text
//! JOURNAL_URL=postgres://... JOURNAL_DATA=... bench-cqrs-es append COMMITS EVENTS
//! JOURNAL_URL=postgres://... bench-cqrs-es read EVENTS
//! ```

mod order;

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use cqrs_es::Aggregate as _;
use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use postgres_es::{PostgresEventRepository, default_postgress_pool};
use serde_json::{Value, json};

use order::Order;

/// The table of the crate's own `db/init.sql`.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS events
    (
        aggregate_type text                         NOT NULL,
        aggregate_id   text                         NOT NULL,
        sequence       bigint CHECK (sequence >= 0) NOT NULL,
        event_type     text                         NOT NULL,
        event_version  text                         NOT NULL,
        payload        json                         NOT NULL,
        metadata       json                         NOT NULL,
        PRIMARY KEY (aggregate_type, aggregate_id, sequence)
    )";
const ORDER: &str = "order-1";

type Failed = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let pool = default_postgress_pool(&env::var("JOURNAL_URL")?).await;
    // A first connection is not what is measured.
    sqlx::query(TABLE).execute(&pool).await?;
    let repository = PostgresEventRepository::new(pool);
    let took = match arguments[..] {
        ["append", commits, events] => append(&repository, commits.parse()?, events.parse()?).await?,
        ["read", events] => read(&repository, events.parse()?).await?,
        _ => return Err("append COMMITS EVENTS, or read EVENTS".into()),
    };
    println!("{}", json!({ "seconds": took.as_secs_f64() }));
    Ok(())
}

/// One commit after the other, to one aggregate's stream.
async fn append(repository: &PostgresEventRepository, commits: usize, events: usize) -> Result<Duration, Failed> {
    let data: Value = serde_json::from_str(&env::var("JOURNAL_DATA")?)?;
    let event = |sequence| SerializedEvent {
        aggregate_id: ORDER.to_owned(),
        sequence,
        aggregate_type: Order::TYPE.to_owned(),
        event_type: "OrderPlaced".to_owned(),
        event_version: "1.0".to_owned(),
        payload: data.clone(),
        metadata: json!({}),
    };
    let start = Instant::now();
    for commit in 0..commits {
        let first = commit * events + 1;
        let events: Vec<SerializedEvent> = (first..first + events).map(event).collect();
        repository.persist::<Order>(&events, None).await?;
    }
    Ok(start.elapsed())
}

/// The aggregate's whole stream, in order.
async fn read(repository: &PostgresEventRepository, events: usize) -> Result<Duration, Failed> {
    let start = Instant::now();
    let found = repository.get_events::<Order>(ORDER).await?;
    let took = start.elapsed();
    if found.iter().map(|event| event.sequence).eq(1..=events) {
        Ok(took)
    } else {
        Err(format!("{} of {events} events were read", found.len()).into())
    }
}
