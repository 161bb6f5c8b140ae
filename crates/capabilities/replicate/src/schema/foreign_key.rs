//! A foreign key in two steps: added without looking at the rows, then validated under a weaker lock.

/// A foreign key's script, split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// The script with `NOT VALID`.
    pub(super) add: String,
    /// The statement that validates it.
    pub(super) validate: String,
}

/// Splits pg_restore's script of one foreign key. None where it has to be added as it is: on a partitioned
/// table, which takes no `NOT VALID` before 18 (pg_dump writes no `ONLY` there), or not valid on the source.
pub(super) fn split(script: &str) -> Option<Split> {
    const ALTER: &str = "ALTER TABLE ONLY ";
    const ADD: &str = "\n    ADD CONSTRAINT ";
    let table_from = script.find(ALTER)? + ALTER.len();
    let table_to = table_from + script.get(table_from..)?.find(ADD)?;
    let table = script.get(table_from..table_to)?;
    let name_from = table_to + ADD.len();
    let name_to = name_from + script.get(name_from..)?.find(" FOREIGN KEY (")?;
    let name = script.get(name_from..name_to)?;
    let end = name_to + script.get(name_to..)?.rfind(";\n")?;
    let (before, after) = (script.get(..end)?, script.get(end..)?);
    if before.ends_with(" NOT VALID") {
        return None;
    }
    Some(Split {
        add: format!("{before} NOT VALID{after}"),
        validate: format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_first_and_validated_then() {
        let script = "SET x = 1;\n\n--\n-- Name: b b_a_fkey; Type: FK CONSTRAINT\n--\n\nALTER TABLE ONLY public.b\n    \
                      ADD CONSTRAINT \"odd name\" FOREIGN KEY (a) REFERENCES public.a(id) DEFERRABLE;\n\n\n--\n-- done\n--\n";
        let split = split(script).unwrap();
        assert!(split.add.contains("REFERENCES public.a(id) DEFERRABLE NOT VALID;\n"));
        assert_eq!(split.validate, "ALTER TABLE public.b VALIDATE CONSTRAINT \"odd name\";");
    }

    #[test]
    fn partitioned_tables_and_keys_that_are_not_valid_are_left_as_they_are() {
        let partitioned = "ALTER TABLE public.b\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.a(id);\n";
        assert_eq!(split(partitioned), None);
        let open =
            "ALTER TABLE ONLY public.b\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.a(id) NOT VALID;\n";
        assert_eq!(split(open), None);
    }
}
