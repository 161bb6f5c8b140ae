//! What a startup packet asks for, on arbitrary and on damaged texts.

use std::collections::BTreeMap;

use atalaya_damage::damaged;
use atalaya_estate::Verifier;
use atalaya_pgwire::server::{FirstPacket, ScramVerifier, StartupRequest, first_packet};
use proptest::collection::btree_map;
use proptest::prelude::*;

use super::startup::{refuse_replication, settings};

fn request(parameters: &[(&str, &str)]) -> StartupRequest {
    let owned = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    StartupRequest { minor: 0, parameters: owned.collect(), unknown_options: Vec::new() }
}

/// As `PGOPTIONS` has to be written.
fn escaped(value: &str) -> String {
    value
        .chars()
        .flat_map(|each| (each.is_ascii_whitespace() || each == '\\').then_some('\\').into_iter().chain([each]))
        .collect()
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn packet(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat()
}

/// What becomes of a startup packet up to its settings.
fn ask(request: &StartupRequest) -> usize {
    let _refused = refuse_replication(request);
    settings(request).map_or(0, |settings| settings.len())
}

/// That of the password "pencil" in RFC 7677, as `users` of the estate has it.
const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
    $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

proptest! {
    #[test]
    fn arbitrary_and_damaged_verifiers_never_panic_and_one_that_the_estate_takes_can_be_proven_by(
        text in prop_oneof![any::<String>().boxed(), damaged([VERIFIER]).prop_map(lossy).boxed()],
    ) {
        if let Ok(verifier) = text.parse::<Verifier>() {
            prop_assert!(verifier.expose().parse::<ScramVerifier>().is_ok());
        }
    }

    #[test]
    fn arbitrary_and_damaged_options_never_panic(
        options in prop_oneof![
            any::<String>(),
            "[-c=a \\\\]{0,40}",
            damaged([r"-c a.b=it\ is -cwork_mem=1MB --lock-timeout=5"]).prop_map(lossy),
        ],
        replication: String,
    ) {
        let asked = ask(&request(&[("user", "a"), ("options", &options), ("replication", &replication)]));
        // Each takes a name and a sign.
        prop_assert!(asked <= options.len() / 2);
    }

    #[test]
    fn options_are_read_as_they_were_written(wanted in btree_map("[a-z_.]{1,9}", ".{0,12}", 0..6)) {
        let options: Vec<String> =
            wanted.iter().map(|(name, value)| format!("-c {name}={}", escaped(value))).collect();
        let read = settings(&request(&[("user", "a"), ("options", &options.join(" \n"))])).unwrap();
        let read: BTreeMap<String, String> =
            read.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn damaged_packets_never_panic_and_ask_for_no_more_settings_than_they_name(
        bytes in damaged([packet(
            b"\0\x03\0\0user\0app\0database\0shop\0options\0-c a.b=c --d=e\0DateStyle\0ISO\0replication\0off\0\0",
        )]),
    ) {
        if let Ok(Some((FirstPacket::Startup(request), _))) = first_packet(&bytes) {
            prop_assert!(ask(&request) <= bytes.len() / 2, "a setting has a name and an end");
        }
    }
}
