//! Rust text with everything blanked that is no code: comments, strings, test modules.
//!
//! Not a parser: it knows just enough of the lexical rules to find where code is. Line numbers stay.

/// The text with comments and literals replaced by spaces, and `#[cfg(test)]` items blanked.
pub(crate) fn without_tests(text: &str) -> String {
    let code = code_only(text);
    let mut kept = String::with_capacity(code.len());
    let mut skipping = Skip::No;
    for line in code.lines() {
        if skipping == Skip::No && line.split_whitespace().collect::<String>().starts_with("#[cfg(test)]") {
            skipping = Skip::Until { depth: 0, opened: false };
        }
        match skipping {
            Skip::No => kept.push_str(line),
            Skip::Until { depth, opened } => skipping = after(line, depth, opened),
        }
        kept.push('\n');
    }
    kept
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Skip {
    No,
    Until { depth: usize, opened: bool },
}

/// Whether the item goes on: it ends with its closing brace, or with `;` before any brace.
fn after(line: &str, mut depth: usize, mut opened: bool) -> Skip {
    for letter in line.chars() {
        match letter {
            '{' => (depth, opened) = (depth + 1, true),
            '}' => depth = depth.saturating_sub(1),
            ';' if !opened => return Skip::No,
            _ => {}
        }
        if opened && depth == 0 {
            return Skip::No;
        }
    }
    Skip::Until { depth, opened }
}

fn code_only(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        let end = skipped(&letters, at, code.chars().next_back());
        if end == at {
            code.push(*letter);
            at += 1;
            continue;
        }
        for blanked in letters.get(at..end).unwrap_or_default() {
            code.push(if *blanked == '\n' { '\n' } else { ' ' });
        }
        at = end;
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins.
fn skipped(letters: &[char], at: usize, before: Option<char>) -> usize {
    let rest = letters.get(at..).unwrap_or_default();
    let in_name = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let end = match rest {
        ['/', '/', ..] => rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => quoted(rest, '"'),
        ['r', '"' | '#', ..] if !in_name => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !in_name => raw_string(rest, 2),
        // A lifetime has no closing quote so near.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted(rest, '\''),
        _ => 0,
    };
    at + end
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            ['/', '*'] => (depth, at) = (depth + 1, at + 2),
            ['*', '/'] => (depth, at) = (depth.saturating_sub(1), at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(letter) = rest.get(at) {
        match letter {
            '\\' => at += 2,
            letter if *letter == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[char], prefix: usize) -> usize {
    let after_prefix = rest.get(prefix..).unwrap_or_default();
    let hashes = after_prefix.iter().take_while(|letter| **letter == '#').count();
    if after_prefix.get(hashes) != Some(&'"') {
        return 0; // a raw identifier
    }
    let mut at = prefix + hashes + 1;
    while let Some(letter) = rest.get(at) {
        let closing = rest.get(at + 1..at + 1 + hashes).is_some_and(|tail| tail.iter().all(|letter| *letter == '#'));
        if *letter == '"' && closing {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_outside_tests_is_left() {
        let text = "a(); // x\n/* x /* x */ x */ b(\"x\\\"x\", r#\"x\"x\"#, 'x', '\\'', br\"x\");\nlet c: &'x str;\n";
        let left: String = without_tests(text).split_whitespace().collect();
        assert_eq!(left, "a();b(,,,,);letc:&'xstr;");
    }

    #[test]
    fn test_items_are_blanked_and_what_follows_is_kept() {
        let text = "a();\n#[cfg(test)]\nmod tests {\n  fn f() { \"}\"; x() }\n}\nb();\n#[cfg(test)]\nmod t;\nc();\n";
        let left: Vec<String> = without_tests(text).lines().map(str::to_owned).collect();
        assert_eq!(left, ["a();", "", "", "", "", "b();", "", "", "c();"]);
    }
}
