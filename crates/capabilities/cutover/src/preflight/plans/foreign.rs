//! What other roles have made, and planning a statement would run.
//!
//! Planning evaluates functions that are not volatile where their arguments are known. It would do so as the role that plans,
//! who may do more than those who made them: a role that may make functions could have them run as a superuser by using
//! them in a statement often enough. Such statements are not planned.

use std::collections::HashSet;

use atalaya_postgres::{Error, Session};

/// Their names, and those of what uses them.
#[derive(Default)]
pub(super) struct Foreign {
    words: HashSet<String>,
    /// Operators, and names that are no plain words.
    parts: Vec<String>,
}

impl Foreign {
    /// Adds those of a database.
    pub(super) async fn read(&mut self, session: &Session) -> Result<(), Error> {
        for row in session.query(FOREIGN, &[]).await? {
            self.add(row.get(0), row.get(1));
        }
        Ok(())
    }

    fn add(&mut self, name: &str, is_operator: bool) {
        let name = name.to_lowercase();
        if !is_operator && name.chars().all(is_word) {
            self.words.insert(name);
        } else {
            self.parts.push(name.replace('"', "\"\""));
        }
    }

    /// Whether a text may mean any of them. Compares words and nothing else, so that many a text is taken for one that does.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        if self.words.is_empty() && self.parts.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        // Identifiers with escapes spell their names otherwise.
        text.contains("u&\"")
            || text.split(|letter| !is_word(letter)).any(|word| self.words.contains(word))
            || self.parts.iter().any(|part| text.contains(part.as_str()))
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

/// Functions of roles that are neither superusers nor us, operators of such, and every relation that reads, writes or checks
/// rows by one: views of views and parents of partitions, too.
const FOREIGN: &str = "
WITH RECURSIVE theirs AS (
  SELECT p.oid, p.proname FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_roles r ON r.oid = p.proowner JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE p.provolatile <> 'v' AND NOT r.rolsuper AND r.rolname <> session_user AND l.lanname NOT IN ('c', 'internal')),
operators AS (SELECT o.oid, o.oprname FROM pg_catalog.pg_operator o WHERE o.oprcode IN (SELECT oid FROM theirs)),
uses AS (
  SELECT d.classid::pg_catalog.regclass::text AS kind, d.objid FROM pg_catalog.pg_depend d
   WHERE (d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM theirs))
      OR (d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM operators))),
relations(oid) AS (
  (SELECT w.ev_class FROM pg_catalog.pg_rewrite w JOIN uses u ON u.kind = 'pg_rewrite' AND u.objid = w.oid
   UNION SELECT a.adrelid FROM pg_catalog.pg_attrdef a JOIN uses u ON u.kind = 'pg_attrdef' AND u.objid = a.oid
   UNION SELECT k.conrelid FROM pg_catalog.pg_constraint k JOIN uses u ON u.kind = 'pg_constraint' AND u.objid = k.oid
   UNION SELECT p.polrelid FROM pg_catalog.pg_policy p JOIN uses u ON u.kind = 'pg_policy' AND u.objid = p.oid
   UNION SELECT i.indrelid FROM pg_catalog.pg_index i JOIN uses u ON u.kind = 'pg_class' AND u.objid = i.indexrelid)
  UNION
  SELECT x.oid FROM relations r CROSS JOIN LATERAL (
    SELECT w.ev_class AS oid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = r.oid
    UNION ALL SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = r.oid) x)
SELECT proname::text, false FROM theirs UNION SELECT oprname::text, true FROM operators
UNION SELECT c.relname::text, false FROM pg_catalog.pg_class c WHERE c.oid IN (SELECT oid FROM relations)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_may_mean_what_others_have_made_is_known() {
        let names = [("evil", false), ("Odd name", false), ("===", true), ("täter", false)];
        let mut foreign = Foreign::default();
        names.into_iter().for_each(|(name, is_operator)| foreign.add(name, is_operator));
        for text in ["SELECT EVIL()", "select app.\"evil\"(1)", "TABLE \"Odd name\"", "SELECT a===b", "SELECT u&\"!\""]
        {
            assert!(foreign.may_be_in(text), "{text}");
        }
        assert!(foreign.may_be_in("select täter()"));
        for text in ["SELECT evil_one, medevil FROM t", "SELECT a == b", "SELECT 'odd', name"] {
            assert!(!foreign.may_be_in(text), "{text}");
        }
        assert!(!Foreign::default().may_be_in("SELECT evil(), u&\"!\""));
    }
}
