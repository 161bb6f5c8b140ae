//! `atalaya reference`: the generated pages of `docs/reference`, as one JSON object by file name.

use std::fmt::Write;

use clap::CommandFactory;

use crate::exit::{self, Failure};
use crate::global::{Arguments, Context};

pub(crate) fn run(context: &Context) -> Result<u8, Failure> {
    let pages = serde_json::json!({
        "cli.md": command_line(),
        "checks.md": atalaya_assess::render_reference(),
        "gateway-estate.md": atalaya_estate::render_gateway_reference(),
        "gateway-metrics.md": atalaya_gateway::render_metrics_reference(),
    });
    context.print(&pages.to_string(), &pages);
    Ok(exit::DONE)
}

fn command_line() -> String {
    let mut page = "# Command line\n".to_owned();
    let mut root = Arguments::command().term_width(100);
    root.build();
    describe(&mut page, &mut root, "atalaya");
    page
}

fn describe(page: &mut String, command: &mut clap::Command, path: &str) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _infallible = write!(page, "\n## `{path}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for child in command.get_subcommands_mut() {
        if child.is_hide_set() || child.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", child.get_name());
        describe(page, child, &path);
    }
}
