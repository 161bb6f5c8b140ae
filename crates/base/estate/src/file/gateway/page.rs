//! The reference page of the section, from the same definitions that the reader uses.

use std::fmt::Write;

use super::keys::{self, AtReload, Form, Key};

/// The reference of the section `gateway`, as Markdown.
#[must_use]
pub fn render_gateway_reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for (title, keys) in [
        ("`gateway`", keys::GATEWAY),
        ("`gateway.tls`", keys::TLS),
        ("`gateway.admin`", keys::ADMIN),
        ("`gateway.users.NAME`", keys::USER),
        ("`gateway.users.NAME.secrets.DATABASE`, where it is a mapping", keys::LOGIN),
        ("`gateway.databases.NAME`", keys::DATABASE),
    ] {
        let _infallible =
            write!(page, "\n## {title}\n\n| key | value | default | a change needs | |\n|---|---|---|---|---|\n");
        for key in keys {
            row(&mut page, key);
        }
    }
    page
}

fn row(page: &mut String, key: &Key) {
    let (value, default) = match key.form {
        Form::Required(value) => (value.to_owned(), "has to be there".to_owned()),
        Form::Optional(value, default) => (value.to_owned(), default.to_owned()),
        Form::Number(number) => (
            format!("1 to {}", number.most),
            number.default.map_or_else(|| "chosen by the program".to_owned(), |default| default.to_string()),
        ),
        Form::Words([first, second]) => (format!("`{first}` or `{second}`"), format!("`{first}`")),
    };
    let change = match key.at_reload {
        AtReload::Applied => "a reload",
        AtReload::NeedsRestart => "a restart",
    };
    let _infallible = writeln!(page, "| `{}` | {value} | {default} | {change} | {} |", key.name, key.meaning);
}

const INTRODUCTION: &str = "# The section `gateway` of the estate file

It configures `atalaya gateway run`. Unknown keys, names that lead nowhere and contradictions are told with file, line and
column before anything is opened.

```yaml
gateway:
  listen: 127.0.0.1:6432
  tls: { certificate: server.crt, key: server.key, required: true }
  users:
    app:
      verifier: \"${APP_VERIFIER}\"
      secrets:
        shop: env:SHOP_APP_PASSWORD
        legacy: { user: app_rw, secret: file:/run/secrets/legacy }
  databases:
    shop: { to: orders }
    legacy: { to: orders-green, pooling: session, servers_max: 5 }
```

- Paths are taken from the folder of the estate file, unless they are absolute. Files are looked into when the gateway
  starts and at each reload, not when the estate file is read.
- `${NAME}` stands for the value of a variable, `$$` for a dollar sign.
- A password is written nowhere in this section: clients prove theirs against a verifier, and what the gateway uses at the
  servers stays in variables (`env:NAME`) or in files that only their owner may use (`file:PATH`). Neither a verifier nor
  what stands in place of a secret is repeated by any message.
- An IPv6 address needs quotes, since brackets begin a list in YAML.
";
