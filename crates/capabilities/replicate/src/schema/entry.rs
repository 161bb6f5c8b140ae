//! Entries of an archive's table of contents, and the section each belongs to in a move.

/// Where in a move an entry is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the copy: types, functions, bare tables.
    BeforeData,
    /// After the copy, many at once: indexes, primary and unique keys, check and exclusion constraints.
    Index,
    /// After the indexes: what ties them to partitioned ones.
    Attach,
    /// After that: foreign keys.
    ForeignKey,
    /// When the move ends: triggers, rules, row security, policies.
    Last,
    /// By no entry of the archive: contents of materialized views.
    Fill,
    /// Never blindly: publications, subscriptions, event triggers and what holds credentials.
    Never,
}

/// What pg_dump knows an object by: its row in a catalog of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CatalogId {
    /// The catalog's OID.
    pub(crate) catalog: u32,
    /// The object's OID in it.
    pub(crate) object: u32,
}

/// One line of `pg_restore --list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The dump's own number for it.
    pub(crate) id: String,
    /// Where it stands on the source; zero where pg_dump says nothing.
    pub(crate) catalog_id: CatalogId,
    /// The line, as pg_restore takes it back.
    pub(crate) line: String,
    /// The kind of object, such as `FK CONSTRAINT`.
    pub(crate) kind: &'static str,
    /// Schema, name and owner as the line has them; for people and as the step's name.
    pub(crate) label: String,
}

/// Kinds by stage; longer names before their own beginnings. pg_dump's own words.
const KINDS: &[(&str, Stage)] = &[
    ("FK CONSTRAINT", Stage::ForeignKey),
    ("CHECK CONSTRAINT", Stage::Index),
    ("CONSTRAINT", Stage::Index),
    ("INDEX ATTACH", Stage::Attach),
    ("INDEX", Stage::Index),
    ("STATISTICS DATA", Stage::Never),
    ("STATISTICS", Stage::Attach),
    ("EVENT TRIGGER", Stage::Never),
    ("TRIGGER", Stage::Last),
    ("RULE", Stage::Last),
    ("ROW SECURITY", Stage::Last),
    ("POLICY", Stage::Last),
    ("MATERIALIZED VIEW DATA", Stage::Fill),
    ("PUBLICATION TABLES IN SCHEMA", Stage::Never),
    ("PUBLICATION TABLE", Stage::Never),
    ("PUBLICATION", Stage::Never),
    ("SUBSCRIPTION TABLE", Stage::Never),
    ("SUBSCRIPTION", Stage::Never),
    ("USER MAPPING", Stage::Never),
    ("DATABASE PROPERTIES", Stage::Never),
    ("DATABASE", Stage::Never),
    ("TABLESPACE", Stage::Never),
    ("BLOBS", Stage::Never),
    ("BLOB METADATA", Stage::Never),
    ("BLOB", Stage::Never),
    ("LARGE OBJECT", Stage::Never),
    ("SEQUENCE SET", Stage::Never),
    ("TABLE DATA", Stage::Never),
];

/// Comments, labels and privileges follow the object they speak of.
const FOLLOWERS: &[&str] = &["COMMENT", "SECURITY LABEL"];

impl Entry {
    /// Reads one line; none for comments and blank ones.
    pub(crate) fn parse(line: &str) -> Option<(Self, Stage)> {
        let (dump_id, rest) = line.split_once(';')?;
        if dump_id.is_empty() || !dump_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // `tableoid oid KIND schema name owner`
        let mut parts = rest.trim_start().splitn(3, ' ');
        let (catalog, object, described) = (parts.next()?, parts.next()?, parts.next()?);
        let oid = |text: &str| text.parse().unwrap_or_default();
        let catalog_id = CatalogId { catalog: oid(catalog), object: oid(object) };
        let known =
            KINDS.iter().find(|(kind, _)| described.strip_prefix(kind).is_some_and(|after| after.starts_with(' ')));
        let (kind, stage) = known.copied().unwrap_or(("", Stage::BeforeData));
        let stage = follower_stage(described).unwrap_or(stage);
        let label = described.strip_prefix(kind).unwrap_or(described).trim_start().to_owned();
        Some((Self { id: dump_id.to_owned(), catalog_id, line: line.to_owned(), kind, label }, stage))
    }
}

/// Where a comment goes: with the kind it names after the schema, `COMMENT public INDEX orders_idx owner`.
fn follower_stage(described: &str) -> Option<Stage> {
    let follower =
        FOLLOWERS.iter().find(|kind| described.strip_prefix(**kind).is_some_and(|rest| rest.starts_with(' ')))?;
    let (schema, object) = schema_and_object(described.strip_prefix(follower)?.trim_start())?;
    // Only an extension's owner may comment on it, and the extension brings its own comment.
    if schema == "-" && object.starts_with("EXTENSION ") {
        return Some(Stage::Never);
    }
    let late = |prefix: &&str| object.starts_with(*prefix);
    if ["INDEX ", "CONSTRAINT ", "TRIGGER ", "RULE ", "POLICY ", "STATISTICS "].iter().any(late) {
        return Some(Stage::Last);
    }
    if ["EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION ", "DATABASE ", "LARGE OBJECT "].iter().any(late) {
        return Some(Stage::Never);
    }
    Some(Stage::BeforeData)
}

/// Divides before the word that names a kind of object: a schema's name may have blanks, and stands unquoted.
fn schema_and_object(text: &str) -> Option<(&str, &str)> {
    let kind = |rest: &str| {
        let word = rest.split(' ').next().unwrap_or_default();
        word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    let divided = text.match_indices(' ').filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)));
    divided.clone().find(|(_, rest)| kind(rest)).or_else(|| divided.clone().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(line: &str) -> Option<Stage> {
        Entry::parse(line).map(|(_, stage)| stage)
    }

    #[test]
    fn each_kind_goes_to_its_stage() {
        assert_eq!(stage("215; 1259 16385 TABLE public orders ann"), Some(Stage::BeforeData));
        assert_eq!(stage("3300; 2606 16390 CONSTRAINT public orders orders_pkey ann"), Some(Stage::Index));
        assert_eq!(stage("3301; 2606 16391 FK CONSTRAINT public lines lines_order_fkey ann"), Some(Stage::ForeignKey));
        assert_eq!(stage("3302; 1259 16392 INDEX public orders_at ann"), Some(Stage::Index));
        assert_eq!(stage("3303; 0 0 INDEX ATTACH public orders_1_at ann"), Some(Stage::Attach));
        assert_eq!(stage("3304; 2620 16399 TRIGGER public orders touch ann"), Some(Stage::Last));
        assert_eq!(stage("3305; 3466 16400 EVENT TRIGGER - watch ann"), Some(Stage::Never));
        assert_eq!(stage("3306; 0 0 COMMENT public INDEX orders_at ann"), Some(Stage::Last));
        assert_eq!(stage("3307; 0 0 COMMENT public TABLE orders ann"), Some(Stage::BeforeData));
        assert_eq!(stage("3306; 0 0 COMMENT a b INDEX orders_at ann"), Some(Stage::Last));
        assert_eq!(stage("3307; 0 0 COMMENT public TABLE my INDEX ann"), Some(Stage::BeforeData));
        assert_eq!(stage("3309; 0 16410 MATERIALIZED VIEW DATA public sums ann"), Some(Stage::Fill));
        assert_eq!(stage("3308; 0 0 COMMENT - EXTENSION plpgsql "), Some(Stage::Never));
    }

    #[test]
    fn comments_of_the_list_are_no_entries() {
        assert_eq!(stage("; Archive created at 2026-01-01"), None);
        assert_eq!(stage(""), None);
    }
}
