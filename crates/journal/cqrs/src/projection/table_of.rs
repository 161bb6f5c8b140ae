//! The usual projection, with less to write: a table with one row for each aggregate of a kind, and what others are told.

use std::marker::PhantomData;

use atalaya_eventstore::{Dialect, Event, Selection, Statement, Value};
use serde::Serialize;

use super::{Names, Poison, Projection, Table};
use crate::Aggregate;
use crate::outbox::Message;

/// An aggregate with a table in which each of its kind has one row.
///
/// [`RowPerAggregate`] is the [`Projection`] of it; it stops at an event that cannot be projected. One with several rows or
/// tables, of several kinds of aggregates, or that sets such events aside implements [`Projection`] itself.
///
/// ```
/// use atalaya_cqrs::Aggregate;
/// use atalaya_cqrs::projection::{Made, TableOf};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Stock { pieces: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// enum Moved { In { pieces: i64 }, Out { pieces: i64, order: String } }
///
/// # impl Aggregate for Stock {
/// #     const CATEGORY: &'static str = "stock";
/// #     type Event = Moved;
/// #     fn apply(&mut self, _: &Moved) {}
/// # }
/// impl TableOf for Stock {
///     const NAME: &'static str = "stock";
///     const COLUMNS: &'static str = "pieces bigint NOT NULL, last_order text";
///
///     fn make(_article: &str, event: Moved) -> Made {
///         match event {
///             Moved::In { pieces } => Made::nothing().add("pieces", pieces),
///             Moved::Out { pieces, order } => {
///                 Made::nothing().add("pieces", -pieces).set("last_order", order.as_str()).tell(&order)
///             }
///         }
///     }
/// }
/// ```
pub trait TableOf: Aggregate + 'static {
    /// The table's name, for readers, and the projection's.
    const NAME: &'static str;
    /// Which version of it; raised whenever events make other rows.
    const VERSION: u32 = 1;
    /// The table's columns and constraints, as within the parentheses of CREATE TABLE and the same for both databases.
    /// Before them stands `id`, the aggregate's identity, which is the key. What the first event leaves out needs a default.
    const COLUMNS: &'static str;

    /// What an event makes of the row of the aggregate that has this identity, and what others are told of it.
    fn make(id: &str, event: Self::Event) -> Made;
}

/// What is made of one event.
#[derive(Debug, Default)]
pub struct Made {
    columns: Vec<(&'static str, Change)>,
    told: Option<Result<String, Poison>>,
}

#[derive(Debug)]
enum Change {
    Set(Value),
    Add(i64),
}

impl Made {
    /// Nothing: the row stays as it is, and nobody is told.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The same, and a column holds this value now.
    #[must_use]
    pub fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.push((column, Change::Set(value.into())));
        self
    }

    /// The same, and a column holds so much more, or less, than before; before the first event it held 0.
    #[must_use]
    pub fn add(mut self, column: &'static str, number: i64) -> Self {
        self.columns.push((column, Change::Add(number)));
        self
    }

    /// The same, and others are told this, as JSON: a [`Message`] about the aggregate, of the event's type, is written to the
    /// [outbox](crate::outbox), which has to be there.
    #[must_use]
    pub fn tell(mut self, message: &impl Serialize) -> Self {
        // Without serde's words, which may quote a value.
        let told = serde_json::to_string(message).map_err(|_| Poison("the message is no JSON".to_owned()));
        self.told = Some(told);
        self
    }

    fn statement(self, table: &str, id: &str) -> Option<Statement> {
        if self.columns.is_empty() {
            return None;
        }
        let (mut names, mut places) = (vec!["id".to_owned()], vec!["$1".to_owned()]);
        let (mut updates, mut values) = (Vec::new(), vec![Value::from(id)]);
        for (number, (column, change)) in self.columns.into_iter().enumerate() {
            let column = atalaya_data::quote_identifier(column);
            let (update, value) = match change {
                Change::Set(value) => (format!("{column} = excluded.{column}"), value),
                Change::Add(more) => (format!("{column} = {table}.{column} + excluded.{column}"), Value::Integer(more)),
            };
            places.push(format!("${}", number + 2));
            names.push(column);
            updates.push(update);
            values.push(value);
        }
        let (names, places, updates) = (names.join(", "), places.join(", "), updates.join(", "));
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {updates}");
        Some(Statement::new(sql, values).touching(1))
    }
}

/// The projection of a [`TableOf`].
pub struct RowPerAggregate<A>(PhantomData<fn() -> A>);

impl<A> RowPerAggregate<A> {
    /// It.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A> Default for RowPerAggregate<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: TableOf> Projection for RowPerAggregate<A> {
    fn name(&self) -> &str {
        A::NAME
    }

    fn version(&self) -> u32 {
        A::VERSION
    }

    fn selection(&self) -> Selection {
        Selection::Category(A::CATEGORY.to_owned())
    }

    fn tables(&self, _: Dialect) -> Vec<Table> {
        vec![Table { name: A::NAME, columns: format!("id text NOT NULL PRIMARY KEY, {}", A::COLUMNS) }]
    }

    fn project(&self, event: &Event, names: &Names) -> Result<Vec<Statement>, Poison> {
        let made = A::make(event.stream.id(), A::read(event)?);
        Ok(made.statement(&names.of(A::NAME), event.stream.id()).into_iter().collect())
    }

    fn effects(&self, event: &Event) -> Result<Vec<Statement>, Poison> {
        let made = A::make(event.stream.id(), A::read(event)?);
        made.told.map(|told| Message::of(event, told?).insert()).into_iter().collect()
    }
}
