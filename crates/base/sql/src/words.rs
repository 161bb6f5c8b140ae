//! Every word that means something here, in one table that is made when the crate is compiled.
//!
//! The lists in `words/` are generated from real servers (`cargo test -p xtask -- --ignored`), and a test compares them.
//! Nothing is looked up by anything but the word itself: a beginning never decides.

macro_rules! words {
    ($($word:ident = $($text:literal)+,)+) => {
        /// A word with a rule of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Word {
            /// Any other.
            Other,
            /// `BY` after `GROUP`.
            GroupBy,
            $(#[doc = concat!($("`", $text, "` ",)+)] $word,)+
        }

        const WORDS: &[(&str, Word)] = &[$($(($text, Word::$word),)+)+];
    };
}

words! {
    Abort = "abort", All = "all", Alter = "alter", Analyze = "analyze" "analyse", As = "as", Atomic = "atomic",
    Authorization = "authorization", Begin = "begin", Bit = "bit", By = "by", Call = "call", Case = "case", Char = "char" "character" "nchar",
    Characteristics = "characteristics", Checkpoint = "checkpoint", Close = "close", Cluster = "cluster", Comment = "comment",
    Commit = "commit", Conflict = "conflict", Constraints = "constraints", Copy = "copy", Create = "create", Cross = "cross",
    Cube = "cube", Database = "database", Deallocate = "deallocate", Declare = "declare", Default = "default",
    Delete = "delete", Discard = "discard", Distinct = "distinct", Do = "do", Domain = "domain", Drop = "drop", End = "end",
    Execute = "execute", Exists = "exists", Explain = "explain", Fetch = "fetch", Filter = "filter", Foreign = "foreign",
    From = "from", Full = "full", Global = "global", Grant = "grant", Group = "group", Grouping = "grouping", Hold = "hold", Ilike = "ilike", Import = "import",
    Index = "index", Inner = "inner", Insert = "insert", Into = "into", Isolation = "isolation", Join = "join", Key = "key",
    Large = "large", Left = "left", Listen = "listen", Load = "load", Local = "local", Lock = "lock",
    Materialized = "materialized", Merge = "merge", Move = "move", Names = "names", Natural = "natural", Notify = "notify",
    On = "on", Operator = "operator", Option = "option", Or = "or", Order = "order", Outer = "outer", Over = "over",
    Partition = "partition", Plans = "plans", Policy = "policy", Prepare = "prepare", Primary = "primary",
    Publication = "publication", Reassign = "reassign", Recursive = "recursive", References = "references",
    Refresh = "refresh", Reindex = "reindex", Release = "release", Replace = "replace", Reset = "reset", Revoke = "revoke",
    Right = "right", Role = "role", Rollback = "rollback", Rollup = "rollup", Rule = "rule", Savepoint = "savepoint",
    Schema = "schema", Security = "security", Select = "select", Sequence = "sequence", Sequences = "sequences",
    Session = "session", Set = "set", Sets = "sets", Show = "show", Start = "start", Statistics = "statistics", System = "system",
    Stdin = "stdin", Stdout = "stdout", Table = "table", Tablespace = "tablespace", Temp = "temp" "temporary", Then = "then", Time = "time", To = "to",
    Transaction = "transaction", Trigger = "trigger", Truncate = "truncate", Type = "type", Uescape = "uescape",
    Unique = "unique", Unlisten = "unlisten", Unlogged = "unlogged", Update = "update", User = "user", Vacuum = "vacuum",
    Values = "values", Varying = "varying", Verbose = "verbose", View = "view", With = "with", Xml = "xml", Zone = "zone",

    PgCatalog = "pg_catalog", PgSettings = "pg_settings",

    SetConfig = "set_config",
    SequenceState = "lastval" "currval",
    AdvisoryLock = "pg_advisory_lock" "pg_advisory_lock_shared" "pg_try_advisory_lock" "pg_try_advisory_lock_shared"
        "pg_advisory_unlock" "pg_advisory_unlock_shared" "pg_advisory_unlock_all",
    Unseen = "setseed" "pg_start_backup" "pg_stop_backup" "pg_backup_start" "pg_backup_stop"
        "pg_replication_origin_session_setup" "pg_replication_origin_session_reset"
        "pg_create_physical_replication_slot" "pg_create_logical_replication_slot" "pg_copy_physical_replication_slot"
        "pg_copy_logical_replication_slot" "dblink_connect" "dblink_connect_u" "dblink_disconnect",
}

/// No version takes the word for a function's name: a parenthesis behind it is syntax.
const RESERVED: u8 = 1;
/// Some version has the word as a keyword.
const KEYWORD: u8 = 2;
/// A built-in function of every version, which leaves the session alone.
const HARMLESS: u8 = 4;

/// What is known of a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    /// Its own rule.
    pub(crate) word: Word,
    traits: u8,
}

impl Meaning {
    /// Nothing is known of it.
    pub(crate) const NONE: Self = Self { word: Word::Other, traits: 0 };

    /// Whether a parenthesis behind it is syntax.
    pub(crate) fn is_reserved(self) -> bool {
        self.traits & RESERVED != 0
    }

    /// Whether some version has it as a keyword.
    pub(crate) fn is_keyword(self) -> bool {
        self.traits & (KEYWORD | RESERVED) != 0
    }

    /// Whether it names a built-in function that leaves the session alone.
    pub(crate) fn is_harmless(self) -> bool {
        self.traits & HARMLESS != 0
    }

    /// The same word in double quotes: a name, and never a keyword.
    pub(crate) fn quoted(self) -> Self {
        Self { word: if self.is_keyword() { Word::Other } else { self.word }, traits: self.traits & HARMLESS }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    name: &'static [u8],
    meaning: Meaning,
}

/// A power of two, three times as many as there are words.
const SLOTS: usize = 8192;
const ENTRIES_MAX: usize = 2600;
const NAME_BYTES_MAX: usize = 63;

struct Table {
    /// In the upper half bits of the hash, so that most of what is not here is not compared; below it the entry's number
    /// and one, or zero.
    slots: [u32; SLOTS],
    entries: [Entry; ENTRIES_MAX],
    count: usize,
}

static TABLE: Table = made();

#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is compiled, where it cannot fail unnoticed")]
const fn made() -> Table {
    let nothing = Entry { name: b"", meaning: Meaning::NONE };
    let mut table = Table { slots: [0; SLOTS], entries: [nothing; ENTRIES_MAX], count: 0 };
    add_lines(&mut table, include_str!("../words/functions.txt"), HARMLESS);
    add_lines(&mut table, include_str!("../words/reserved.txt"), RESERVED);
    add_lines(&mut table, include_str!("../words/keywords.txt"), KEYWORD);
    let mut at = 0;
    while at < WORDS.len() {
        let (text, word) = WORDS[at];
        add(&mut table, text.as_bytes(), Meaning { word, traits: 0 });
        at += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is compiled, where it cannot fail unnoticed")]
const fn add_lines(table: &mut Table, text: &'static str, traits: u8) {
    let mut rest = text.as_bytes();
    let mut at = 0;
    while at < rest.len() {
        if rest[at] == b'\n' {
            let (line, after) = rest.split_at(at);
            add(table, line, Meaning { word: Word::Other, traits });
            (_, rest) = after.split_at(1);
            at = 0;
        } else {
            at += 1;
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is compiled, where it cannot fail unnoticed")]
#[expect(clippy::cast_possible_truncation, reason = "the number of an entry is below `ENTRIES_MAX`")]
const fn add(table: &mut Table, name: &'static [u8], meaning: Meaning) {
    let hash = hash(name);
    let (tag, mut slot) = (tag(hash), first_slot(hash));
    while table.slots[slot] != 0 {
        let entry = (table.slots[slot] & 0xffff) as usize - 1;
        if table.slots[slot] & 0xffff_0000 == tag && same(table.entries[entry].name, name) {
            table.entries[entry].meaning.traits |= meaning.traits;
            if !matches!(meaning.word, Word::Other) {
                table.entries[entry].meaning.word = meaning.word;
            }
            return;
        }
        slot = (slot + 1) % SLOTS;
    }
    table.entries[table.count] = Entry { name, meaning };
    table.count += 1;
    table.slots[slot] = tag | table.count as u32;
}

#[expect(clippy::indexing_slicing, reason = "evaluated when the crate is compiled, where it cannot fail unnoticed")]
const fn same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

/// Alike for upper and lower case: the bit that tells them apart is set in every byte. Of a long word only its ends and
/// its middle are read.
const fn hash(name: &[u8]) -> u64 {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64),
            _ => match name {
                [first, middle, last] => (*first as u64 | (*middle as u64) << 8, *last as u64),
                [first, last] => (*first as u64, *last as u64),
                [first] => (*first as u64, 0),
                _ => (0, 0),
            },
        },
    };
    let (before_middle, _) = name.split_at(name.len() / 2);
    let middle = match before_middle.last_chunk::<8>() {
        Some(middle) => u64::from_le_bytes(*middle) | FOLD,
        None => 0,
    };
    let mixed = (first | FOLD).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (last | FOLD).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let mixed = mixed ^ middle.wrapping_mul(0x1656_67b1_9e37_79f9) ^ (name.len() as u64);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

const fn first_slot(hash: u64) -> usize {
    (hash >> 51) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "a part of the hash is what is wanted")]
const fn tag(hash: u64) -> u32 {
    (hash as u32) & 0xffff_0000
}

/// How a word is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// As a keyword and an identifier without quotes: in ASCII any case.
    Any,
    /// As an identifier in quotes.
    Exact,
}

/// What is known of a word.
#[inline]
pub(crate) fn meaning(name: &[u8], case: Case) -> Meaning {
    if name.len() > NAME_BYTES_MAX {
        return Meaning::NONE;
    }
    let hash = hash(name);
    let tag = tag(hash);
    let mut slot = first_slot(hash);
    loop {
        let found = TABLE.slots.get(slot % SLOTS).copied().unwrap_or_default();
        if found == 0 {
            return Meaning::NONE;
        }
        if found & 0xffff_0000 == tag {
            let number = usize::try_from(found & 0xffff).unwrap_or_default().wrapping_sub(1);
            if let Some(entry) = TABLE.entries.get(number) {
                let same = match case {
                    Case::Any => entry.name.eq_ignore_ascii_case(name),
                    Case::Exact => entry.name == name,
                };
                if same {
                    return entry.meaning;
                }
            }
        }
        slot += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_word_is_found_in_any_case_and_nothing_else_is() {
        for (list, is) in [
            (include_str!("../words/functions.txt"), Meaning::is_harmless as fn(Meaning) -> bool),
            (include_str!("../words/reserved.txt"), Meaning::is_reserved),
            (include_str!("../words/keywords.txt"), Meaning::is_keyword),
        ] {
            assert!(list.lines().count() > 100);
            for word in list.lines() {
                assert!(is(meaning(word.as_bytes(), Case::Any)), "{word}");
                assert!(is(meaning(word.to_uppercase().as_bytes(), Case::Any)), "{word}");
                let longer = format!("{word}_x");
                assert!(!is(meaning(longer.as_bytes(), Case::Any)), "{longer}");
            }
        }
        for (text, word) in WORDS {
            assert_eq!(meaning(text.as_bytes(), Case::Any).word, *word, "{text}");
        }
    }

    #[test]
    fn functions_that_touch_the_session_are_not_harmless() {
        for (text, word) in WORDS {
            let touches = matches!(word, Word::SetConfig | Word::SequenceState | Word::AdvisoryLock | Word::Unseen);
            assert!(!(touches && meaning(text.as_bytes(), Case::Any).is_harmless()), "{text}");
        }
    }

    #[test]
    fn the_table_is_sparse_enough_to_say_no_quickly() {
        let longest = TABLE.slots.split(|slot| *slot == 0).map(<[u32]>::len).max().unwrap();
        assert!(longest < 24, "{longest} slots in a row are taken");
    }
}
