//! Extensions: whether the target has them, and not older.

use std::cmp::Ordering;
use std::collections::HashMap;

use atalaya_data::quote_identifier;

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "extensions-available",
        title: "the target has every extension of the source",
        severity: Severity::Fail,
        why: "the schema cannot be restored without the extensions it uses",
        remedy: "install the packages on the target; on a managed service, allow the extension",
        run: |facts| Box::pin(available(facts)),
    },
    Check {
        id: "extension-versions",
        title: "the target's extensions are not older",
        severity: Severity::Fail,
        why: "an older extension may lack functions and types that the schema and the rows use; a newer one may behave otherwise",
        remedy: "upgrade the extension on the target",
        run: |facts| Box::pin(versions(facts)),
    },
];

struct Used {
    name: String,
    version: String,
    schema: String,
}

async fn used(facts: &Facts) -> Result<Vec<Used>, Error> {
    let rows = facts
        .source
        .query(
            "SELECT e.extname::text, e.extversion, n.nspname::text FROM pg_catalog.pg_extension e
               JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
              WHERE e.extname <> 'plpgsql' ORDER BY 1",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| Used { name: row.get(0), version: row.get(1), schema: row.get(2) }).collect())
}

/// What the target has of an extension.
struct Offered {
    default: String,
    installed: Option<String>,
    trusted: bool,
}

async fn offered(facts: &Facts) -> Result<HashMap<String, Offered>, Error> {
    let rows = facts
        .target
        .query(
            "SELECT a.name::text, coalesce(a.default_version, ''), a.installed_version,
                    coalesce((SELECT bool_or(v.trusted) FROM pg_catalog.pg_available_extension_versions v
                               WHERE v.name = a.name AND v.version = a.default_version), false)
               FROM pg_catalog.pg_available_extensions a",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), Offered { default: row.get(1), installed: row.get(2), trusted: row.get(3) }))
        .collect())
}

async fn available(facts: &Facts) -> Result<Outcome, Error> {
    let offered = offered(facts).await?;
    let role = &facts.target.role;
    let mut findings = Vec::new();
    for extension in used(facts).await? {
        let create = format!(
            "CREATE EXTENSION {} SCHEMA {}; -- on the target",
            quote_identifier(&extension.name),
            quote_identifier(&extension.schema)
        );
        match offered.get(&extension.name) {
            None => findings.push(
                Finding::fail(format!("version {} is used; the target does not have it", extension.version))
                    .on(&extension.name)
                    .remedy("install its package on the target's server"),
            ),
            Some(found) if found.installed.is_none() && !found.trusted && !role.superuser => {
                let seen = format!("it is not made yet on the target, and role `{}` may not make it", role.name);
                // A managed service's administrator may make those that the service allows.
                let finding = if role.managed_admin {
                    Finding::warn("it is not made yet on the target; the service must allow it")
                } else {
                    Finding::fail(seen)
                };
                findings.push(finding.on(&extension.name).remedy(create));
            }
            Some(_) => {}
        }
    }
    Ok(findings.into())
}

async fn versions(facts: &Facts) -> Result<Outcome, Error> {
    let offered = offered(facts).await?;
    let mut findings = Vec::new();
    for extension in used(facts).await? {
        let Some(found) = offered.get(&extension.name) else {
            continue;
        };
        let theirs = found.installed.as_ref().unwrap_or(&found.default);
        let finding = match compare(theirs, &extension.version) {
            Ordering::Equal => continue,
            Ordering::Less => {
                Finding::fail(format!("version {} on the source, the older {theirs} on the target", extension.version))
                    .remedy(format!(
                        "ALTER EXTENSION {} UPDATE; -- on the target, after installing a later package",
                        quote_identifier(&extension.name)
                    ))
            }
            Ordering::Greater => {
                Finding::warn(format!("version {} on the source, the later {theirs} on the target", extension.version))
            }
        };
        findings.push(finding.on(&extension.name));
    }
    Ok(findings.into())
}

/// Versions are compared by their numbers; what is not a number is compared as text.
fn compare(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| -> Vec<Result<u64, String>> {
        text.split(['.', '-', '+']).map(|part| part.parse().map_err(|_| part.to_owned())).collect()
    };
    parts(left).cmp(&parts(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_not_text() {
        assert_eq!(compare("1.10", "1.9"), Ordering::Greater);
        assert_eq!(compare("3.4.2", "3.4.2"), Ordering::Equal);
        assert_eq!(compare("3.4", "3.4.1"), Ordering::Less);
        assert_eq!(compare("3.5.0dev", "3.5.0"), Ordering::Greater);
    }
}
