//! What a right file declares.

use atalaya_data::RelationName;
use atalaya_estate::{ConflictRules, Engine, StoredIn};

use crate::parse;

const DESIGN: &str = r#"
estate: shop
services:
  user-service:      { database: users,  patterns: [CQRS, Event Sourcing] }
  order-service:     { database: orders, patterns: [Saga Pattern] }
  analytics-service: { database: redshift, patterns: [Data Warehouse] }     # an engine name is enough to draw it
databases:
  users:        { engine: postgres, url: "${USERS_URL}" }
  orders:       { engine: postgres, url: "${ORDERS_URL}" }
  orders-green: { engine: postgres, url: "${ORDERS_GREEN_URL}" }
migrations:
  orders-to-18: { source: orders, target: orders-green, tables: ["public.*"], conflicts: source-wins }
"#;

#[test]
fn the_example_is_read_whole() {
    let estate = parse(DESIGN).unwrap();
    assert_eq!(estate.name, "shop");
    assert_eq!(estate.services["user-service"].patterns, ["CQRS", "Event Sourcing"]);
    assert_eq!(estate.services["order-service"].database, StoredIn::Database("orders".into()));
    assert_eq!(estate.services["analytics-service"].database, StoredIn::Engine(Engine::Redshift));
    let migration = estate.migration("orders-to-18").unwrap();
    assert_eq!((migration.source_url.host(), migration.target_url.host()), ("old.example", "new.example"));
    assert_eq!(migration.migration.conflicts, Some(rules(&["source-wins"])));
    assert!(migration.migration.tables.matches(&RelationName::new("public", "orders")));
    assert!(!migration.migration.tables.matches(&RelationName::new("sales", "orders")));
    assert!(estate.migration("other").is_none());
    assert!(estate.warnings().is_empty(), "a password in a variable is no reason to warn");
}

fn rules(texts: &[&str]) -> ConflictRules {
    ConflictRules::new(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn conflict_policies_may_differ_by_table() {
    let text = DESIGN.replace(
        "conflicts: source-wins",
        "conflicts: { \"*\": source-wins, \"public.orders\": \"latest-wins:updated_at\" }",
    );
    let expected = rules(&["*=source-wins", "public.orders=latest-wins:updated_at"]);
    assert_eq!(parse(&text).unwrap().migrations["orders-to-18"].conflicts, Some(expected));
    let text = DESIGN.replace("conflicts: source-wins", "workers: 2");
    assert_eq!(parse(&text).unwrap().migrations["orders-to-18"].conflicts, None);
}

#[test]
fn every_setting_of_a_migration_is_read() {
    let text = DESIGN.replace(
        "conflicts: source-wins",
        "exclude: [\"*.audit_*\"], append_only: [\"public.events\"], conflicts: stop, workers: 8, \
         snapshot_from: users, ddl_trigger: true",
    );
    let estate = parse(&text).unwrap();
    let migration = &estate.migrations["orders-to-18"];
    assert!(!migration.tables.matches(&RelationName::new("public", "audit_2024")));
    assert!(migration.is_append_only(&RelationName::new("public", "events")));
    assert_eq!(migration.workers.map(Into::into), Some(8_u16));
    assert!(migration.ddl_trigger && !parse(DESIGN).unwrap().migrations["orders-to-18"].ddl_trigger);
    let standby = estate.migration("orders-to-18").unwrap().snapshot_url;
    assert_eq!(standby, estate.databases["users"].url.as_ref());
}

#[test]
fn anchors_stand_for_what_they_name_and_left_out_tables_mean_all() {
    let text = "estate: a\ndatabases:\n  x: { engine: &e postgres, url: 'env:USERS_URL' }\n  \
                y: { engine: *e, url: '${ORDERS_URL}' }\nmigrations:\n  m: { source: x, target: y }\nservices:\n";
    let estate = parse(text).unwrap();
    assert_eq!(estate.databases["y"].engine, Engine::Postgres);
    assert!(estate.migrations["m"].tables.matches(&RelationName::new("any", "Thing")));
}

#[test]
fn a_password_in_the_file_works_with_a_warning_that_hides_it() {
    let text = "estate: a\ndatabases:\n  x: { engine: postgres, url: 'postgres://u:hunter2@h/d' }\n";
    let estate = parse(text).unwrap();
    let [warning] = estate.warnings() else { panic!("one warning") };
    assert_eq!((warning.code(), warning.line(), warning.column()), ("estate::password_in_file", 3, 31));
    assert!(!format!("{warning:?} {estate:?}").contains("hunter2"));
}
