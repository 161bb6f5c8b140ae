//! Two services, each with a database of its own, that keep orders right together. Read `place_order` first.

mod inventory;
mod order;
mod payment;
mod place_order;
mod service;
mod wire;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use atalaya_cqrs::Aggregates;
use atalaya_eventstore::{Options, Place, Statement, Store, Tables, Value};
use atalaya_nats::JetStream;
use atalaya_saga::{SagaId, Sagas};
use atalaya_sandbox::{NatsServer, fresh_database};
use clap::Parser;
use serde_json::json;

use crate::inventory::{Stock, StockEvent};
use crate::order::Order;
use crate::payment::Gateway;
use crate::place_order::Wanted;
use crate::service::Result;

const RIGHT: &str = "order 1 Confirmed\norder 2 Rejected\norder 3 Rejected\nbook 3 free, 2 kept\nlamp 4 free, 0 kept";

/// Places three orders, tells what became of them and of the stock, and fails where that is not right. What was killed goes
/// on when it is run again with the same arguments.
#[derive(Parser)]
#[command(after_help = "Example: orders --folder /tmp/shop --nats nats://127.0.0.1:4222 --lose-answers")]
struct Arguments {
    /// Where the gateway's books and the files of SQLite are [default: a temporary folder]
    #[arg(long, requires = "nats")]
    folder: Option<PathBuf>,
    /// Two databases of Postgres instead of files [default: of a throwaway server]
    #[arg(long, num_args = 0..=2, value_names = ["ORDERS_URL", "INVENTORY_URL"])]
    postgres: Option<Vec<Place>>,
    /// A NATS server with JetStream [default: a throwaway one]
    #[arg(long, value_name = "URL", requires = "folder")]
    nats: Option<String>,
    /// Has the first answer of the payment gateway lost, each time
    #[arg(long)]
    lose_answers: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is run for what it tells")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.unwrap_or_else(|| temporary.path().to_owned());
    let throwaway = if arguments.nats.is_none() { Some(NatsServer::start()?) } else { None };
    let nats = arguments.nats.or_else(|| throwaway.as_ref().map(NatsServer::url)).unwrap_or_default();
    let fresh = || -> Result<Place> { fresh_database(18).map(|(server, name)| Ok(server.url(&name).parse()?))? };
    let [orders, inventory] = match arguments.postgres.as_deref() {
        None => ["orders", "inventory"].map(|service| Place::Folder(folder.join(service))),
        Some([]) => [fresh()?, fresh()?],
        Some([orders, inventory]) if throwaway.is_none() => [orders.clone(), inventory.clone()],
        Some(_) => return Err("`--postgres` takes two URLs beside `--folder` and `--nats`, or none".into()),
    };
    let orders = (Store::open(&orders, Options::default()).await?, Tables::open(&orders).await?);
    let inventory = (Store::open(&inventory, Options::default()).await?, Tables::open(&inventory).await?);
    let gateway = Gateway { books: folder.join("payments"), loses_answers: arguments.lose_answers };
    let sagas = place_order::sagas(&orders.0, gateway)?;
    let stocks = Aggregates::new(inventory.0.clone());
    let stream = |name: &str| JetStream::new(atalaya_nats::Options::new(&nats, name.to_uppercase(), name));
    let (said, answered) = (stream("orders"), stream("inventory"));
    let selling = service::run::<Order, _>(&orders, (&said, &answered), |message| place_order::hear(&sagas, message));
    let storing = service::run::<Stock, _>(&inventory, (&answered, &said), |message| inventory::hear(&stocks, message));
    let tables = [&orders.1, &inventory.1];
    tokio::select! {
        ended = selling => ended?,
        ended = storing => ended?,
        shopped = tokio::time::timeout(Duration::from_mins(2), shop(&sagas, &stocks, tables)) => shopped.unwrap_or(Ok(()))?,
    }
    let seen = seen(tables).await?;
    println!("{seen}");
    if seen == RIGHT { Ok(()) } else { Err("this is not right".into()) }
}

/// Has pieces delivered, places the orders one after the other, and waits until all is right.
async fn shop(sagas: &Sagas, stocks: &Aggregates<Stock>, tables: [&Tables; 2]) -> Result<()> {
    for (article, pieces) in [("book", 5), ("lamp", 4)] {
        stocks.execute_once(article, "note 1", |_| Ok::<_, Infallible>(vec![StockEvent::Delivered { pieces }])).await?;
    }
    for (id, article, pieces, card) in [("1", "book", 2, "ok"), ("2", "book", 3, "refused"), ("3", "lamp", 9, "ok")] {
        let wanted = Wanted { article: article.to_owned(), pieces, card: card.to_owned() };
        sagas.start("order", &SagaId::new(id)?, json!(wanted)).await?;
        // A service with many at once has a `Coordinator` for it.
        sagas.drive_to_end(&SagaId::new(id)?).await?;
    }
    while seen(tables).await? != RIGHT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What readers see of both services.
async fn seen([orders, stock]: [&Tables; 2]) -> Result<String> {
    let of_orders = "SELECT 'order ' || id || ' ' || status FROM orders ORDER BY id";
    let of_stock = "SELECT id || ' ' || free || ' free, ' || kept || ' kept' FROM stock ORDER BY id";
    let mut rows = orders.query(Statement::new(of_orders, Vec::new())).await?;
    rows.extend(stock.query(Statement::new(of_stock, Vec::new())).await?);
    Ok(rows.iter().flatten().filter_map(Value::as_text).collect::<Vec<_>>().join("\n"))
}
