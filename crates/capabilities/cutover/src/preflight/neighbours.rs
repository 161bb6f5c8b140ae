//! Databases of the same server that stay behind.

use atalaya_postgres::Session;

use super::check::Seen;
use crate::course::{Course, Means};
use crate::fence::FenceError;

const ID: &str = "other-databases";
/// The most that one finding names.
const NAMES: usize = 20;

/// Whoever leads one database may mean just that; whoever leads several may have forgotten one.
pub(super) async fn look(session: &Session, course: &Course, means: &Means, seen: &mut Seen) -> Result<(), FenceError> {
    let Ok(own) = means.url(course, &course.from) else { return Ok(()) };
    let places = means.ends.iter().flat_map(|ends| ends.places.iter().map(|(_, url)| url));
    let led: Vec<&str> =
        places.filter(|url| (url.host(), url.port()) == (own.host(), own.port())).map(|url| url.database()).collect();
    let sql = "SELECT datname::text FROM pg_catalog.pg_database
                WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres'
                  AND datname <> pg_catalog.current_database() AND datname::text <> ALL ($1) ORDER BY 1";
    let rows = session.query(sql, &[&led]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = rows.iter().take(NAMES).map(|row| row.get(0)).collect();
    let more = if rows.len() > NAMES { ", ..." } else { "" };
    let text = format!(
        "{} databases of `{}` are not led by this command: {}{more}",
        rows.len(),
        course.from,
        names.join(", ")
    );
    match means.are_for_several() {
        true => seen.warn(
            ID,
            text,
            "name the migrations of those that belong together, too: one decision leads all or none",
        ),
        false => seen.info(ID, text),
    }
    Ok(())
}
