//! Loads the Chinook music store, a small database that everybody knows.

use atalaya_postgres::Session;

use crate::Error;

/// Runs Chinook's script in the session's database, in the schema `public`, which must not have its tables.
///
/// The script's own `DROP DATABASE`, `CREATE DATABASE` and `\c` are left out: the session has chosen where.
///
/// # Errors
/// The server's, or a lost connection.
pub async fn load(session: &Session, script: &str) -> Result<(), Error> {
    let statements = format!("SET search_path = public;\n{}", without_database_lines(script));
    let loaded = session.batch(&statements).await;
    session.batch("RESET search_path").await?;
    Ok(loaded?)
}

fn without_database_lines(script: &str) -> String {
    script
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| !["DROP DATABASE", "CREATE DATABASE", "\\c "].iter().any(|start| line.starts_with(start)))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_choose_a_database_are_left_out() {
        let script = "\u{feff}DROP DATABASE IF EXISTS chinook;\nCREATE DATABASE chinook;\n\\c chinook;\nSELECT 1;";
        assert_eq!(without_database_lines(script), "SELECT 1;");
    }
}
