//! `ALTER ROLE/DATABASE ... SET` as SQL, written once: no text of ours shows what an application keeps there.

use atalaya_data::{quote_identifier, quote_literal};

/// Settings that hold a list of names, which the server stores quoted one by one (`GUC_LIST_QUOTE`).
const LISTS: [&str; 6] = [
    "search_path",
    "temp_tablespaces",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
];

/// What a setting is set for, as in `ALTER <scope> SET`.
#[must_use]
pub fn setting_scope(role: Option<&str>, database: Option<&str>) -> String {
    match (role, database) {
        (Some(role), Some(database)) => {
            format!("ROLE {} IN DATABASE {}", quote_identifier(role), quote_identifier(database))
        }
        (Some(role), None) => format!("ROLE {}", quote_identifier(role)),
        (None, Some(database)) => format!("DATABASE {}", quote_identifier(database)),
        (None, None) => "ROLE ALL".to_owned(),
    }
}

/// The statement that sets `name` as it stands in `pg_db_role_setting`.
///
/// Only the server's own settings show their value: none that may be set for a role or database holds a secret.
/// One with a dot belongs to an application or extension, which may keep a key or password in it; it becomes a
/// comment that names it, so that a script of many such statements still runs.
#[must_use]
pub fn setting_sql(scope: &str, name: &str, value: &str) -> String {
    if name.contains('.') {
        let quoted: Vec<String> = name.split('.').map(quote_identifier).collect();
        let line = format!("ALTER {scope} SET {} = '...';", quoted.join("."));
        return format!("-- the value is the application's and not shown: {}", line.replace(['\n', '\r'], " "));
    }
    let value = match LISTS.contains(&name.to_lowercase().as_str()).then(|| elements(value)).flatten() {
        Some(elements) => elements.iter().map(|element| quote_literal(element)).collect::<Vec<_>>().join(", "),
        None => quote_literal(value),
    };
    format!("ALTER {scope} SET {} = {value};", if is_plain(name) { name.to_owned() } else { quote_identifier(name) })
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_')
}

/// The names of a stored list; none when it is no list. Never passed on as they stand: without quotes the server
/// takes any character but space and comma, and so a name could bring SQL of its own.
fn elements(list: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let after = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut name = String::new();
                let mut after = quoted;
                loop {
                    let (part, more) = after.split_once('"')?;
                    name.push_str(part);
                    match more.strip_prefix('"') {
                        Some(more) => {
                            name.push('"');
                            after = more;
                        }
                        None => {
                            found.push(name);
                            break more;
                        }
                    }
                }
            }
            None => {
                let end = rest.find([',', ' ', '\t', '\n']).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                found.push(name.to_owned());
                after
            }
        };
        rest = match after.trim_start() {
            "" => "",
            more => more.strip_prefix(',')?.trim_start(),
        };
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_applications_never_show_their_value() {
        let sql = setting_sql("DATABASE \"shop\"", "app.jwt_secret", "hunter2");
        assert!(!sql.contains("hunter2") && sql.starts_with("-- ") && sql.contains("\"app\".\"jwt_secret\""), "{sql}");
        assert!(!setting_sql("ROLE \"a\"", "app.x\nDROP TABLE t;", "").contains('\n'));
    }

    #[test]
    fn a_list_is_quoted_name_by_name_and_other_values_as_one() {
        let sql = |name, value| setting_sql("ROLE \"a\"", name, value);
        assert_eq!(
            sql("search_path", "\"$user\", public, \"o\"\"dd, one\""),
            "ALTER ROLE \"a\" SET search_path = '$user', 'public', 'o\"dd, one';"
        );
        assert_eq!(sql("search_path", "\"\""), "ALTER ROLE \"a\" SET search_path = '';");
        assert_eq!(sql("search_path", "a;DROP"), "ALTER ROLE \"a\" SET search_path = 'a;DROP';");
        assert_eq!(sql("work_mem", "64MB"), "ALTER ROLE \"a\" SET work_mem = '64MB';");
        assert_eq!(sql("DateStyle", "ISO, DMY"), "ALTER ROLE \"a\" SET DateStyle = 'ISO, DMY';");
    }

    #[test]
    fn a_scope_names_role_and_database() {
        assert_eq!(setting_scope(Some("a"), Some("d")), "ROLE \"a\" IN DATABASE \"d\"");
        assert_eq!(setting_scope(Some("a"), None), "ROLE \"a\"");
        assert_eq!(setting_scope(None, Some("d")), "DATABASE \"d\"");
        assert_eq!(setting_scope(None, None), "ROLE ALL");
    }
}
