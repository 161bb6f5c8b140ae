//! A password leaves through one door only, whatever it is made of and however the file is broken.

use std::error::Error;
use std::path::Path;

use atalaya_estate::{ConnectionUrl, Estate};
use proptest::prelude::*;

use crate::rendered;

/// Percent-encodes everything but letters and digits.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Passwords that are no accidental part of the rest: they begin and end with a marker.
fn password() -> impl Strategy<Value = String> {
    "[!-~é ]{0,12}".prop_map(|middle| format!("Zq7{middle}7qZ"))
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        text += &format!(" {inner} {inner:?}");
        source = inner.source();
    }
    text
}

fn leaks(text: &str, password: &str) -> bool {
    text.contains(password) || text.contains("Zq7") || text.contains("7qZ") || text.contains(&encoded(password))
}

proptest! {
    #[test]
    fn an_encoded_password_is_kept_and_never_shown(password in password()) {
        let text = format!("postgres://ann:{}@db.example/shop", encoded(&password));
        let resolved = ConnectionUrl::resolve(&text, &|_| None).unwrap();
        prop_assert_eq!(resolved.url.password(), Some(password.as_str()));
        let shown = format!("{} {resolved:?} {:?}", resolved.url, resolved.url);
        prop_assert!(!leaks(&shown, &password), "{}", shown);
    }

    #[test]
    fn a_raw_or_broken_url_never_shows_its_password(
        password in password(),
        template in prop::sample::select(vec![
            "postgres://ann:{}@h/d", "postgres://ann:{}@h:x/d", "postgres://ann:{}@h", "mysql://ann:{}@h/d",
            "postgres://ann:{}@h/d?sslmode=never", "postgres://ann:{}@h/d?colour=red", "postgres://ann:{}", "{}", "env:{}",
            "postgres://ann:x@h/d?password={}", "postgres://ann:{}@[::1/d", "postgres://ann:{}%ff@h/d",
        ]),
    ) {
        let text = template.replace("{}", &password);
        let shown = match ConnectionUrl::resolve(&text, &|_| None) {
            // `postgres://ann:x@0/y` is whole: nobody can tell that it was meant as a beginning.
            Ok(_) if template == "postgres://ann:{}" => String::new(),
            Ok(resolved) => format!("{} {resolved:?}", resolved.url),
            // The name after `env:` is a name, shown only when it can be one.
            Err(_) if template == "env:{}" && password.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => String::new(),
            Err(error) => with_sources(&error),
        };
        prop_assert!(!leaks(&shown, &password), "{}", shown);
    }

    #[test]
    fn no_report_of_an_estate_shows_a_password(
        password in password(),
        template in prop::sample::select(vec![
            "estate: a\ndatabases:\n  x: { engine: postgres, url: \"postgres://u:{}@h/d\", colour: red }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: 'postgres://u:{}@h', colour: red }\n",
            "estate: a\ndatabases:\n  x:\n    url: postgres://u:{}@h/d\n    engin: postgres\n",
            "estate: a\ndatabases:\n  x:\n    engine: postgres\n    url: postgres://u@h/d\n    password: {}\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: 'postgres://u@h/d', \"db_password\": \"{}\" }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: postgres://u@h/d?password={} }\n",
            "estate: a\n# url: postgres://u:{}@h/d\ndatabases: 1\n",
            "estate: a # password is {}: keep\n# password: {}\ndatabases: 1\n",
            "estate: a\ndatabases: { x: { url: \"postgres://u:{}@h/d\"\n",
            "estate: a\ndatabases:\n  x: { url: \"postgres://u:{}\n",
            "estate: a\ndatabases:\n  x: { url: \"postgres://u:\n     {}@h/d\"\n   y: ]\n",
            "estate: a\ndatabases:\n  x: { engine: \"postgres://u:{}@h/d\" }\n",
            "estate: a\nservices:\n  x: { database: \"postgres://u:{}@h/d\" }\n",
            "estate: a\npostgres://u:{}@h/d: x\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: \"postgres:\\x2f\\x2fu:{}@h/d\", colour: red }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: \"${SECRET}\", colour: red }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: \"postgres://u:${WORD}@h/d?colour=x\" }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: postgres://u:{}@h/d, colour: red }\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: postgres://u:{}@h/d, colour: red }\n  y: 1\n\n\n\n\n# end\n",
            "estate: a\ndatabases:\n  x: { engine: postgres, url: 'host=h user=u password={} dbname=d' }\n  y: 1\n",
            "estate: a\ndatabases:\n  x:\n    password: |\n      first\n      {}\n    engine: postgres\n",
            "estate: a\ndatabases:\n  x:\n    password: [x, '{}']\n    engine: postgres\n",
            "estate: a\ndatabases:\n  x:\n    secret:\n      value: '{}'\n    engine: postgres\n",
            "estate: a\ndatabases:\n  x:\n    password: !{}\n    engine: postgres\n",
            "estate: a\ndatabases:\n  x:\n    password: &{}\n    engine: postgres\n",
            "estate: a\ndatabases:\n  x:\n    password: *{}\n    engine: postgres\n",
            "estate: a\r\ndatabases:\r\n  x: { engin: postgres, url: 'postgres://u:{}@h/d' }\r\n",
            "estate: a\ndatabases:\n  x: &x { engine: postgres, url: 'postgres://u:{}@h/d', no: 1 }\n  y: *x\nz: *x\n",
            "estate: a\ndatabases:\n  x: !secret 'postgres://u:{}@h/d'\n",
            "estate: a\ndatabases:\n  x: { engine: \"${WORD}\", url: \"${WORD}\" }\nmigrations: { m: { source: \"${WORD}\", target: \"${WORD}\", tables: [\"${WORD} \"], conflicts: \"${WORD}\" } }\n",
        ]),
    ) {
        let text = template.replace("{}", &password);
        let lookup = |name: &str| match name {
            "SECRET" => Some(format!("postgres://u:{password}@h")),
            "WORD" => Some(password.clone()),
            _ => None,
        };
        let shown = match Estate::parse(&text, Path::new("atalaya.yaml"), &lookup) {
            Ok(estate) => format!("{estate:?}"),
            Err(errors) => format!("{errors} {errors:?} {}", rendered(&errors)),
        };
        prop_assert!(!leaks(&shown, &password), "{}", shown);
    }
}
