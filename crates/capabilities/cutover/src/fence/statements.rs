//! The two statements by which a fence is raised and lifted. Each is one message, and all or nothing.
//!
//! Both lock the row of `atalaya.fence` first, so that whoever comes second sees what the first one did: an epoch that was
//! lifted is never fenced again, and lifting twice does nothing the second time.

use std::time::Duration;

use atalaya_data::quote_literal;

use super::Plan;

/// Makes the table where it is missing.
pub(super) const TABLE: &str = "SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS atalaya;
CREATE TABLE IF NOT EXISTS atalaya.fence (
    database text PRIMARY KEY,
    raised int8 NOT NULL DEFAULT 0,
    lifted int8 NOT NULL DEFAULT 0,
    lift text,
    raised_at timestamptz,
    lifted_at timestamptz
);
RESET client_min_messages;";

/// The epoch was lifted, or a later one was raised.
pub(super) const OVER: &str = "AT001";
/// Another fence stands.
pub(super) const STANDS: &str = "AT002";
/// Rights were changed since they were read.
pub(super) const CHANGED: &str = "AT003";
/// Somebody can log in still.
pub(super) const OPEN: &str = "AT004";

/// What raises the fence of an epoch. Whoever holds a lock that it needs is waited for only so long: what lifts it would have
/// to wait behind it. Nor is the disk waited for: the marker in the same log is, and comes before anybody is led away. A
/// server that goes down before has no client to be kept from, and the epoch is closed.
pub(super) fn raise(plan: &Plan, route: &str, epoch: u64, limit: Duration) -> String {
    let route = quote_literal(route);
    let seen = plan.rights.text.as_deref().map_or_else(|| "NULL".to_owned(), quote_literal);
    let role = quote_literal(&plan.rights.role);
    let body = format!(
        "DECLARE
  mine atalaya.fence;
BEGIN
  PERFORM pg_catalog.set_config('lock_timeout', '{limit_ms}', true), pg_catalog.set_config('synchronous_commit', 'off', true);
  INSERT INTO atalaya.fence (database) VALUES ({route}) ON CONFLICT DO NOTHING;
  SELECT f.* INTO mine FROM atalaya.fence f WHERE f.database = {route} FOR UPDATE;
  IF mine.lifted >= {epoch} OR mine.raised > {epoch} THEN
    RAISE EXCEPTION 'the epoch is over' USING ERRCODE = '{OVER}';
  END IF;
  IF mine.raised = {epoch} THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM atalaya.fence f WHERE f.raised > f.lifted) THEN
    RAISE EXCEPTION 'another fence stands' USING ERRCODE = '{STANDS}';
  END IF;
  IF (SELECT d.datacl::text FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
     IS DISTINCT FROM {seen} THEN
    RAISE EXCEPTION 'rights were changed' USING ERRCODE = '{CHANGED}';
  END IF;
  {statements}
  IF EXISTS (SELECT FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) e
              WHERE d.datname = pg_catalog.current_database() AND e.privilege_type = 'CONNECT'
                AND e.grantee <> coalesce((SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = {role}), 0)) THEN
    RAISE EXCEPTION 'somebody can log in still' USING ERRCODE = '{OPEN}';
  END IF;
  UPDATE atalaya.fence SET raised = {epoch}, raised_at = pg_catalog.clock_timestamp(), lifted_at = NULL,
         lift = {lift} WHERE database = {route};
END",
        limit_ms = limit.as_millis().max(1),
        statements = plan.raising.join("\n  "),
        lift = quote_literal(&lift(plan, &route, epoch)),
    );
    block(&body)
}

/// What lifts it, complete: whoever has a session of the fencing role runs it as it stands.
pub(super) fn lifting(plan: &Plan, route: &str, epoch: u64) -> String {
    lift(plan, &quote_literal(route), epoch)
}

fn lift(plan: &Plan, route: &str, epoch: u64) -> String {
    let exactly = plan.lifting.join("\n      ");
    let given_back = if plan.lifting == plan.admitting {
        exactly
    } else {
        let admitting = plan.admitting.join("\n      ");
        format!("BEGIN\n      {exactly}\n    EXCEPTION WHEN OTHERS THEN\n      {admitting}\n    END;")
    };
    let given_back = if given_back.trim().is_empty() { "NULL;".to_owned() } else { given_back };
    let body = format!(
        "DECLARE
  mine atalaya.fence;
BEGIN
  INSERT INTO atalaya.fence (database) VALUES ({route}) ON CONFLICT DO NOTHING;
  SELECT f.* INTO mine FROM atalaya.fence f WHERE f.database = {route} FOR UPDATE;
  IF mine.lifted < {epoch} THEN
    IF mine.raised = {epoch} THEN
    {given_back}
    END IF;
    UPDATE atalaya.fence SET lifted = {epoch}, lifted_at = pg_catalog.clock_timestamp() WHERE database = {route};
  END IF;
END"
    );
    block(&body)
}

/// A block that its own text cannot end.
fn block(body: &str) -> String {
    let mut tag = "$fence$".to_owned();
    let mut number = 0_u32;
    while body.contains(&tag) {
        number = number.wrapping_add(1);
        tag = format!("$fence{number}$");
    }
    format!("DO {tag}\n{body}\n{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_holds_the_quotes_of_a_block_does_not_end_it() {
        let text = block("GRANT CONNECT ON DATABASE d TO \"$fence$; $fence1$\"");
        assert!(text.starts_with("DO $fence2$\n") && text.ends_with("\n$fence2$"), "{text}");
    }
}
