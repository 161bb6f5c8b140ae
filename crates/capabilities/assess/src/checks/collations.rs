//! Encodings and collations: whether text means, and sorts, the same on both sides.

use std::collections::BTreeMap;

use atalaya_data::quote_identifier;

use crate::{Check, Error, Facts, Finding, Outcome, Severity, Side};

use super::support::{by_table, name_of};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "encoding",
        title: "the target's encoding holds every character of the source",
        severity: Severity::Fail,
        why: "rows with characters that the target's encoding lacks are refused; SQL_ASCII holds bytes of unknown encoding",
        remedy: "make the target database with the source's encoding, or UTF8",
        run: |facts| Box::pin(encoding(facts)),
    },
    Check {
        id: "database-locale",
        title: "both databases have the same locale and provider",
        severity: Severity::Warn,
        why: "order, upper and lower case and ranges over text follow the database's locale",
        remedy: "make the target database with the source's locale and provider",
        run: |facts| Box::pin(locale(facts)),
    },
    Check {
        id: "collations-missing",
        title: "the target has every collation that columns use",
        severity: Severity::Fail,
        why: "a table cannot be restored without the collations of its columns",
        remedy: "install the locale on the target's system and run pg_import_system_collations, or make the collation",
        run: |facts| Box::pin(missing(facts)),
    },
    Check {
        id: "collation-order",
        title: "text sorts the same on both sides",
        severity: Severity::Warn,
        why: "results change their order after the cutover; partitions by a range of text may refuse rows",
        remedy: "use the same locale and provider, or a collation that does not depend on the system (C, or ICU pinned to a version)",
        run: |facts| Box::pin(order(facts)),
    },
    Check {
        id: "collation-versions",
        title: "collations are at the version their indexes were built with, on both sides the same",
        severity: Severity::Warn,
        why: "after an upgrade of libc or ICU the source's text indexes may be corrupt: duplicates under a unique index stop the restore",
        remedy: "reindex text indexes on the source before the move, then refresh the collation's version",
        run: |facts| Box::pin(versions(facts)),
    },
    Check {
        id: "nondeterministic-collations",
        title: "no column uses a nondeterministic collation",
        severity: Severity::Warn,
        why: "different texts count as equal there: keys cannot be compared byte by byte, so their changes are applied one by one",
        remedy: "none is needed; expect slower apply for these tables",
        run: |facts| Box::pin(nondeterministic(facts)),
    },
];

async fn encoding_of(side: &Side) -> Result<String, Error> {
    Ok(side
        .query_one(
            "SELECT pg_catalog.pg_encoding_to_char(encoding)::text FROM pg_catalog.pg_database
              WHERE datname = pg_catalog.current_database()",
            &[],
        )
        .await?
        .get(0))
}

async fn encoding(facts: &Facts) -> Result<Outcome, Error> {
    let source = encoding_of(&facts.source).await?;
    let target = encoding_of(&facts.target).await?;
    let seen = format!("{source} on the source, {target} on the target");
    let finding = match (source.as_str(), target.as_str()) {
        ("SQL_ASCII", "SQL_ASCII") => Finding::warn(format!("{seen}: no one knows what the bytes mean")),
        (source, target) if source == target => return Ok(Vec::new().into()),
        (_, "SQL_ASCII") | ("SQL_ASCII", _) => Finding::fail(format!("{seen}: bytes cannot be converted")),
        (_, "UTF8") => Finding::warn(format!("{seen}: text is converted, and may need more bytes")),
        _ => Finding::fail(format!("{seen}: not every character can be converted")),
    };
    Ok(vec![finding].into())
}

async fn locale_of(side: &Side) -> Result<BTreeMap<&'static str, String>, Error> {
    let (provider, icu) = match side.major() {
        ..15 => ("'libc'", "''"),
        15..17 => ("CASE datlocprovider WHEN 'i' THEN 'icu' ELSE 'libc' END", "coalesce(daticulocale, '')"),
        _ => (
            "CASE datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END",
            "coalesce(datlocale, '')",
        ),
    };
    let row = side
        .query_one(
            &format!(
                "SELECT {provider}, {icu}, datcollate::text, datctype::text FROM pg_catalog.pg_database
                  WHERE datname = pg_catalog.current_database()"
            ),
            &[],
        )
        .await?;
    Ok(BTreeMap::from([
        ("provider", row.get(0)),
        ("provider's locale", row.get(1)),
        ("LC_COLLATE", normal(row.get(2))),
        ("LC_CTYPE", normal(row.get(3))),
    ]))
}

/// `en_US.UTF-8` and `en_US.utf8` are one locale, and so are C and POSIX.
fn normal(locale: String) -> String {
    let folded = locale.to_lowercase().replace("utf-8", "utf8");
    if folded == "posix" { "c".to_owned() } else { folded }
}

async fn locale(facts: &Facts) -> Result<Outcome, Error> {
    let (source, target) = (locale_of(&facts.source).await?, locale_of(&facts.target).await?);
    let findings: Vec<Finding> = source
        .iter()
        .filter_map(|(what, ours)| {
            let theirs = target.get(what)?;
            (ours != theirs)
                .then(|| Finding::warn(format!("`{ours}` on the source, `{theirs}` on the target")).on(what))
        })
        .collect();
    Ok(findings.into())
}

/// Collations that columns of the selected tables name: schema, name.
const COLLATIONS_IN_USE: &str = "
    SELECT DISTINCT n.nspname::text, l.collname::text
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
      JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
     WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped AND l.collname <> 'default'
     ORDER BY 1, 2";

async fn missing(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts.source.query(COLLATIONS_IN_USE, &[&facts.selected_oids()]).await?;
    let mut findings = Vec::new();
    // A collation outside pg_catalog is part of the dump; what it is made of is the system's.
    for row in rows.iter().filter(|row| row.get::<_, String>(0) == "pg_catalog") {
        let name = name_of(row);
        let found = facts
            .target
            .query(
                "SELECT 1 FROM pg_catalog.pg_collation
                  WHERE collname = $1 AND collnamespace = 'pg_catalog'::regnamespace",
                &[&name.name],
            )
            .await?;
        if found.is_empty() {
            findings.push(Finding::fail("the target does not have this collation").on(&name.name).remedy(
                "install the locale on the target's system, then: SELECT pg_import_system_collations('pg_catalog');",
            ));
        }
    }
    Ok(findings.into())
}

/// Texts that the common collations put in different orders: case, accents, punctuation, spaces, scripts.
const PROBE: &str =
    "unnest(ARRAY['a','A','b','B','aa','ab','a b','a-b','a_b','a.b','A1','a10','a2','Z','z','zz','_x','-x',
    '1','10','2','ss','ch','cz','d','dz','ll','lz','resume','Resume','co-op','coop','co op','~','!'])";
/// The same for databases in UTF8, where letters beyond ASCII can be written.
const PROBE_UTF8: &str =
    "unnest(ARRAY[U&'\\00e4',U&'\\00c4',U&'\\00df',U&'\\00e9',U&'r\\00e9sum\\00e9',U&'\\00f1',U&'\\00f6',
    U&'\\0160',U&'\\0131',U&'\\3042',U&'\\30a2',U&'\\4e00',U&'\\0430',U&'\\0410',U&'a\\0308'])";

/// How a side orders the probe under a collation; a digest is enough to compare.
async fn ordered(side: &Side, collation: Option<&str>, utf8: bool) -> Result<Option<String>, Error> {
    let collate = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
    let texts = if utf8 {
        format!("SELECT {PROBE} AS x UNION ALL SELECT {PROBE_UTF8}")
    } else {
        format!("SELECT {PROBE} AS x")
    };
    let sql =
        format!("SELECT pg_catalog.md5(string_agg(x, '/' ORDER BY x{collate}, x COLLATE \"C\")) FROM ({texts}) t");
    match side.query_one(&sql, &[]).await {
        Ok(row) => Ok(row.get(0)),
        // The collation is not there, or cannot be used in this encoding: that is another check's finding.
        Err(Error::Postgres(error)) if matches!(error.sqlstate(), Some("42704" | "22023" | "0A000")) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn order(facts: &Facts) -> Result<Outcome, Error> {
    let utf8 = encoding_of(&facts.source).await? == "UTF8" && encoding_of(&facts.target).await? == "UTF8";
    let mut findings = Vec::new();
    let rows = facts.source.query(COLLATIONS_IN_USE, &[&facts.selected_oids()]).await?;
    let mut collations = vec![None];
    collations.extend(rows.iter().map(|row| Some(name_of(row))));
    for collation in collations {
        let sql = collation.as_ref().map(|name| name.to_sql());
        let source = ordered(&facts.source, sql.as_deref(), utf8).await?;
        let target = ordered(&facts.target, sql.as_deref(), utf8).await?;
        if let (Some(source), Some(target)) = (source, target)
            && source != target
        {
            let name = collation.map_or_else(|| "the databases' own collation".to_owned(), |name| name.to_string());
            findings.push(Finding::warn("the two sides put the same texts in different orders").on(name));
        }
    }
    Ok(findings.into())
}

async fn versions(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT n.nspname::text, l.collname::text, l.collversion, pg_catalog.pg_collation_actual_version(l.oid)
                   FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
                  WHERE l.collversion IS DISTINCT FROM pg_catalog.pg_collation_actual_version(l.oid)
                    AND l.collversion IS NOT NULL
                    AND l.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attnum > 0)
                  ORDER BY 1, 2",
                &[],
            )
            .await?;
        findings.extend(rows.iter().map(|row| {
            let name = name_of(row);
            let (recorded, actual): (String, Option<String>) = (row.get(2), row.get(3));
            Finding::warn(format!(
                "{}: recorded at version {recorded}, now {}",
                side.name,
                actual.as_deref().unwrap_or("unknown")
            ))
            .on(&name)
            .remedy(format!(
                "REINDEX the indexes that use it, then: ALTER COLLATION {} REFRESH VERSION;",
                name.to_sql()
            ))
        }));
        findings.extend(database_version(side).await?);
    }
    let (source, target) = (libc_version(&facts.source).await?, libc_version(&facts.target).await?);
    if let (Some(source), Some(target)) = (source, target)
        && source != target
    {
        findings.push(
            Finding::warn(format!(
                "libc {source} on the source, {target} on the target: order may differ, and a unique index over text that is corrupt on the source shows itself in the restore"
            ))
            .on("libc"),
        );
    }
    Ok(findings.into())
}

/// The database's own collation, whose version is recorded since 15.
async fn database_version(side: &Side) -> Result<Option<Finding>, Error> {
    if side.major() < 15 {
        return Ok(None);
    }
    let row = side
        .query_one(
            "SELECT datcollversion, pg_catalog.pg_database_collation_actual_version(oid)
               FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
            &[],
        )
        .await?;
    let (recorded, actual): (Option<String>, Option<String>) = (row.get(0), row.get(1));
    Ok((recorded.is_some() && recorded != actual).then(|| {
        let database = quote_identifier(&side.identity.database);
        Finding::warn(format!(
            "{}: the database was made at collation version {}, now it is {}",
            side.name,
            recorded.unwrap_or_default(),
            actual.as_deref().unwrap_or("unknown")
        ))
        .on(&side.identity.database)
        .remedy(format!("REINDEX DATABASE {database}; then: ALTER DATABASE {database} REFRESH COLLATION VERSION;"))
    }))
}

/// The version of libc as any of its collations tells it.
async fn libc_version(side: &Side) -> Result<Option<String>, Error> {
    Ok(side
        .session
        .query_opt(
            "SELECT v FROM (SELECT pg_catalog.pg_collation_actual_version(oid) AS v FROM pg_catalog.pg_collation
                             WHERE collprovider = 'c' AND collname NOT IN ('C', 'POSIX') AND collname NOT LIKE 'C.%') t
              WHERE v IS NOT NULL LIMIT 1",
            &[],
        )
        .await?
        .map(|row| row.get(0)))
}

async fn nondeterministic(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text, a.attname::text
               FROM pg_catalog.pg_attribute a
               JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
               JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped AND NOT l.collisdeterministic
              ORDER BY 1, 2, a.attnum",
            &[&facts.selected_oids()],
        )
        .await?;
    Ok(by_table(&rows, |_, columns| Finding::warn(format!("nondeterministic columns: {columns}"))).into())
}
