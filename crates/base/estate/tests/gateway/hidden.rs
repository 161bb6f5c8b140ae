//! Neither a password in the wrong place nor a verifier is shown, however the section is broken.

use std::path::Path;

use atalaya_estate::Estate;
use proptest::prelude::*;

use super::{VERIFIER, file};
use crate::{parse, rendered};

/// A password that is no accidental part of the rest: it begins and ends with a marker.
fn password() -> impl Strategy<Value = String> {
    "[!-~é ]{0,12}".prop_map(|middle| format!("Zq7{middle}7qZ"))
}

const BLOCK: &str = "  databases: { shop: { to: orders } }\n  users:\n    app:\n";

/// Where a person may write a password, after the head of [`BLOCK`].
const MISPLACED: &[&str] = &[
    "      verifier: {}\n      secrets: { shop: env:A }\n",
    "      verifier: '{}'\n      secrets: { shop: env:A }\n",
    "      verifier: [VERIFIER, {}]\n      secrets: { shop: env:A }\n",
    "      verifier: |\n        {}\n      secrets: { shop: env:A }\n",
    "      verifer: {}\n      secrets: { shop: env:A }\n",
    "      passwort: {}\n      colour: red\n",
    "      passwort:\n        - {}\n      colour: red\n",
    "      scram: \"{}\"\n      colour: red\n",
    "      verifier: VERIFIER\n      secrets: {}\n",
    "      verifier: VERIFIER\n      secrets: { {} }\n",
    "      verifier: VERIFIER\n      secrets: [env:A, '{}']\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: {}\n",
    "      verifier: VERIFIER\n      secrets:\n        other: env:A_PASSWORD\n        shop: {}\n",
    "      verifier: VERIFIER\n      secrets:\n        other: file:/run/secrets/x\n        shop: '{}'\n",
    "      verifier: VERIFIER\n      secrets:\n        other: x\n        shop: \"{}\"\n        third: y\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: { user: app, secret: {} }\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: { user: app, secrt: {} }\n",
    "      verifier: VERIFIER\n      secrets:\n        shop:\n          user: app\n          pw: {}\n",
    "      verifier: VERIFIER\n      secrts:\n        other: env:A\n        shop: {}\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: >\n          {}\n        colour: red\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: ! {}\n",
    "      verifier: !{}\n      secrets:\n        shop: env:A\n",
    "      verifier: &{}\n      secrets:\n        shop: env:A\n",
    "      verifier: *{}\n      secrets:\n        shop: env:A\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: !{}\n        colour: red\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: &{}\n        colour: red\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: *{}\n        colour: red\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: &{} x\n        colour: red\n",
    "      pw: *{}\n      colour: red\n",
    "      verifier: \"VERIFIER\n      secrets:\n        other: x\n        shop: {}\n",
    "      verifier: VERIFIER\n      secrets:\n        other: [x\n        shop: {}\n",
    "      verifier: VERIFIER\n      secrets:\n       other: x\n        shop: {}\n      : ]\n",
    "      verifier: VERIFIER\n      secrets:\n        shop: \"${WORD}\"\n",
    "      verifier: \"${WORD}\"\n      secrets:\n        shop: env:A\n",
    "      # verifier: {}\n      verifier: 1\n      secrets:\n        shop: env:A\n",
    "      secrets: { shop: env:A, colour: { secret: {} } }\n      verifier: 1\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_report_shows_a_password_in_the_wrong_place(
        password in password(),
        template in prop::sample::select(MISPLACED),
    ) {
        // `{ Zq7: 7qZ }` is a name and its secret: nobody can tell that it was meant as one.
        prop_assume!(!(template.contains("{ {} }") && password.contains(": ")));
        let text = file(&format!("{BLOCK}{template}")).replace("{}", &password);
        let lookup = |name: &str| match name {
            "WORD" => Some(password.clone()),
            _ => Some("postgres://u@h/d".to_owned()),
        };
        if let Err(errors) = Estate::parse(&text, Path::new("atalaya.yaml"), &lookup) {
            let shown = format!("{errors} {errors:?} {}", rendered(&errors));
            prop_assert!(!shown.contains("Zq7") && !shown.contains("7qZ"), "{}\n{}", text, shown);
        }
    }

    #[test]
    fn a_broken_section_is_read_without_panic_and_shows_no_verifier(
        cut in 0usize..600,
        junk in "[:{}\\[\\]*&!|>'\"#\\n \\-,a]{0,5}",
    ) {
        let text = file(
            "  listen: [127.0.0.1:1, \"/run:1\"]\n  users:\n    app:\n      verifier: VERIFIER\n      secrets:\n        \
             shop: { user: x, secret: env:A }\n  databases:\n    shop: { to: orders, check: always }\n",
        );
        // A verifier in two pieces is not known for one.
        let verifier = text.find(VERIFIER).unwrap();
        let is_within = (verifier..verifier + VERIFIER.len()).contains(&cut);
        let cut = if is_within { verifier } else { cut.min(text.len()) };
        let text = format!("{}{junk}{}", &text[..cut], &text[cut..]);
        let shown = match parse(&text) {
            Ok(estate) => format!("{estate:?}"),
            Err(errors) => format!("{errors:?} {}", rendered(&errors)),
        };
        prop_assert!(!shown.contains("c2FsdHNhbHRz") && !shown.contains("AQEBAQEB"), "{}\n{}", text, shown);
    }
}

#[test]
fn a_whole_gateway_can_be_printed() {
    let text = file(&format!("{BLOCK}      verifier: VERIFIER\n      secrets: {{ shop: env:A_PASSWORD }}\n"));
    let shown = format!("{:?}", parse(&text).unwrap());
    assert!(shown.contains("A_PASSWORD") && shown.contains("Verifier(***)"), "{shown}");
    assert!(!shown.contains(VERIFIER.split('$').next_back().unwrap()), "{shown}");
}

#[test]
fn a_report_beside_secrets_shows_their_names_and_places() {
    let text = file(&format!(
        "{BLOCK}      verifier: VERIFIER\n      secrets:\n        shop: env:A_PASSWORD\n        shpo: env:B_PASSWORD\n        \
         third: hunter2\n"
    ));
    let report = rendered(&parse(&text).unwrap_err());
    for part in ["shop: env:A_PASSWORD", "shpo: env:B_PASSWORD", "third: ***", "did you mean `shop`?"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("hunter2"), "{report}");
}
