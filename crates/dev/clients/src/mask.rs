//! Numbers that a server gives out in turn: they differ from run to run, and say nothing of who is asked.

/// What stands before each.
const BEFORE: [&str; 4] =
    ["server process with PID ", "RI_ConstraintTrigger_a_", "RI_ConstraintTrigger_c_", "of schema pg_temp_"];

/// The text with those numbers replaced.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for before in BEFORE {
        let mut parts = masked.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        masked = parts.fold(first, |whole, part| {
            let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let number = if rest.len() == part.len() { "" } else { "N" };
            whole + before + number + rest
        });
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_are_given_out_in_turn_are_masked() {
        let text =
            "heard from server process with PID 27048.\nRI_ConstraintTrigger_a_12, RI_ConstraintTrigger_a_ and 345";
        let expected =
            "heard from server process with PID N.\nRI_ConstraintTrigger_a_N, RI_ConstraintTrigger_a_ and 345";
        assert_eq!(masked(text), expected);
        assert_eq!(masked("123"), "123");
    }
}
