//! A place for the example to run in, over and over again, and what it has left there.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use atalaya_eventstore::{Event, Options, Place, Position, Read, Statement, Store, Tables, Value};
use atalaya_nats::{JetStream, Outgoing};
use atalaya_sandbox::{NatsServer, fresh_database};

/// What does not come about in this time will not; never reached by a test that passes.
const LIMIT: Duration = Duration::from_secs(120);
const RIGHT: &str = "order 1 Confirmed\norder 2 Rejected\norder 3 Rejected\nbook 3 free, 2 kept\nlamp 4 free, 0 kept\n";

/// Databases, gateway and broker, which outlive the example's processes.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    urls: Vec<String>,
    broker: NatsServer,
    orders: Store,
    inventory: Store,
    stock: Tables,
}

impl Shop {
    pub(crate) async fn sqlite() -> Self {
        Self::open(Vec::new()).await
    }

    pub(crate) async fn postgres() -> Self {
        let fresh = || fresh_database(18).map(|(server, database)| server.url(&database)).unwrap();
        Self::open(vec![fresh(), fresh()]).await
    }

    async fn open(urls: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |number: usize, service: &str| match urls.get(number) {
            Some(url) => url.parse().unwrap(),
            None => Place::Folder(folder.path().join(service)),
        };
        let (orders, inventory) = (place(0, "orders"), place(1, "inventory"));
        Self {
            broker: NatsServer::start().unwrap(),
            orders: Store::open(&orders, Options::default()).await.unwrap(),
            inventory: Store::open(&inventory, Options::default()).await.unwrap(),
            stock: Tables::open(&inventory).await.unwrap(),
            folder,
            urls,
        }
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
        command.arg("--folder").arg(self.folder.path()).args(["--nats", &self.broker.url()]).args(options);
        if !self.urls.is_empty() {
            command.arg("--postgres").args(&self.urls);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, options: &[&str]) -> Output {
        self.command(options).output().unwrap()
    }

    /// Runs it until something is there, and kills it at once.
    pub(crate) async fn killed_once(&self, options: &[&str], there: impl AsyncFn() -> bool) {
        let mut running = Running(self.command(options).stdout(Stdio::null()).spawn().unwrap());
        let waiting = async {
            while !there().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.expect("it does not come to that");
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }

    /// The types of events of a stream, in their order.
    pub(crate) async fn history(&self, stream: &str) -> Vec<String> {
        self.events(stream).await.iter().map(|event| event.event_type.as_str().to_owned()).collect()
    }

    /// How often the payment of an order was asked for.
    pub(crate) async fn attempts_to_pay(&self, order: &str) -> usize {
        let began = |event: &&Event| {
            let data: serde_json::Value = serde_json::from_slice(event.data.as_deref().unwrap()).unwrap();
            event.event_type.as_str() == "SagaStepBegan" && data["step"] == "pay"
        };
        self.events(&format!("saga-{order}")).await.iter().filter(began).count()
    }

    async fn events(&self, stream: &str) -> Vec<Event> {
        let of = if stream.starts_with("stock") { &self.inventory } else { &self.orders };
        let page = of.read(Read::all_after(Position::START, 1000)).await.unwrap();
        page.events.into_iter().filter(|event| event.stream.as_str() == stream).collect()
    }

    /// What the gateway has in its books.
    pub(crate) fn payments(&self) -> Vec<String> {
        let books: &Path = &self.folder.path().join("payments");
        let entries = std::fs::read_dir(books).into_iter().flatten();
        let mut payments: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        payments.sort();
        payments
    }

    /// Has every message of both services relayed once more, so that the broker does not know them again; how many.
    pub(crate) async fn relay_all_again(&self) -> usize {
        let mut relayed = 0;
        for name in ["orders", "inventory"] {
            let options = atalaya_nats::Options::new(self.broker.url(), name.to_uppercase(), name);
            let stream = JetStream::new(options);
            for message in stream.read(1, 100).await.unwrap() {
                let again = format!("{} again", message.id().unwrap());
                let header = |name| message.header(name).unwrap();
                let headers = [("id", header("id")), ("type", header("type"))];
                let payload = message.payload.clone();
                let kind = header("aggregatetype");
                stream.publish(Outgoing { id: &again, kind, headers: &headers, payload }).await.unwrap();
                relayed += 1;
            }
        }
        relayed
    }

    /// Every order ended right, nothing was paid or kept twice, and nothing happened that need not have.
    pub(crate) async fn assert_right(&self, run: &Output) {
        let (told, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(told, RIGHT, "{error}");
        assert!(run.status.success() && error.is_empty(), "{error}");
        assert_eq!(self.payments(), ["1-pay paid", "2-pay refused"]);
        assert_eq!(self.history("order-1").await, ["Placed", "Confirmed"]);
        for order in ["order-2", "order-3"] {
            assert_eq!(self.history(order).await, ["Placed", "Rejected"]);
        }
        assert_eq!(self.history("stock-book").await, ["Delivered", "Reserved", "Reserved", "Released"]);
        assert_eq!(self.history("stock-lamp").await, ["Delivered", "OutOfStock"]);
        let stock = Statement::new("SELECT id, free, kept FROM stock ORDER BY id", Vec::new());
        let row = |id: &str, free, kept| vec![Value::from(id), Value::Integer(free), Value::Integer(kept)];
        assert_eq!(self.stock.query(stock).await.unwrap(), [row("book", 3, 2), row("lamp", 4, 0)]);
    }
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}
