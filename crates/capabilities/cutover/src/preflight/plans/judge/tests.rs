//! Plans as servers write them, cut down to what is read of them.

use serde_json::{Value, json};

use super::*;

const MEMORY: Memory = Memory { sort_bytes: 4_194_304.0, hash_bytes: 8_388_608.0 };
const TERMS: Terms = Terms { cost_factor: 5.0, here: MEMORY, there: MEMORY };

fn shape(plan: Value) -> Shape {
    Shape::read(&json!([{ "Plan": plan }]).to_string()).unwrap()
}

fn scan(kind: &str, table: &str, cost: f64) -> Value {
    json!({ "Node Type": kind, "Schema": "public", "Relation Name": table, "Total Cost": cost,
            "Plan Rows": 1, "Plan Width": 8, "Filter": "(o.secret = 'value'::text)" })
}

fn by_index(table: &str, cost: f64) -> Value {
    let mut plan = scan("Index Scan", table, cost);
    plan["Index Name"] = json!(format!("{table}_pkey"));
    plan
}

fn above(kind: &str, cost: f64, below: Vec<Value>) -> Value {
    json!({ "Node Type": kind, "Total Cost": cost, "Plan Rows": 100, "Plan Width": 8, "Plans": below })
}

fn table(name: &str) -> Table {
    Table { schema: "public".to_owned(), name: name.to_owned() }
}

fn judged(here: &Value, there: &Value, pages: u64) -> Vec<Worse> {
    let (here, there) = (shape(here.clone()), shape(there.clone()));
    let pages = suspects(&here, &there).into_iter().map(|table| (table, pages)).collect();
    worse(&here, &there, &pages, &TERMS)
}

#[test]
fn a_table_that_lost_its_index_is_named_where_it_is_large() {
    let (here, there) = (by_index("orders", 8.3), scan("Seq Scan", "orders", 900.0));
    assert_eq!(judged(&here, &there, 4000), [Worse::ReadsWhole(vec![table("orders")])]);
    assert_eq!(judged(&here, &there, 3), []);
    assert_eq!(judged(&here, &here, 4000), []);
    // The other way round it is better.
    assert_eq!(judged(&there, &here, 4000), []);
}

#[test]
fn reading_whole_is_not_worse_where_it_is_said_to_cost_less() {
    assert_eq!(judged(&by_index("orders", 5000.0), &scan("Seq Scan", "orders", 900.0), 4000), []);
}

#[test]
fn an_index_reached_through_a_bitmap_counts_as_one_and_other_tables_do_not() {
    let bitmap = |cost| {
        let mut plan = scan("Bitmap Heap Scan", "orders", cost);
        plan["Plans"] = json!([{ "Node Type": "Bitmap Index Scan", "Index Name": "orders_day", "Total Cost": 4.0 }]);
        plan
    };
    let here = above("Nested Loop", 300.0, vec![scan("Seq Scan", "days", 20.0), by_index("orders", 8.0)]);
    let there = above("Nested Loop", 320.0, vec![scan("Seq Scan", "days", 20.0), bitmap(9.0)]);
    assert_eq!(judged(&here, &there, 4000), []);
    let there = above("Hash Join", 400.0, vec![scan("Seq Scan", "days", 20.0), scan("Seq Scan", "orders", 300.0)]);
    assert_eq!(judged(&here, &there, 4000), [Worse::ReadsWhole(vec![table("orders")])]);
}

/// A table that is read twice is not taken for lost as long as it is read whole as often as before.
#[test]
fn each_reading_of_a_table_counts() {
    let both = |cost| above("Nested Loop", cost, vec![scan("Seq Scan", "t", 100.0), by_index("t", 8.0)]);
    assert_eq!(judged(&both(300.0), &both(400.0), 4000), []);
    let there = above("Hash Join", 400.0, vec![scan("Seq Scan", "t", 100.0), scan("Seq Scan", "t", 100.0)]);
    assert_eq!(judged(&both(300.0), &there, 4000), [Worse::ReadsWhole(vec![table("t")])]);
}

#[test]
fn costs_count_from_the_factor_on_and_not_where_they_are_small() {
    let costing = |cost| scan("Seq Scan", "t", cost);
    assert_eq!(judged(&costing(1000.0), &costing(5000.0), 0), [Worse::Costs { times: 5.0 }]);
    assert_eq!(judged(&costing(1000.0), &costing(4900.0), 0), []);
    assert_eq!(judged(&costing(1.0), &costing(900.0), 0), []);
    assert_eq!(judged(&costing(0.0), &costing(1e9), 0), [Worse::Costs { times: 1e6 }]);
}

#[test]
fn what_fits_no_more_is_told_and_below_a_limit_it_always_fits() {
    let sort = |rows: u64| json!({ "Node Type": "Sort", "Total Cost": 900.0, "Plan Rows": rows, "Plan Width": 100 });
    assert_eq!(judged(&sort(10_000), &sort(100_000), 0), [Worse::MaySpill]);
    assert_eq!(judged(&sort(100_000), &sort(100_000), 0), []);
    assert_eq!(judged(&sort(10_000), &above("Limit", 900.0, vec![sort(100_000)]), 0), []);
    let hashed = |rows: u64| json!({ "Node Type": "Aggregate", "Strategy": "Hashed", "Total Cost": 900.0, "Plan Rows": rows, "Plan Width": 100 });
    assert_eq!(judged(&sort(10_000), &hashed(60_000), 0), []);
    assert_eq!(judged(&sort(10_000), &hashed(100_000), 0), [Worse::MaySpill]);
}

#[test]
fn what_is_shown_names_nodes_tables_and_indexes_and_nothing_else() {
    let shown = shape(above("Nested Loop", 300.0, vec![scan("Seq Scan", "days", 20.0), by_index("orders", 8.0)]));
    assert_eq!(shown.to_string(), "Nested Loop, Seq Scan on public.days, Index Scan on public.orders by orders_pkey");
    let many = shape(above("Append", 300.0, vec![scan("Seq Scan", "days", 20.0); 5000])).to_string();
    assert!(many.ends_with(", ..."), "{many}");
    assert!(many.len() < 500, "{many}");
}

#[test]
fn catalogs_are_no_users_tables_and_other_forms_are_not_read() {
    let mut catalog = scan("Seq Scan", "pg_class", 20.0);
    catalog["Schema"] = json!("pg_catalog");
    assert!(!shape(catalog).touches_tables());
    assert!(shape(scan("Seq Scan", "t", 20.0)).touches_tables());
    for other in ["", "[]", "{}", "[{\"Plan\": {}}]", "[{\"Plan\": 1}]"] {
        assert_eq!(Shape::read(other), None, "{other}");
    }
}
