//! The binary `atalaya`: wiring only.

mod command;
mod exit;
mod global;

fn main() -> std::process::ExitCode {
    global::run()
}
