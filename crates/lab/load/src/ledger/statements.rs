//! The workload's statements, prepared once for each connection.

use atalaya_postgres::{Session, Statement};

/// A statement of the workload; the number of parameters stands beside its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    Begin,
    Commit,
    RollBack,
    Savepoint,
    RollBackToSavepoint,
    /// Id, kind, amount, from account, to account.
    Transfer,
    /// Account, difference.
    Book,
    /// Customer, transfer, price in cents, number for products, products, lines.
    Order,
    /// Order, status number.
    OrderStatus,
    /// Order.
    OrderDelete,
    /// Product, difference.
    Stock,
    /// Product, difference, text.
    StockMovement,
    /// First and last movement.
    StockCheck,
    /// Document.
    DocumentRead,
    /// Document, text.
    DocumentTitle,
    /// Document.
    DocumentContent,
    /// Action, number, rows.
    AuditInsert,
    /// Ticket.
    AuditDelete,
    /// Ticket.
    AuditDeleteOne,
    /// Ticket, action.
    AuditUpdate,
    /// Product, currency, microseconds since 1970, price in cents.
    PriceInsert,
    /// Product, microseconds since 1970, new currency, years later.
    PriceMove,
    /// Customer, number.
    CustomerPreferences,
    /// Customer, phone.
    CustomerPhones,
    /// Customer, text for the session's UUID, rows.
    SessionEvents,
    /// First and last event.
    SessionDelete,
    /// Number of the place.
    WarehouseKey,
    /// Employee, department.
    EmployeeMove,
}

use Phrase as P;

const LEDGER: &[(Phrase, &str)] = &[
    (P::Begin, "BEGIN"),
    (P::Commit, "COMMIT"),
    (P::RollBack, "ROLLBACK"),
    (P::Savepoint, "SAVEPOINT attempt"),
    (P::RollBackToSavepoint, "ROLLBACK TO SAVEPOINT attempt"),
    (
        P::Transfer,
        "WITH made AS (INSERT INTO ledger.transfer (id, kind, amount, at)
             VALUES ($1::bigint, $2::text, $3::bigint, clock_timestamp()) RETURNING id, amount)
         INSERT INTO ledger.entry (transfer_id, side, account_id, amount)
         SELECT id, side, CASE side WHEN 0 THEN $4::bigint ELSE $5::bigint END,
             CASE side WHEN 0 THEN -amount ELSE amount END FROM made, generate_series(0, 1) side",
    ),
    (
        P::Book,
        "UPDATE ledger.account SET balance = balance + $2::bigint, changed_at = clock_timestamp()
         WHERE id = $1::bigint::int",
    ),
];

const SHOP: &[(Phrase, &str)] = &[
    (
        P::Order,
        "WITH made AS (INSERT INTO shop.purchase_order
                 (customer_id, address_id, placed_at, transfer_id, total, note)
             VALUES ($1::bigint, $1, clock_timestamp(), $2::bigint, $3::bigint * $6::bigint / 100.0, 'by the ledger')
             RETURNING id)
         INSERT INTO shop.order_line (order_id, line, product_id, quantity, unit_price)
         SELECT id, line, 1 + mod($4::bigint * line, $5::bigint), 1, $3 / 100.0
         FROM made, generate_series(1, $6) line",
    ),
    (
        P::OrderStatus,
        "UPDATE shop.purchase_order SET status = (enum_range(NULL::shop.order_status))[$2::bigint::int]
         WHERE id = $1::bigint",
    ),
    (P::OrderDelete, "DELETE FROM shop.purchase_order WHERE id = $1::bigint"),
    (P::Stock, "UPDATE shop.product SET stock = stock + $2::bigint WHERE id = $1::bigint::int"),
    (
        P::StockMovement,
        "INSERT INTO shop.stock_movement (product_id, delta, at, batch, reason)
         VALUES ($1::bigint, $2::bigint, clock_timestamp(), md5($3::text)::uuid, $3)",
    ),
    (P::StockCheck, "UPDATE shop.stock_movement SET checked = true WHERE id BETWEEN $1::bigint AND $2::bigint"),
    (P::DocumentRead, "UPDATE shop.document SET reads = reads + 1 WHERE id = $1::bigint::int"),
    (P::DocumentTitle, "UPDATE shop.document SET title = $2::text WHERE id = $1::bigint::int"),
    (
        P::DocumentContent,
        "UPDATE shop.document SET content = substr(content, 17) || substr(content, 1, 16)
         WHERE id = $1::bigint::int",
    ),
    // Several rows of one statement are equal in every column: a table without a key may hold such.
    (
        P::AuditInsert,
        "INSERT INTO shop.audit_log (at, actor, action, details, numbers, ticket)
         SELECT now(), 'ledger', $1::text, jsonb_build_object('n', $2::bigint), ARRAY[$2::bigint::int, NULL], ticket
         FROM (SELECT nextval('shop.ticket_number') AS ticket OFFSET 0) made, generate_series(1, $3::bigint)",
    ),
    (P::AuditDelete, "DELETE FROM shop.audit_log WHERE ticket = $1::bigint"),
    (
        P::AuditDeleteOne,
        "DELETE FROM shop.audit_log
         WHERE ctid = (SELECT ctid FROM shop.audit_log WHERE ticket = $1::bigint LIMIT 1)",
    ),
    (P::AuditUpdate, "UPDATE shop.audit_log SET action = $2::text WHERE ticket = $1::bigint"),
    (
        P::PriceInsert,
        "INSERT INTO shop.price_history (product_id, currency, valid_from, price, source)
         VALUES ($1::bigint, $2::text, '1970-01-01 00:00+00'::timestamptz + $3::bigint * interval '1 microsecond',
             $4::bigint / 100.0, 'ledger')",
    ),
    (
        P::PriceMove,
        "UPDATE shop.price_history
         SET currency = $3::text, valid_from = valid_from + $4::bigint * interval '1 year'
         WHERE product_id = $1::bigint::int
           AND valid_from = '1970-01-01 00:00+00'::timestamptz + $2::bigint * interval '1 microsecond'",
    ),
    (
        P::CustomerPreferences,
        "UPDATE shop.customer SET preferences = preferences || jsonb_build_object('visits', $2::bigint)
         WHERE id = $1::bigint",
    ),
    (P::CustomerPhones, "UPDATE shop.customer SET phones = ARRAY[$2::text, NULL, ''] WHERE id = $1::bigint"),
    (
        P::SessionEvents,
        "INSERT INTO shop.session_event (customer_id, session, kind, took, at)
         SELECT $1::bigint, md5($2::text)::uuid, 'l', n * interval '1 millisecond', clock_timestamp()
         FROM generate_series(1, $3::bigint) n",
    ),
    (P::SessionDelete, "DELETE FROM shop.session_event WHERE id BETWEEN $1::bigint AND $2::bigint"),
    (
        P::WarehouseKey,
        "UPDATE shop.\"Ware House; \"\"Nº\"\" 'ß' %s\" SET \"Id\" = 1000000 + nextval('shop.ticket_number')
         WHERE \"select\" = $1::bigint::int",
    ),
    (P::EmployeeMove, "UPDATE shop.employee SET department_id = $2::bigint WHERE id = $1::bigint::int"),
];

/// All statements of one connection.
pub(super) struct Prepared {
    statements: Vec<(Phrase, Statement)>,
}

impl Prepared {
    pub(super) async fn on(session: &Session, with_shop: bool) -> Result<Self, atalaya_postgres::Error> {
        let shop = if with_shop { SHOP } else { &[] };
        let mut statements = Vec::with_capacity(LEDGER.len() + SHOP.len());
        for (phrase, sql) in LEDGER.iter().chain(shop) {
            statements.push((*phrase, session.prepare(sql).await?));
        }
        Ok(Self { statements })
    }

    /// `None` only for a statement of the shop on a connection without it.
    pub(super) fn get(&self, phrase: Phrase) -> Option<&Statement> {
        self.statements.iter().find_map(|(known, statement)| (*known == phrase).then_some(statement))
    }
}
