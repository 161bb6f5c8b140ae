//! Statements that give the target's table a column that the source's has gained.

use atalaya_data::{RelationName, quote_identifier, quote_literal};

use super::described::SourceColumn;

/// Rows that are there get what the source's rows from before the column have; the default for rows to come is the
/// source's own. On a partition it is the tree's root that takes the column, with all of its partitions.
pub(crate) fn add_columns(table: &RelationName, columns: &[SourceColumn]) -> Vec<String> {
    let table = table.to_sql();
    let mut statements = Vec::new();
    for column in columns {
        let name = quote_identifier(&column.defined.name);
        let mut sql = format!("ALTER TABLE {table} ADD COLUMN {name} {}", column.declared);
        if let Some(collation) = &column.collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(missing) = &column.missing {
            sql.push_str(&format!(" DEFAULT {}::{}", quote_literal(missing), column.declared));
            // Without such a value rows from before may hold NULL until the constraint came.
            if column.not_null {
                sql.push_str(" NOT NULL");
            }
        }
        statements.push(sql);
        match &column.default {
            Some(default) => {
                statements.push(format!("ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default}"));
            }
            None if column.missing.is_some() => {
                statements.push(format!("ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"));
            }
            None => {}
        }
    }
    statements
}
