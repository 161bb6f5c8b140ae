//! The rows of each table, as one statement over a range of row numbers.
//!
//! `g` is the row's number; `pick` and `token` are of `tools.sql`. Instants count on from fixed ones: a shop
//! does not know what day it is.

use super::size::RowCounts;

/// How one table is filled.
pub(super) struct Filling {
    /// The table, without its schema.
    pub(super) table: &'static str,
    /// How many row numbers there are.
    pub(super) steps: u64,
    sql: String,
}

impl Filling {
    /// The statement for the row numbers `from..=until`.
    pub(super) fn statement(&self, from: u64, until: u64) -> String {
        self.sql.replace("{numbers}", &format!("generate_series({from}::bigint, {until}::bigint)"))
    }
}

/// All tables, referenced ones first.
pub(super) fn fillings(counts: RowCounts) -> Vec<Filling> {
    let customers = counts.customers;
    let steps: &[(&'static str, u64, &str)] = &[
        ("category", 200, CATEGORY),
        ("supplier", counts.suppliers, SUPPLIER),
        ("supplier_contract", counts.suppliers * 2, SUPPLIER_CONTRACT),
        ("customer", customers, CUSTOMER),
        ("address", customers * 3 / 2, ADDRESS),
        ("product", counts.products, PRODUCT),
        ("department", 12, DEPARTMENT),
        ("employee", counts.employees, EMPLOYEE),
        ("purchase_order", customers * 4, PURCHASE_ORDER),
        ("order_line", customers * 4, ORDER_LINE),
        ("invoice", customers * 2, INVOICE),
        ("stock_movement", customers * 10, STOCK_MOVEMENT),
        ("price_history", customers * 4, PRICE_HISTORY),
        ("audit_log", customers * 2, AUDIT_LOG),
        ("session_event", customers * 6, SESSION_EVENT),
        ("promotion", 50, PROMOTION),
        ("document", counts.documents, DOCUMENT),
        ("warehouse", 500, WAREHOUSE),
        ("sequences", 1, SEQUENCES),
    ];
    steps
        .iter()
        .map(|(table, steps, sql)| Filling {
            table,
            steps: *steps,
            sql: sql
                .replace("{customers}", &customers.to_string())
                .replace("{products}", &counts.products.to_string())
                .replace("{suppliers}", &counts.suppliers.to_string())
                .replace("{employees}", &counts.employees.to_string()),
        })
        .collect()
}

const CATEGORY: &str = "INSERT INTO shop.category
    SELECT g, CASE WHEN g > 10 THEN (g - 1) / 10 END, 'Category ' || g,
        ARRAY['root', ((g - 1) / 10)::text, g::text]
    FROM {numbers} g";

const SUPPLIER: &str = "INSERT INTO shop.supplier
    SELECT g, 'Supplier ' || pg_temp.token(g, 1), (ARRAY['DE','ES','JP','US','FR'])[1 + pg_temp.pick(g, 2, 5)],
        pg_temp.pick(g, 3, 500) / 100.0,
        jsonb_build_object('mail', 'sales@' || pg_temp.token(g, 4), 'days', pg_temp.pick(g, 5, 60))
    FROM {numbers} g";

const SUPPLIER_CONTRACT: &str = "INSERT INTO shop.supplier_contract
    SELECT (g + 1) / 2, g % 2, daterange('2020-01-01'::date + (g % 900)::int, NULL),
        CASE WHEN g % 3 = 0 THEN repeat(pg_temp.token(g, 6), 20) END
    FROM {numbers} g";

const CUSTOMER: &str = "INSERT INTO shop.customer
    SELECT g, pg_temp.token(g, 10)::uuid, 'c' || g || '@' || substr(pg_temp.token(g, 11), 1, 12) || '.example',
        'Customer ' || pg_temp.token(g, 12),
        CASE WHEN g % 4 > 0 THEN ARRAY['+34 ' || pg_temp.pick(g, 13, 1000000000), NULL] END,
        jsonb_build_object('language', (ARRAY['es','de','ja'])[1 + g % 3], 'visits', pg_temp.pick(g, 14, 1000),
            'tags', jsonb_build_array(pg_temp.token(g, 15), NULL, 1.50),
            'interests', repeat(pg_temp.token(g, 17), 12)),
        CASE WHEN g % 5 > 0 THEN '1940-01-01'::date + pg_temp.pick(g, 16, 25000)::int END,
        g % 9 > 0, '2023-01-01 00:00+00'::timestamptz + g * interval '13 seconds 17 microseconds', NULL
    FROM {numbers} g";

const ADDRESS: &str = "INSERT INTO shop.address
    SELECT g, 1 + pg_temp.pick(g, 20, {customers}), pg_temp.pick(g, 21, 300) || ' Street ' || pg_temp.token(g, 22),
        'City ' || pg_temp.pick(g, 23, 4000), lpad(pg_temp.pick(g, 23, 99999)::text, 5, '0'),
        CASE WHEN g % 3 = 0 THEN point(pg_temp.pick(g, 24, 180000) / 1000.0, -7.25) END
    FROM {numbers} g";

const PRODUCT: &str = "INSERT INTO shop.product
    SELECT g, 1 + pg_temp.pick(g, 30, 200), 1 + pg_temp.pick(g, 31, {suppliers}),
        'SKU-' || lpad(g::text, 10, '0'), 'Product ' || pg_temp.token(g, 32),
        CASE WHEN g % 6 > 0 THEN (g % 100, pg_temp.pick(g, 33, 9999) / 100.0, NULL)::shop.dimensions END,
        1 + pg_temp.pick(g, 34, 100000) / 100.0,
        ARRAY['t' || pg_temp.pick(g, 35, 50), 't' || pg_temp.pick(g, 36, 50)],
        CASE WHEN g % 7 > 0 THEN jsonb_build_object('colour', pg_temp.pick(g, 37, 16), 'note', pg_temp.token(g, 38)) END,
        decode(pg_temp.token(g, 39), 'hex'), pg_temp.pick(g, 40, 10000), NULL
    FROM {numbers} g";

const DEPARTMENT: &str = "INSERT INTO shop.department SELECT g, g * 3, 'Department ' || g FROM {numbers} g";

const EMPLOYEE: &str = "INSERT INTO shop.employee
    SELECT g, 1 + pg_temp.pick(g, 45, 12), CASE WHEN g > 12 THEN 1 + pg_temp.pick(g, 46, 12) END,
        'Employee ' || pg_temp.token(g, 47), '2001-01-01'::date + pg_temp.pick(g, 48, 8000)::int,
        20000 + pg_temp.pick(g, 49, 8000000) / 100.0
    FROM {numbers} g";

const PURCHASE_ORDER: &str = "INSERT INTO shop.purchase_order
    SELECT g, 1 + pg_temp.pick(g, 50, {customers}), 1 + pg_temp.pick(g, 51, {customers}),
        (enum_range(NULL::shop.order_status))[1 + pg_temp.pick(g, 52, 5)],
        '2023-02-01 00:00+00'::timestamptz + g * interval '7 seconds 3 microseconds', NULL,
        pg_temp.pick(g, 53, 500000) / 100.0, CASE WHEN g % 8 > 0 THEN 'Note ' || repeat(pg_temp.token(g, 54), 1 + (g % 8)::int) END, NULL
    FROM {numbers} g";

const ORDER_LINE: &str = "INSERT INTO shop.order_line
    SELECT g, line, 1 + pg_temp.pick(g * 8 + line, 60, {products}), 1 + pg_temp.pick(g * 8 + line, 61, 9),
        pg_temp.pick(g * 8 + line, 62, 90000) / 100.0, pg_temp.pick(g * 8 + line, 63, 30) / 100.0::float8,
        CASE WHEN line > 1 THEN repeat(pg_temp.token(g, 65), 4) END
    FROM {numbers} g, generate_series(1, 1 + pg_temp.pick(g, 64, 5)) line";

const INVOICE: &str = "INSERT INTO shop.invoice (id, order_id, net, tax_rate, issued_on)
    SELECT g * 10, g * 2, pg_temp.pick(g, 70, 500000) / 100.0, (ARRAY[0.07, 0.19, 0.21])[1 + g % 3],
        '2023-02-01'::date + (g / 5000)::int
    FROM {numbers} g";

const STOCK_MOVEMENT: &str = "INSERT INTO shop.stock_movement
    SELECT g, 1 + pg_temp.pick(g, 80, {products}), pg_temp.pick(g, 81, 200) - 100,
        '2023-01-01'::timestamp + g * interval '3 seconds',
        CASE WHEN g % 4 = 0 THEN pg_temp.token(g / 40, 82)::uuid END,
        CASE WHEN g % 3 = 0 THEN 'sale' WHEN g % 31 > 0 THEN 'Count ' || repeat(pg_temp.token(g, 83), 5) END
    FROM {numbers} g";

const PRICE_HISTORY: &str = "INSERT INTO shop.price_history
    SELECT 1 + pg_temp.pick(g, 90, {products}), (ARRAY['EUR','USD','JPY','GBP'])[1 + pg_temp.pick(g, 91, 4)],
        '2022-10-01 00:00+00'::timestamptz + pg_temp.pick(g, 92, 75000000) * interval '1 second'
            + g * interval '1 microsecond',
        pg_temp.pick(g, 93, 100000) / 100.0, CASE WHEN g % 5 = 0 THEN pg_temp.token(g, 94) END
    FROM {numbers} g";

/// Three rows of a ticket, most of them equal in every column.
const AUDIT_LOG: &str = "INSERT INTO shop.audit_log
    SELECT '2024-01-01 00:00+00'::timestamptz + ticket * interval '1 second',
        CASE WHEN ticket % 10 > 0 THEN 'user ' || pg_temp.pick(ticket, 100, 100) END, 'action ' || ticket % 7,
        CASE WHEN ticket % 4 > 0 THEN jsonb_build_object('before', repeat(pg_temp.token(ticket, 101), 8), 'n', g % 5 / 4) END,
        CASE WHEN ticket % 6 = 0 THEN ARRAY[ticket::int, NULL, 3] END, ticket
    FROM {numbers} g, LATERAL (SELECT g / 3 AS ticket) t";

const SESSION_EVENT: &str = "INSERT INTO shop.session_event (customer_id, session, address, kind, took, at, agent)
    SELECT CASE WHEN g % 3 > 0 THEN 1 + pg_temp.pick(g, 110, {customers}) END, pg_temp.token(g / 10, 111)::uuid,
        '10.0.0.0'::inet + pg_temp.pick(g, 112, 16000000), (ARRAY['v','c','b'])[1 + g % 3]::\"char\",
        pg_temp.pick(g, 113, 90000) * interval '1 millisecond',
        '2024-01-01 00:00+00'::timestamptz + g * interval '41 milliseconds',
        'Browser ' || repeat(pg_temp.token(g, 114), 3 + (g % 7)::int)
    FROM {numbers} g ORDER BY g";

const PROMOTION: &str = "INSERT INTO shop.promotion
    SELECT g, 'Promotion ' || g, tstzrange('2023-01-01 00:00+00'::timestamptz + g * interval '10 days',
        '2023-01-01 00:00+00'::timestamptz + g * interval '10 days' + interval '9 days', '[)'), g % 40 + 0.5
    FROM {numbers} g";

/// The megabyte of noise, turned by the row's number: no two are equal, none can be compressed.
const DOCUMENT: &str = "INSERT INTO shop.document
    SELECT g, 'Document ' || pg_temp.token(g, 120), CASE WHEN g % 2 = 0 THEN repeat(pg_temp.token(g, 121) || ' ', 150) END,
        decode(pg_temp.token(g, 122), 'hex') || substr(block, 1 + pg_temp.pick(g, 123, 1000000)::int)
            || substr(block, 1, pg_temp.pick(g, 123, 1000000)::int),
        0, NULL
    FROM noise, {numbers} g";

const WAREHOUSE: &str = "INSERT INTO shop.\"Ware House; \"\"Nº\"\" 'ß' %s\"
    SELECT g, g, CASE WHEN g % 2 = 0 THEN 'Aisle ' || g END, g / 7.0, g % 3 = 0
    FROM {numbers} g";

/// Rows were given their numbers; the next ones come from the sequences.
const SEQUENCES: &str = "SELECT
        setval(pg_get_serial_sequence('shop.customer', 'id'), {customers}),
        setval(pg_get_serial_sequence('shop.invoice', 'id'), {customers} * 20),
        setval(pg_get_serial_sequence('shop.stock_movement', 'id'), {customers} * 10),
        setval('shop.purchase_order_id_seq', {customers} * 4)
    FROM {numbers} g";
