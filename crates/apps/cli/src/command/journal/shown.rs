//! An event as people and programs are shown it.

use atalaya_eventstore::{Error, Event, Page, Position, Read, Selection, Store, StreamName};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::journal::when;

/// The most characters of an event's data on one line.
const LINE_CHARACTERS: usize = 160;

/// One line for people, cut where it is long.
pub(super) fn line(event: &Event) -> String {
    line_of(event, LINE_CHARACTERS)
}

/// The same in full.
pub(super) fn whole_line(event: &Event) -> String {
    line_of(event, usize::MAX)
}

fn line_of(event: &Event, characters: usize) -> String {
    let data = match &event.data {
        None => "(erased)".to_owned(),
        Some(data) => cut(&String::from_utf8_lossy(data), characters),
    };
    let (position, time) = (event.position.number(), when(event.recorded_at_us));
    format!("{position:>6}  {time}  {} {}  {}  {data}", event.stream, event.version, event.event_type)
}

/// A text of the journal on one line.
pub(super) fn plain(text: &str) -> String {
    cut(text, usize::MAX)
}

/// Control characters would be acted upon by a terminal.
fn cut(text: &str, characters: usize) -> String {
    let mut shown: String = text.chars().map(|each| if each.is_control() { '\u{b7}' } else { each }).collect();
    if let Some((end, _)) = shown.char_indices().nth(characters) {
        shown.truncate(end);
        shown.push('\u{2026}');
    }
    shown
}

/// One document for programs: everything that is stored.
pub(super) fn document(event: &Event) -> Value {
    json!({
        "version": 1, "position": event.position.number(), "stream": event.stream.as_str(),
        "stream_version": event.version, "id": event.id.to_string(), "append": event.append.to_string(),
        "type": event.event_type.as_str(), "schema": event.schema, "recorded_at_us": event.recorded_at_us,
        "erased": event.data.is_none(), "data": event.data.as_deref().map(payload), "metadata": payload(&event.metadata),
        "correlation": event.correlation.map(|id| id.to_string()),
        "causation": event.causation.map(|id| id.to_string()),
    })
}

/// JSON as it is, other text as text, other bytes in hexadecimal digits.
fn payload(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
        (Ok(value), _) => value,
        (Err(_), Ok(text)) => json!({ "text": text }),
        (Err(_), Err(_)) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

/// The event at a position, if there is one.
pub(super) async fn at(store: &Store, position: u64) -> Result<Option<Event>, Error> {
    let read = Read { selection: Selection::All, ..Read::all_after(Position::new(position.saturating_sub(1)), 1) };
    let page = store.read(read).await?;
    Ok(page.events.into_iter().find(|event| event.position.number() == position))
}

/// A page of a stream's events from a version on.
pub(super) async fn of_stream(store: &Store, stream: &StreamName, version: u64, limit: u32) -> Result<Page, Failure> {
    Ok(store.read(Read::stream_from(stream.clone(), version, limit)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_cannot_steer_a_terminal_and_stays_on_one_line() {
        assert_eq!(cut("a\u{1b}[2J\nb", 100), "a\u{b7}[2J\u{b7}b");
        assert_eq!(cut(&"ä".repeat(200), LINE_CHARACTERS).chars().count(), LINE_CHARACTERS + 1);
    }

    #[test]
    fn a_payload_of_any_bytes_can_be_shown() {
        assert_eq!(payload(br#"{"a":1}"#), json!({ "a": 1 }));
        assert_eq!(payload(b"plain"), json!({ "text": "plain" }));
        assert_eq!(payload(&[0xff, 0x00]), json!({ "hex": "ff00" }));
        assert_eq!(payload(b""), Value::Null);
    }
}
