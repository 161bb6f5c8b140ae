//! Which of the waiting appends can be made, and where their events stand. Pure: whoever calls holds the head's lock and
//! has read all that the answer depends on.

use std::collections::{HashMap, HashSet};

use super::super::chain::{Digest, Frontier, Link, Tile};
use crate::{Append, AppendId, Appended, Conflict, EventId, NewEvent, Position, StreamName};

/// Where the journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last event's position.
    pub(crate) position: Position,
    /// The chain up to it.
    pub(crate) chain: Digest,
    /// The tree of all leaves up to it.
    pub(crate) frontier: Frontier,
}

/// An append that was made before.
#[derive(Clone, Debug)]
pub(crate) struct StoredAppend {
    /// Its body's digest.
    pub(crate) body: Digest,
    /// What it was answered.
    pub(crate) answer: Appended,
}

/// What the database says, under the head's lock. Holds what the appends to be decided speak of, and may hold more.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) head: Head,
    /// The database's clock, in microseconds since 1970 UTC.
    pub(crate) now_us: i64,
    /// Versions of streams that have events.
    pub(crate) versions: HashMap<StreamName, u64>,
    /// Appends that were made under the same identities.
    pub(crate) appends: HashMap<AppendId, StoredAppend>,
    /// Which of the events' identities are taken.
    pub(crate) taken: HashSet<EventId>,
}

/// An event's row.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a StreamName,
    pub(crate) version: u64,
    pub(crate) append: AppendId,
    pub(crate) event: &'a NewEvent,
    pub(crate) data_digest: Digest,
    pub(crate) leaf: Digest,
    pub(crate) chain: Digest,
    pub(crate) recorded_at_us: i64,
}

/// What is to be written, and what each append is answered once that is committed.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// The head as it is to be stored.
    pub(crate) head: Head,
    /// Events, in the order of their positions.
    pub(crate) rows: Vec<Row<'a>>,
    /// Roots of subtrees that are complete now, for proofs that read little.
    pub(crate) tiles: Vec<Tile>,
    /// New appends with their bodies' digests.
    pub(crate) appends: Vec<(AppendId, StoredAppend)>,
    /// The versions of the streams that are written.
    pub(crate) versions: HashMap<&'a StreamName, u64>,
    /// For each append what it is answered.
    pub(crate) answers: Vec<Result<Appended, Conflict>>,
}

/// Decides the appends one after the other, each on top of those before it.
pub(crate) fn plan<'a>(known: Known, appends: &'a [Append]) -> Planned<'a> {
    let Known { head, now_us, mut versions, appends: mut made, mut taken } = known;
    let mut planned = Planned {
        head,
        rows: Vec::new(),
        tiles: Vec::new(),
        appends: Vec::new(),
        versions: HashMap::new(),
        answers: Vec::with_capacity(appends.len()),
    };
    for append in appends {
        let body = append.digest();
        let answer = match admit(append, &body, &versions, &made, &taken) {
            Ok(Some(repeated)) => Ok(repeated),
            Ok(None) => {
                let answer = place(append, now_us, &mut versions, &mut planned);
                taken.extend(append.events().map(|event| event.id));
                let stored = StoredAppend { body, answer: answer.clone() };
                made.insert(append.id, stored.clone());
                planned.appends.push((append.id, stored));
                Ok(answer)
            }
            Err(conflict) => Err(conflict),
        };
        planned.answers.push(answer);
    }
    planned
}

/// The first answer where the append is a repeat, none where it can be made.
fn admit(
    append: &Append,
    body: &Digest,
    versions: &HashMap<StreamName, u64>,
    made: &HashMap<AppendId, StoredAppend>,
    taken: &HashSet<EventId>,
) -> Result<Option<Appended>, Conflict> {
    if let Some(stored) = made.get(&append.id) {
        // Before any version is looked at: the first time has changed them.
        return if stored.body == *body {
            Ok(Some(Appended { repeated: true, ..stored.answer.clone() }))
        } else {
            Err(Conflict::OtherBody { append: append.id })
        };
    }
    if let Some(event) = append.events().find(|event| taken.contains(&event.id)) {
        return Err(Conflict::Overlap { event: event.id });
    }
    let written = append.streams.iter().map(|of| (&of.stream, of.expected));
    let guarded = append.guards.iter().map(|guard| (&guard.stream, guard.expected));
    for (stream, expected) in written.chain(guarded) {
        let actual = versions.get(stream).copied().unwrap_or(0);
        if !expected.admits(actual) {
            return Err(Conflict::Version { stream: stream.clone(), expected, actual });
        }
    }
    Ok(None)
}

fn place<'a>(
    append: &'a Append,
    now_us: i64,
    versions: &mut HashMap<StreamName, u64>,
    planned: &mut Planned<'a>,
) -> Appended {
    let first = planned.head.position.next();
    let mut answered = Vec::with_capacity(append.streams.len());
    for of in &append.streams {
        let mut version = versions.get(&of.stream).copied().unwrap_or(0);
        for event in &of.events {
            version += 1;
            let position = planned.head.position.next();
            let link = Link::of_new(event, &of.stream, append.id, (position, version), now_us);
            let leaf = link.leaf();
            let chain = Link::chained(&planned.head.chain, &leaf);
            planned.head.position = position;
            planned.head.chain = chain;
            planned.head.frontier.push_completing(leaf, |tile| planned.tiles.push(tile));
            planned.rows.push(Row {
                position,
                stream: &of.stream,
                version,
                append: append.id,
                event,
                data_digest: link.data_digest,
                leaf,
                chain,
                recorded_at_us: now_us,
            });
        }
        versions.insert(of.stream.clone(), version);
        planned.versions.insert(&of.stream, version);
        answered.push((of.stream.clone(), version));
    }
    Appended { first, last: planned.head.position, versions: answered, repeated: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventType, Expected};

    fn empty() -> Known {
        Known {
            head: Head { position: Position::START, chain: Digest::ZERO, frontier: Frontier::empty() },
            now_us: 1,
            versions: HashMap::new(),
            appends: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    fn append(stream: &str, expected: Expected) -> Append {
        let event = NewEvent::new(EventType::new("Happened").unwrap(), "{}");
        Append::to_stream(StreamName::new(stream).unwrap(), expected, vec![event])
    }

    #[test]
    fn appends_of_one_group_see_those_before_them() {
        let appends = [append("a-1", Expected::None), append("a-1", Expected::None), append("a-1", Expected::Exact(1))];
        let planned = plan(empty(), &appends);
        assert_eq!(planned.rows.len(), 2);
        assert!(matches!(planned.answers[1], Err(Conflict::Version { actual: 1, .. })));
        assert_eq!(planned.answers[2].as_ref().unwrap().last, Position::new(2));
        assert_eq!(planned.head.frontier.size(), 2);
    }

    #[test]
    fn a_repeat_in_the_same_group_gives_the_first_answer() {
        let one = append("a-1", Expected::None);
        let appends = [one.clone(), one];
        let planned = plan(empty(), &appends);
        assert_eq!(planned.rows.len(), 1);
        let again = planned.answers[1].as_ref().unwrap();
        assert!(again.repeated);
        assert_eq!((again.first, again.last), (Position::new(1), Position::new(1)));
    }

    #[test]
    fn another_body_and_a_partial_overlap_are_errors() {
        let one = append("a-1", Expected::Any);
        let mut other = append("a-2", Expected::Any);
        other.id = one.id;
        let mut overlapping = append("a-3", Expected::Any);
        overlapping.streams[0].events.push(one.streams[0].events[0].clone());
        let appends = [one, other, overlapping];
        let planned = plan(empty(), &appends);
        assert!(matches!(planned.answers[1], Err(Conflict::OtherBody { .. })));
        assert!(matches!(planned.answers[2], Err(Conflict::Overlap { .. })));
        assert_eq!(planned.rows.len(), 1);
    }

    #[test]
    fn a_guard_that_does_not_hold_keeps_all_of_it_out() {
        let guarded = append("a-1", Expected::None).guarded_by(StreamName::new("lease-1").unwrap(), Expected::Exact(3));
        let appends = [guarded];
        let planned = plan(empty(), &appends);
        assert!(planned.rows.is_empty());
        assert_eq!(planned.head, empty().head);
    }
}
