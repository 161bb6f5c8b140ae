//! What a server says of columns and of its session, on arbitrary and on damaged bytes, and against what was meant.

use atalaya_damage::{damaged, within_memory};
use atalaya_pgwire::server::Parse;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::description::{is_binary_copy, of_columns, of_nothing, of_parameters};
use super::probe::Leavings;

#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: String,
    table: u32,
    number: u16,
    type_number: u32,
    modifier: u32,
}

/// Types that every server numbers alike, those of which nobody can tell, and those that somebody made.
fn type_number() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(&[23_u32, 25, 1007][..]),
        select(&[26_u32, 2206][..]),
        select(&[2249_u32, 2287][..]),
        16_384_u32..
    ]
}

fn column() -> impl Strategy<Value = Column> {
    let table = prop_oneof![select(&[0_u32, 1247, 1259][..]), any::<u32>()];
    ("[^\\x00]{0,5}", table, any::<u16>(), type_number(), any::<u32>())
        .prop_map(|(name, table, number, type_number, modifier)| Column { name, table, number, type_number, modifier })
}

fn counted(count: usize) -> [u8; 2] {
    u16::try_from(count).unwrap().to_be_bytes()
}

/// As a server writes it.
fn row_description(columns: &[Column]) -> Vec<u8> {
    let mut body = counted(columns.len()).to_vec();
    for Column { name, table, number, type_number, modifier } in columns {
        body.extend_from_slice(&[name.as_bytes(), b"\0", &table.to_be_bytes(), &number.to_be_bytes()].concat());
        body.extend_from_slice(&[&type_number.to_be_bytes()[..], &[0, 4], &modifier.to_be_bytes(), &[0, 1]].concat());
    }
    body
}

fn parameter_description(numbers: &[u32]) -> Vec<u8> {
    let numbers_bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    [&counted(numbers.len())[..], &numbers_bytes].concat()
}

fn is_of_a_user(number: u32) -> bool {
    number >= 16_384 || [2249, 2287].contains(&number)
}

fn row(columns: &[Option<String>]) -> Vec<u8> {
    let mut body = counted(columns.len()).to_vec();
    for column in columns {
        let length = column.as_ref().map_or(-1, |text| i32::try_from(text.len()).unwrap());
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(column.as_deref().unwrap_or_default().as_bytes());
    }
    body
}

/// Rows of each kind that the gateway asks for.
fn rows() -> Vec<Vec<u8>> {
    let text = |text: &str| Some(text.to_owned());
    let rows = [
        [text("s"), text("work_mem"), text("1MB")],
        [text("o"), text("t"), None],
        [text("l"), None, text("5s")],
        [text("n"), text("3"), None],
        [text("p"), text("name"), text("PREPARE name AS SELECT 1")],
    ];
    rows.iter().map(|columns| row(columns)).collect()
}

proptest! {
    #[test]
    fn arbitrary_and_damaged_descriptions_never_panic_and_are_read_no_further_than_announced(
        columns in vec(column(), 0..4),
        blown in damaged([row_description(&[Column {
            name: "name".to_owned(), table: 1247, number: 1, type_number: 26, modifier: u32::MAX,
        }]), parameter_description(&[23, 70_000])]),
        bytes: Vec<u8>,
        behind: Vec<u8>,
    ) {
        for body in [bytes, blown, row_description(&columns)] {
            let _form = is_binary_copy(&body);
            let longer = [&body[..], &behind].concat();
            if let Ok(described) = of_columns(7, &body) {
                prop_assert_eq!(of_columns(7, &longer), Ok(described));
            }
            if let Ok(described) = of_parameters(&body) {
                prop_assert_eq!(of_parameters(&longer), Ok(described));
            }
        }
    }

    #[test]
    fn columns_are_described_by_their_names_and_types_and_never_by_a_part_of_them(
        columns in vec(column(), 1..5), tables: [u32; 5], before: u64,
    ) {
        let body = row_description(&columns);
        let described = of_columns(before, &body).unwrap();
        if columns.iter().any(|column| is_of_a_user(column.type_number)) {
            prop_assert!(described.has_user_types);
        }
        // Numbers of types may be among the values only where the type is one of numbers.
        let may_hold = |column: &Column| is_of_a_user(column.type_number) || [26, 2206].contains(&column.type_number);
        prop_assert!(!described.has_user_types || columns.iter().any(may_hold));
        let elsewhere: Vec<_> =
            columns.iter().cloned().zip(tables).map(|(column, table)| Column { table, ..column }).collect();
        prop_assert_eq!(of_columns(before, &row_description(&elsewhere)).unwrap().digest, described.digest);
        let mut others = columns.clone();
        others[0].modifier ^= 1;
        prop_assert_ne!(of_columns(before, &row_description(&others)).unwrap().digest, described.digest);
        prop_assert_ne!(of_nothing(before), described.digest);
        for length in 0..body.len() {
            prop_assert!(of_columns(before, &body[..length]).is_err());
        }
    }

    #[test]
    fn the_types_of_parameters_are_found_in_a_description_and_in_a_parse(numbers in vec(type_number(), 0..9)) {
        let body = parameter_description(&numbers);
        let described = of_parameters(&body).unwrap();
        prop_assert_eq!(described.has_user_types, numbers.iter().any(|number| is_of_a_user(*number)));
        let parse = [b"name\0SELECT 1\0", &body[..]].concat();
        prop_assert_eq!(of_parameters(Parse::decode(&parse).unwrap().rest), Ok(described));
        for length in 0..body.len() {
            prop_assert!(of_parameters(&body[..length]).is_err());
        }
    }

    #[test]
    fn arbitrary_and_damaged_rows_of_an_answer_never_panic_and_are_kept_within_bounds(
        all in vec(prop_oneof![any::<Vec<u8>>(), damaged(rows())], 0..20),
    ) {
        let mut leavings = Leavings::default();
        for body in &all {
            let _read = leavings.read_row(body);
        }
        let settings = leavings.settings("ann");
        let bytes: usize = settings.iter().map(|(name, value)| name.len() + value.len()).sum();
        // Texts in another encoding than UTF-8 grow threefold at most.
        prop_assert!(bytes <= 3 * all.iter().map(Vec::len).sum::<usize>() + "statement_timeout".len());
        let _rest = (leavings.pins(), leavings.own_prepared(), leavings.prepared().count());
    }

    #[test]
    fn a_setting_and_a_statement_are_read_as_they_were_written(
        name in "[a-zA-Z._]{1,12}", value in ".{0,40}", text in option::of(".{0,40}"),
    ) {
        prop_assume!(!["role", "session_authorization"].contains(&name.to_ascii_lowercase().as_str()));
        let mut leavings = Leavings::default();
        leavings.read_row(&row(&[Some("s".to_owned()), Some(name.clone()), Some(value.clone())])).unwrap();
        leavings.read_row(&row(&[Some("p".to_owned()), Some(name.clone()), text.clone()])).unwrap();
        let settings = leavings.settings("ann");
        prop_assert_eq!(settings.get(&name.to_ascii_lowercase()), Some(value.as_str()));
        let text = text.unwrap_or_default();
        prop_assert_eq!(leavings.prepared().collect::<Vec<_>>(), [(name.as_str(), text.as_str())]);
    }
}

/// Those that are beside other decoders of the crate, too.
#[test]
fn what_was_promised_and_did_not_come_takes_no_memory() {
    within_memory(600, &["never_panic"]).unwrap();
}
