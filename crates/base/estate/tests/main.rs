//! The estate file and connection URLs, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

mod diagnostics;
mod estate;
mod gateway;
mod patterns;
mod references;
mod secrets;

use std::path::Path;

use atalaya_estate::{Estate, EstateErrors};

/// Parses with the variables of the design's example set.
fn parse(text: &str) -> Result<Estate, EstateErrors> {
    Estate::parse(text, Path::new("atalaya.yaml"), &|name| {
        let url = match name {
            "USERS_URL" => "postgres://app@users.example/users",
            "ORDERS_URL" => "postgres://app:hunter2@old.example/orders",
            "ORDERS_GREEN_URL" => "postgres://app:hunter2@new.example/orders",
            _ => return None,
        };
        Some(url.to_owned())
    })
}

/// As a terminal without colours would show it.
fn rendered(errors: &EstateErrors) -> String {
    let mut text = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor()).with_width(160);
    for problem in errors.problems() {
        handler.render_report(&mut text, problem).unwrap();
    }
    text
}
