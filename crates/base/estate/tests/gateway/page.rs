//! The reference page says what the reader does.

use atalaya_estate::render_gateway_reference;

use super::{gateway, with_settings};
use crate::parse;

#[test]
fn the_example_of_the_page_is_read() {
    let page = render_gateway_reference();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let databases = "estate: a\ndatabases:\n  orders: { engine: postgres, url: '${USERS_URL}' }\n  \
                     orders-green: { engine: postgres, url: '${ORDERS_URL}' }\n";
    let text = format!("{databases}{example}").replace("${APP_VERIFIER}", super::VERIFIER);
    let estate = parse(&text).unwrap();
    assert_eq!((estate.warnings().len(), estate.gateway.unwrap().databases.len()), (0, 2));
}

#[test]
fn every_row_has_five_cells_and_defaults_are_the_readers() {
    let page = render_gateway_reference();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(row.matches(" | ").count(), 4, "{row}");
    }
    let gateway = gateway(&with_settings(""));
    let shop = &gateway.databases["shop"];
    for row in [
        format!("| `listen` | an address, or a list of them | {} |", gateway.listen[0]),
        format!("| `clients_max` | 1 to 1000000 | {} |", gateway.clients_max),
        format!("| `servers_max` | 1 to 10000 | {} |", shop.servers_max),
        format!("| `wait_seconds` | 1 to 3600 | {} |", shop.wait_limit.as_secs()),
        format!("| `pooling` | `transaction` or `session` | `{}` |", shop.pooling.word()),
        format!("| `check` | `statements` or `always` | `{}` |", shop.session_check.word()),
        "| `workers` | 1 to 64 | chosen by the program | a restart |".to_owned(),
    ] {
        assert!(page.contains(&row), "{row} in {page}");
    }
}
