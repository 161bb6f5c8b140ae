//! Row security: a policy that applies to a role of ours would hide rows from the copy, or refuse applied ones.

use atalaya_data::{RelationName, quote_identifier};

use crate::{Check, Error, Facts, Finding, Outcome, Severity, Side};

use super::support::name_of;
use super::target::counterpart;

pub(super) const CHECKS: &[Check] = &[Check {
    id: "row-security",
    title: "row security hides no rows",
    severity: Severity::Fail,
    why: "where a policy applies to the role, its sessions may neither read nor write: they say so and stop, since a part of the rows would be worse",
    remedy: "use the table's owner without FORCE, or a role with BYPASSRLS, on both sides",
    run: |facts| Box::pin(row_security(facts)),
}];

async fn row_security(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    let of_source = secured(&facts.source, &facts.selected_oids()).await?;
    findings.extend(bound_tables(&facts.source, &of_source));
    if facts.options.existing_schema {
        let theirs = facts.moving().filter_map(|relation| counterpart(facts, relation));
        let oids: Vec<u32> = theirs.map(|relation| relation.oid).collect();
        findings.extend(bound_tables(&facts.target, &secured(&facts.target, &oids).await?));
    } else {
        // The owner of the target's tables will be the role that restores them, unless FORCE binds it too.
        let restored: Vec<Secured> = of_source.iter().map(|table| Secured { owned: true, ..table.clone() }).collect();
        findings.extend(bound_tables(&facts.target, &restored));
    }
    let named: Vec<String> = findings.iter().filter_map(|finding| finding.object.clone()).collect();
    let free = of_source.iter().filter(|table| !named.contains(&table.name.to_string()));
    findings
        .extend(free.map(|table| Finding::info("row security is on; the roles are not bound by it").on(&table.name)));
    Ok(findings.into())
}

/// A table with row security.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    name: RelationName,
    owned: bool,
    forced: bool,
}

pub(super) async fn secured(side: &Side, oids: &[u32]) -> Result<Vec<Secured>, Error> {
    let rows = side
        .query(
            "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relforcerowsecurity
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.oid = ANY($1) AND c.relrowsecurity ORDER BY 1, 2",
            &[&oids],
        )
        .await?;
    Ok(rows.iter().map(|row| Secured { name: name_of(row), owned: row.get(2), forced: row.get(3) }).collect())
}

/// Tables whose policies apply to the side's role.
pub(super) fn bound_tables(side: &Side, tables: &[Secured]) -> Vec<Finding> {
    let bound = tables.iter().filter(|table| !table.owned || table.forced).filter(|_| !side.role.bypasses_row_security);
    bound
        .map(|table| {
            Finding::fail(format!("policies apply to role `{}` on the {}", side.role.name, side.name))
                .on(&table.name)
                .remedy(format!(
                    "ALTER ROLE {} BYPASSRLS; -- or: ALTER TABLE {} NO FORCE ROW LEVEL SECURITY; and own it",
                    quote_identifier(&side.role.name),
                    table.name.to_sql()
                ))
        })
        .collect()
}
