//! Draws what each transaction does, from a client's own seeded random numbers.

use std::collections::VecDeque;

use atalaya_postgres::Session;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::outcome::Ending;
use super::plan::{Plan, Value};
use super::statements::Phrase;
use crate::Error;

/// Prices of the client's own that it can move to other partitions later.
const PRICES_REMEMBERED: usize = 16;

/// The numbers that exist in the shop, each from 1 to this.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShopBounds {
    customers: i64,
    products: i64,
    orders: i64,
    documents: i64,
    tickets: i64,
    movements: i64,
    events: i64,
    places: i64,
    employees: i64,
}

impl ShopBounds {
    pub(super) async fn read(session: &Session) -> Result<Self, Error> {
        let row = session
            .query_one(
                "SELECT (SELECT max(id) FROM shop.customer), (SELECT max(id) FROM shop.product)::bigint,
                     (SELECT max(id) FROM shop.purchase_order), (SELECT max(id) FROM shop.document)::bigint,
                     (SELECT max(ticket) FROM shop.audit_log), (SELECT max(id) FROM shop.stock_movement),
                     (SELECT max(id) FROM shop.session_event),
                     (SELECT max(\"select\") FROM shop.\"Ware House; \"\"Nº\"\" 'ß' %s\")::bigint,
                     (SELECT max(id) FROM shop.employee)::bigint",
                &[],
            )
            .await?;
        let number = |index: usize| row.get::<_, Option<i64>>(index).unwrap_or(1).max(1);
        Ok(Self {
            customers: number(0),
            products: number(1),
            orders: number(2),
            documents: number(3),
            tickets: number(4),
            movements: number(5),
            events: number(6),
            places: number(7),
            employees: number(8),
        })
    }
}

/// One client's source of transactions.
pub(super) struct Deck {
    random: StdRng,
    accounts: i64,
    shop: Option<ShopBounds>,
    prices: VecDeque<(i64, i64)>,
}

impl Deck {
    /// The seed is the options', the run's and the client's: what a second run with equal options inserts must
    /// not collide with the first's.
    pub(super) fn new([seed, run, client]: [u64; 3], accounts: i64, shop: Option<ShopBounds>) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed ^ (run << 10 | client).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            accounts,
            shop,
            prices: VecDeque::new(),
        }
    }

    /// The next transaction, under this id.
    pub(super) fn draw(&mut self, id: i64) -> Plan {
        let mut plan = Plan::begin();
        let card = self.random.random_range(0..1000_u32);
        let kind = if self.shop.is_some() { kind_of(card) } else { "transfer" };
        self.transfer(&mut plan, id, kind);
        if let Some(shop) = self.shop {
            self.shopping(&mut plan, shop, id, card);
        }
        let ending = if self.random.random_range(0..100) < 2 { Ending::RollBack } else { Ending::Commit };
        plan.end(ending)
    }

    fn transfer(&mut self, plan: &mut Plan, id: i64, kind: &str) {
        let from = self.upto(self.accounts);
        let to = 1 + (from + self.random.random_range(0..self.accounts - 1)) % self.accounts;
        let amount = self.upto(50_000);
        plan.say(Phrase::Transfer, [id.into(), kind.into(), amount.into(), from.into(), to.into()]);
        // Always in the order of the accounts, so that clients do not deadlock.
        let mut bookings = [(from, -amount), (to, amount)];
        bookings.sort_unstable();
        for (account, difference) in bookings {
            plan.say(Phrase::Book, [account.into(), difference.into()]);
        }
    }

    fn shopping(&mut self, plan: &mut Plan, shop: ShopBounds, id: i64, card: u32) {
        let customer = self.upto(shop.customers);
        let product = self.upto(shop.products);
        let document = self.upto(shop.documents);
        let ticket = self.upto(shop.tickets);
        let number = self.upto(1_000_000);
        let text = format!("ledger {id}");
        match kind_of(card) {
            "order" => {
                let lines = self.upto(5);
                plan.say(
                    Phrase::Order,
                    [customer, id, self.upto(9_000), number, shop.products, lines].map(Value::from),
                );
            }
            "stock" => self.stock(plan, product, text),
            "document" => plan.say(Phrase::DocumentRead, [document.into()]),
            "document title" => plan.say(Phrase::DocumentTitle, [document.into(), text.into()]),
            "document content" => plan.say(Phrase::DocumentContent, [document.into()]),
            "audit" => {
                plan.say(Phrase::AuditInsert, [text.into(), number.into(), self.upto(3).into()]);
                plan.say(Phrase::AuditDelete, [ticket.into()]);
            }
            "audit one" => plan.say(Phrase::AuditDeleteOne, [ticket.into()]),
            "audit update" => plan.say(Phrase::AuditUpdate, [ticket.into(), text.into()]),
            "price" => self.price(plan, product),
            "price move" => self.price_move(plan),
            "preferences" => plan.say(Phrase::CustomerPreferences, [customer.into(), number.into()]),
            "phones" => plan.say(Phrase::CustomerPhones, [customer.into(), text.into()]),
            "status" => {
                let order = self.upto(shop.orders);
                plan.say(Phrase::OrderStatus, [order.into(), self.upto(5).into()]);
            }
            "order delete" => {
                // Even ones have invoices.
                let order = self.upto(shop.orders) | 1;
                plan.say(Phrase::OrderDelete, [order.into()]);
            }
            "events" => plan.say(Phrase::SessionEvents, [customer.into(), text.into(), 20.into()]),
            "place" => {
                let place = self.upto(shop.places);
                plan.say(Phrase::WarehouseKey, [place.into()]);
            }
            "employee" => {
                let employee = self.upto(shop.employees);
                plan.say(Phrase::EmployeeMove, [employee.into(), self.upto(12).into()]);
            }
            "savepoint" => {
                plan.say(Phrase::Savepoint, []);
                self.stock(plan, product, text.clone());
                plan.say(Phrase::RollBackToSavepoint, []);
                plan.say(Phrase::StockMovement, [product.into(), 1.into(), text.into()]);
            }
            "large" => {
                let movement = self.upto(shop.movements);
                let event = self.upto(shop.events);
                plan.say(Phrase::SessionEvents, [customer.into(), text.into(), 2_000.into()]);
                plan.say(Phrase::StockCheck, [movement.into(), (movement + 1_000).into()]);
                plan.say(Phrase::SessionDelete, [event.into(), (event + 500).into()]);
            }
            _ => (),
        }
    }

    fn stock(&mut self, plan: &mut Plan, product: i64, text: String) {
        let difference = self.upto(21) - 11;
        plan.say(Phrase::Stock, [product.into(), difference.into()]);
        plan.say(Phrase::StockMovement, [product.into(), difference.into(), text.into()]);
    }

    fn price(&mut self, plan: &mut Plan, product: i64) {
        let since_2023 = self.random.random_range(0..94_608_000_000_000_i64);
        let valid_from = 1_672_531_200_000_000 + since_2023;
        let currency = self.currency();
        let cents = self.upto(100_000);
        plan.say(Phrase::PriceInsert, [product.into(), currency.into(), valid_from.into(), cents.into()]);
        if self.prices.len() == PRICES_REMEMBERED {
            self.prices.pop_front();
        }
        self.prices.push_back((product, valid_from));
    }

    fn price_move(&mut self, plan: &mut Plan) {
        if let Some((product, valid_from)) = self.prices.pop_front() {
            let currency = self.currency();
            let years = self.random.random_range(0..2_i64);
            plan.say(Phrase::PriceMove, [product.into(), valid_from.into(), currency.into(), years.into()]);
        }
    }

    fn currency(&mut self) -> &'static str {
        match self.random.random_range(0..4) {
            0 => "EUR",
            1 => "USD",
            2 => "JPY",
            _ => "GBP",
        }
    }

    /// A number from 1 to `most`.
    fn upto(&mut self, most: i64) -> i64 {
        self.random.random_range(1..=most.max(1))
    }
}

/// What a transaction does beside its transfer, by a number from 0 to 999.
fn kind_of(card: u32) -> &'static str {
    match card {
        0..250 => "transfer",
        250..430 => "order",
        430..560 => "stock",
        560..640 => "document",
        640..650 => "document title",
        650 => "document content",
        651..700 => "audit",
        700..710 => "audit one",
        710..740 => "audit update",
        740..800 => "price",
        800..840 => "price move",
        840..880 => "preferences",
        880..900 => "phones",
        900..940 => "status",
        940..950 => "order delete",
        950..970 => "events",
        970..980 => "place",
        980..985 => "employee",
        985..999 => "savepoint",
        _ => "large",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const BOUNDS: ShopBounds = ShopBounds {
        customers: 100,
        products: 100,
        orders: 100,
        documents: 2,
        tickets: 100,
        movements: 100,
        events: 100,
        places: 100,
        employees: 100,
    };

    fn steps(seed: [u64; 3]) -> Vec<(Phrase, Vec<Value>)> {
        let mut deck = Deck::new(seed, 10, Some(BOUNDS));
        (0..100).flat_map(|id| deck.draw(id).steps).collect()
    }

    #[test]
    fn equal_seeds_draw_equal_transactions_and_runs_and_clients_draw_their_own() {
        assert_eq!(steps([1, 1, 0]), steps([1, 1, 0]));
        assert_ne!(steps([1, 1, 0]), steps([2, 1, 0]));
        assert_ne!(steps([1, 1, 0]), steps([1, 2, 0]));
        assert_ne!(steps([1, 1, 0]), steps([1, 1, 1]));
    }

    #[test]
    fn every_kind_that_is_drawn_but_a_bare_transfer_does_something_in_the_shop() {
        let mut kinds = BTreeSet::new();
        for card in 0..1000 {
            if kind_of(card) == "price move" || !kinds.insert(kind_of(card)) {
                continue;
            }
            let mut deck = Deck::new([1, 1, 1], 10, Some(BOUNDS));
            let mut plan = Plan::begin();
            deck.shopping(&mut plan, BOUNDS, 1, card);
            assert_eq!(plan.steps.len() > 1, kind_of(card) != "transfer", "{card}");
        }
        assert_eq!(kinds.len(), 19);
    }

    #[test]
    fn transfers_go_between_two_accounts() {
        let mut deck = Deck::new([1, 1, 1], 2, None);
        for id in 0..100 {
            let mut plan = Plan::begin();
            deck.transfer(&mut plan, id, "transfer");
            let booked: Vec<&Value> = plan
                .steps
                .iter()
                .filter(|(phrase, _)| *phrase == Phrase::Book)
                .filter_map(|(_, values)| values.first())
                .collect();
            assert_eq!(booked, [&Value::Number(1), &Value::Number(2)]);
        }
    }
}
