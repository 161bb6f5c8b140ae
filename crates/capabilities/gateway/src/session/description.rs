//! What a server says of a statement's parameters and columns, as far as the gateway needs it.

use std::hash::{DefaultHasher, Hasher};

use atalaya_pgwire::CodecError;

/// Numbers of types from here on were given when somebody made the type.
const FIRST_USER_TYPE: u32 = 16_384;
/// A row whose columns' types are told with each value.
const RECORD: u32 = 2249;
const RECORD_ARRAY: u32 = 2287;
/// `oid`, `regtype`, `oidvector` and their arrays: a value may be a type's number, which drivers ask the catalog for.
const NUMBERS: [u32; 6] = [26, 1028, 2206, 2211, 30, 1013];
/// Where a column of such a type holds types' numbers: not a column of a table (the server could not say of which), or one
/// of `pg_type`, `pg_attribute`, `pg_proc`, `pg_class`, `pg_aggregate`, `pg_cast`, `pg_constraint`, `pg_operator`,
/// `pg_sequence`, `pg_enum`, `pg_range`. Others hold numbers of tables, roles or large objects.
const CATALOGS: [u32; 12] = [0, 1247, 1249, 1255, PG_CLASS, 2600, 2605, 2606, 2617, 2224, 3501, 3541];
/// Read by everything that looks at tables; of its columns only `reltype` and `reloftype` are of types.
const PG_CLASS: u32 = 1259;
const OF_TYPES_IN_PG_CLASS: [u16; 2] = [4, 5];

/// The form of a COPY as a whole.
const BINARY: u8 = 1;

/// A description, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// Equal for equal names and types of columns, wherever they come from.
    pub(super) digest: u64,
    /// Whether a number is in it that another server may give to another type, or the rows may hold one.
    pub(super) has_user_types: bool,
}

/// Reads a RowDescription: as Postgres does it when it looks whether a plan still fits, without the columns' tables.
pub(super) fn of_columns(before: u64, body: &[u8]) -> Result<Description, CodecError> {
    let mut described = Reading::new(before, body);
    let columns = described.count()?;
    for _ in 0..columns {
        let name_end = described.rest.iter().position(|byte| *byte == 0).ok_or(CUT_OFF)?;
        let name = described.take(name_end + 1)?;
        described.hasher.write(name);
        let origin = described.origin()?;
        let number = described.type_number()?;
        described.has_user_types |= NUMBERS.contains(&number) && origin.may_hold_types();
        let length_and_modifier = described.take(6)?;
        described.hasher.write(length_and_modifier);
        let _format = described.take(2)?;
    }
    Ok(described.finished())
}

/// Reads a ParameterDescription, or the types in a Parse.
pub(super) fn of_parameters(body: &[u8]) -> Result<Description, CodecError> {
    let mut described = Reading::new(0, body);
    let parameters = described.count()?;
    for _ in 0..parameters {
        described.type_number()?;
    }
    Ok(described.finished())
}

/// Whether what is copied is binary, as the answer to a COPY says.
pub(super) fn is_binary_copy(body: &[u8]) -> bool {
    body.first() == Some(&BINARY)
}

/// A statement without rows.
pub(super) fn of_nothing(before: u64) -> u64 {
    Reading::new(before, &[]).finished().digest
}

const CUT_OFF: CodecError = CodecError::Invalid { message: "description", field: "column" };

/// The table's column that a column of a result is, where the server says so.
struct Origin {
    table: u32,
    column: u16,
}

impl Origin {
    fn may_hold_types(&self) -> bool {
        CATALOGS.contains(&self.table) && (self.table != PG_CLASS || OF_TYPES_IN_PG_CLASS.contains(&self.column))
    }
}

struct Reading<'a> {
    rest: &'a [u8],
    hasher: DefaultHasher,
    has_user_types: bool,
}

impl<'a> Reading<'a> {
    fn new(before: u64, rest: &'a [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(before);
        Self { rest, hasher, has_user_types: false }
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn count(&mut self) -> Result<u16, CodecError> {
        let (count, rest) = self.rest.split_first_chunk::<2>().ok_or(CUT_OFF)?;
        self.rest = rest;
        self.hasher.write(count);
        Ok(u16::from_be_bytes(*count))
    }

    fn type_number(&mut self) -> Result<u32, CodecError> {
        let (number, rest) = self.rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
        self.rest = rest;
        self.hasher.write(number);
        let number = u32::from_be_bytes(*number);
        self.has_user_types |= number >= FIRST_USER_TYPE || matches!(number, RECORD | RECORD_ARRAY);
        Ok(number)
    }

    /// Tables do not count for the digest.
    fn origin(&mut self) -> Result<Origin, CodecError> {
        let (table, rest) = self.rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
        let (column, rest) = rest.split_first_chunk::<2>().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(Origin { table: u32::from_be_bytes(*table), column: u16::from_be_bytes(*column) })
    }

    fn finished(self) -> Description {
        Description { digest: self.hasher.finish(), has_user_types: self.has_user_types }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, table: u32, type_number: u32) -> Vec<u8> {
        let mut body = vec![0, 1];
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(&table.to_be_bytes());
        body.extend_from_slice(&[0, 1]);
        body.extend_from_slice(&type_number.to_be_bytes());
        body.extend_from_slice(&[0, 4, 255, 255, 255, 255, 0, 0]);
        body
    }

    #[test]
    fn names_and_types_count_and_tables_do_not() {
        let read = |body: Vec<u8>| of_columns(0, &body).unwrap();
        let first = read(column("a", 70_000, 23));
        assert_eq!(first, read(column("a", 80_000, 23)));
        assert_ne!(first.digest, read(column("b", 70_000, 23)).digest);
        assert_ne!(first.digest, read(column("a", 70_000, 20)).digest);
        assert!(!first.has_user_types && read(column("a", 1, 16_384)).has_user_types);
    }

    #[test]
    fn numbers_of_types_may_be_values_too_and_numbers_of_tables_are_none() {
        let knows = |table, type_number| of_columns(0, &column("oid", table, type_number)).unwrap().has_user_types;
        // `'mood'::regtype::oid`, `pg_type.oid`, `pg_proc.proargtypes`.
        assert!(knows(0, 26) && knows(0, 1028) && knows(0, 2206) && knows(1247, 26) && knows(1255, 30));
        // `pg_class.oid`, `pg_stat_activity.usesysid`, a table's own column of large objects.
        assert!(!knows(1259, 26) && !knows(12_300, 26) && !knows(70_000, 26));
        assert!(!knows(1247, 19));
    }

    #[test]
    fn a_description_that_is_cut_off_is_an_error() {
        let whole = column("a", 1, 23);
        for length in 0..whole.len() {
            assert!(of_columns(0, &whole[..length]).is_err(), "{length}");
        }
        assert!(of_parameters(&[0, 2, 0, 0, 0, 23]).is_err());
    }
}
