//! The binary `atalaya`: wiring only.

mod command;
mod cutover;
mod endpoints;
mod exit;
mod failpoints;
mod global;
mod journal;
mod logging;
mod on_source;
mod progress;
mod runtime;
mod size;
mod source_limits;
mod terms;

fn main() -> std::process::ExitCode {
    global::run()
}
