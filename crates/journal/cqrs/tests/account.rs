//! An account whose balance is what its events come to, and tables of balances.

use atalaya_cqrs::projection::{Names, OnPoison, Poison, Projection, Table};
use atalaya_cqrs::{Aggregate, Aggregates};
use atalaya_eventstore::{Dialect, Event, Position, Selection, Statement, Store, Value};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) movements: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Moved {
    In(i64),
    Out(i64),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough")]
pub(crate) struct NotEnough;

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    const MARK: &'static str = "account 1";
    type Event = Moved;

    fn event_type(event: &Moved) -> &'static str {
        match event {
            Moved::In(_) => "PaidIn",
            Moved::Out(_) => "PaidOut",
        }
    }

    fn apply(&mut self, event: &Moved) {
        self.balance += match event {
            Moved::In(amount) => *amount,
            Moved::Out(amount) => -amount,
        };
        self.movements += 1;
    }
}

pub(crate) async fn pay_in(store: &Store, account: &str, amount: i64) -> Position {
    let accounts = Aggregates::<Account>::new(store.clone());
    let executed = accounts.execute(account, |_| Ok::<_, NotEnough>(vec![Moved::In(amount)])).await.unwrap();
    executed.appended.unwrap().last
}

/// Balances by account; amounts of 13 cannot be projected, unless they are known to be fine.
#[derive(Clone)]
pub(crate) struct Balances {
    pub(crate) version: u32,
    pub(crate) on_poison: OnPoison,
    pub(crate) thirteen_is_fine: bool,
}

impl Balances {
    pub(crate) fn version(version: u32) -> Self {
        Self { version, on_poison: OnPoison::Stop, thirteen_is_fine: true }
    }
}

impl Projection for Balances {
    fn name(&self) -> &str {
        "balances"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn selection(&self) -> Selection {
        Selection::Category("account".to_owned())
    }

    fn tables(&self, _: Dialect) -> Vec<Table> {
        let columns = "account text PRIMARY KEY, balance bigint NOT NULL CHECK (balance < 1000000), movements bigint NOT NULL, trail text NOT NULL";
        vec![Table { name: "balance", columns: columns.to_owned() }]
    }

    fn project(&self, event: &Event, names: &Names) -> Result<Vec<Statement>, Poison> {
        let amount = match Account::read(event)? {
            Moved::In(amount) => amount,
            Moved::Out(amount) => -amount,
        };
        if amount == 13 && !self.thirteen_is_fine {
            return Err(Poison("13 brings bad luck".to_owned()));
        }
        assert_ne!(amount, 666, "as it is meant to");
        let table = names.of("balance");
        let sql = format!(
            "INSERT INTO {table} (account, balance, movements, trail) VALUES ($1, $2, 1, $3)
             ON CONFLICT (account) DO UPDATE SET balance = {table}.balance + excluded.balance,
                movements = {table}.movements + 1, trail = {table}.trail || excluded.trail"
        );
        let values =
            vec![Value::from(event.stream.as_str()), Value::Integer(amount), Value::from(format!("{amount};"))];
        Ok(vec![Statement::new(sql, values)])
    }

    fn effects(&self, event: &Event) -> Result<Vec<Statement>, Poison> {
        let position = i64::try_from(event.position.number()).unwrap();
        Ok(vec![Statement::new("INSERT INTO letters (position) VALUES ($1)", vec![Value::Integer(position)])])
    }

    fn on_poison(&self) -> OnPoison {
        self.on_poison
    }
}

/// Where side effects go: a letter twice would be two rows.
pub(crate) fn letters() -> Statement {
    Statement::new("CREATE TABLE IF NOT EXISTS letters (position bigint NOT NULL)", Vec::new())
}
