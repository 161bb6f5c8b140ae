//! The times that clients were held, for people: a table, the whole run, and what stood around each of them.

use std::fmt::Write;

use atalaya_verbs::{grouped, number};

use crate::plot::{Canvas, Held, Mark, column_ms, overview, zoom};
use crate::report::{Leading, Pause, PauseOutcome, Report};

/// Table and plots.
pub(crate) fn render(text: &mut String, report: &Report, canvas: Canvas) {
    table(text, report);
    let marks: Vec<Mark> = signed(report).map(|(sign, pause)| Mark { at_ms: pause.at_ms, sign }).collect();
    let _infallible = writeln!(text);
    indented(text, &overview(&report.series, &marks, canvas));
    for (sign, pause) in signed(report) {
        let held = Held { from_ms: pause.at_ms, until_ms: (pause.at_ms * 1_000 + pause.pause_us).div_ceil(1_000) };
        let column = column_ms(held, &pause.around);
        let _infallible = writeln!(
            text,
            "\n  {sign} {}: clients held for {:.1} ms; commits per {column} ms, time from its begin",
            name(pause.what),
            number(pause.pause_us) / 1e3
        );
        indented(text, &zoom(&pause.around, held, canvas));
    }
}

fn indented(text: &mut String, lines: &[String]) {
    for line in lines {
        let _infallible = writeln!(text, "  {line}");
    }
}

/// Each pause with the sign that stands for it in the plot of the whole run.
fn signed(report: &Report) -> impl Iterator<Item = (char, &Pause)> {
    ('1'..='9').chain('a'..='z').zip(&report.pauses)
}

fn name(what: Leading) -> &'static str {
    match what {
        Leading::Rehearsal => "rehearsal",
        Leading::Cutover => "cutover",
        Leading::Rollback => "rollback",
    }
}

fn table(text: &mut String, report: &Report) {
    let _infallible = writeln!(
        text,
        "\n  {:<14}{:>9}{:>12}{:>15}{:>18}{:>9}{:>13}",
        "clients held", "at", "pause", "no commit for", "longest answer", "clients", "rows proven"
    );
    for (sign, pause) in signed(report) {
        let _infallible = writeln!(
            text,
            "  {sign} {:<12}{:>7.1} s{:>9.1} ms{:>12} ms{:>15.1} ms{:>9}{:>13}",
            name(pause.what),
            number(pause.at_ms) / 1e3,
            number(pause.pause_us) / 1e3,
            pause.no_commit_ms,
            number(pause.longest_wait_us) / 1e3,
            pause.clients_held,
            grouped(pause.rows_proven)
        );
        let stages: Vec<String> =
            pause.stages.iter().map(|stage| format!("{} {:.1}", stage.stage, number(stage.took_us) / 1e3)).collect();
        if !stages.is_empty() {
            let _infallible = writeln!(text, "      in ms: {}", stages.join(", "));
        }
        if let PauseOutcome::Closed { reason } = &pause.outcome {
            let _infallible =
                writeln!(text, "      broken off, with clients where they were, and tried again: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::report;

    #[test]
    fn each_pause_is_a_row_a_sign_on_the_axis_and_a_plot_of_its_own() {
        let mut text = String::new();
        render(&mut text, &report(), Canvas::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        let row = "  3 rollback       30.0 s     83.4 ms          80 ms           91.2 ms       16        1,234";
        assert!(lines.contains(&row), "{text}");
        assert_eq!(lines.iter().filter(|line| line.trim() == "in ms: drain 4.5").count(), 4, "{text}");
        let signs = lines.iter().find(|line| line.split_whitespace().eq(["1", "2", "3", "4"]));
        assert!(signs.is_some(), "{text}");
        let title = "  2 cutover: clients held for 83.4 ms; commits per 20 ms, time from its begin";
        assert!(lines.contains(&title), "{text}");
        // A gap of four columns in each plot, named below it.
        assert_eq!(lines.iter().filter(|line| line.trim() == "^^^^^").count(), 4, "{text}");
    }

    #[test]
    fn what_was_broken_off_says_why() {
        let mut report = report();
        report.pauses[1].outcome = PauseOutcome::Closed { reason: "drain was not done".into() };
        let mut text = String::new();
        render(&mut text, &report, Canvas::PLAIN);
        assert!(
            text.contains("broken off, with clients where they were, and tried again: drain was not done"),
            "{text}"
        );
    }
}
