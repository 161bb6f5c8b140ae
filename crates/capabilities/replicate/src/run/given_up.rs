//! New tables that cannot be added: what was made for them goes from both sides, and the move goes on without them.
//!
//! Never a table that is part of the move already.

use atalaya_data::quote_identifier;

use super::added::alter;
use super::connect::Connected;
use crate::control::Requests;
use crate::progress::{Migration, Store, TableRow};
use crate::report::{Event, Observer};
use crate::{Error, snapshot};

/// Gives new tables up where the standby that they should be read from is gone or cannot serve: following rests for as long
/// as they are waited for.
pub(super) async fn give_up_unread(
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    mut tables: Vec<TableRow>,
    error: Error,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let held = migration.snapshot.as_ref().map(|held| held.lsn);
    tables.retain(|table| !table.done || (held.is_some() && table.start_lsn == held));
    go_on_without(connected, store, migration, &tables, error, observer).await
}

/// Takes new tables back and says why.
pub(super) async fn go_on_without(
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    pending: &[TableRow],
    error: Error,
    observer: &dyn Observer,
) -> Result<(), Error> {
    // Tables that are part of the move already cannot be left as they are.
    if pending.iter().any(|table| table.added.is_none()) {
        return Err(error);
    }
    give_up(connected, store, migration, pending).await?;
    let mut text = atalaya_data::chain(&error);
    if let Some(hint) = error.hint() {
        text.push_str(&format!(" ({hint})"));
    }
    Requests::end_additions(&connected.target, store.name, &text).await?;
    observer.observe(&Event::Warning { text: format!("tables are not added: {text}") });
    Ok(())
}

/// Takes an addition back: what was made for it on both sides.
async fn give_up(
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    tables: &[TableRow],
) -> Result<(), Error> {
    for table in tables {
        let publication = match table.append_only {
            false => migration.publication.clone(),
            true => migration.append_publication(),
        };
        let sql =
            format!("ALTER PUBLICATION {} DROP TABLE ONLY {}", quote_identifier(&publication), table.source.to_sql());
        match alter(&connected.source, &sql).await {
            Ok(()) => {}
            // Not published, or gone.
            Err(error) if matches!(error.sqlstate(), Some("42704" | "42P01")) => {}
            Err(error) => return Err(error.into()),
        }
        let name = table.added.as_deref().unwrap_or_default();
        if store.has_step(&format!("added {name}: tables")).await? {
            let sql = format!("SET lock_timeout = '30s'; DROP TABLE IF EXISTS {}", table.target.to_sql());
            connected.target.batch(&sql).await?;
        }
    }
    if let Some(held) = &migration.snapshot {
        snapshot::release(&connected.source, held).await?;
    }
    store.forget_added(tables).await?;
    store.leave_snapshot().await?;
    migration.snapshot = None;
    Ok(())
}
