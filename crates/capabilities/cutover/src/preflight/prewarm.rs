//! Whether the cache of where clients are led can be filled, and by how much that would be.

use atalaya_data::size::bytes;

use super::check::Seen;
use crate::Error;
use crate::course::{Course, Means};
use crate::prewarm::{Missing, Outlook, outlook};

const ID: &str = "prewarm";

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let Some(asked) = &means.prewarm else { return Ok(()) };
    match tokio::time::timeout(asked.limit, outlook(course, means, asked.limit)).await {
        Err(_) => seen.warn(
            ID,
            format!("the cache of `{}` could not be looked through within {} s", course.from, asked.limit.as_secs()),
            "give it longer with --prewarm-timeout",
        ),
        Ok(Err(error @ Error::NoPlace { .. })) => return Err(error),
        Ok(Err(error)) => seen.fail(ID, atalaya_data::chain(&error), "let the role read it: GRANT pg_monitor, for one"),
        Ok(Ok(Err(missing))) => {
            for Missing { place, extension } in missing {
                let text = format!("`{place}` has no extension {extension}");
                seen.fail(ID, text, format!("as a superuser, in that database: CREATE EXTENSION {extension}"));
            }
        }
        Ok(Ok(Ok(outlook))) => tell(course, &outlook, seen),
    }
    Ok(())
}

fn tell(course: &Course, outlook: &Outlook, seen: &mut Seen) {
    let Outlook { relations, planned_bytes, cached_bytes, absent, is_cut } = outlook;
    let (from, to) = (&course.from, &course.to);
    let mut text = format!(
        "{} of {relations} relations would be read into the cache of `{to}`; `{from}` has {} in its own",
        bytes(*planned_bytes),
        bytes(*cached_bytes)
    );
    if *is_cut {
        text.push_str("; there is no room for more");
    }
    if *absent > 0 {
        text.push_str(&format!("; {absent} relations have none of their name there"));
    }
    seen.info(ID, text);
}
