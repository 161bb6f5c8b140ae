//! The fence and the critical section between real servers, with real routes in journals of both kinds; gateways and
//! streams are a test's own hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod behind;
mod commands;
mod crashes;
mod ended;
mod fence;
mod ground;
mod hand;
mod late;
mod open_elsewhere;
mod other_schema;
mod plans;
mod plans_of_others;
mod preflight;
mod preflight_servers;
mod prewarm;
mod report;
mod saga;
mod several;
mod several_interrupted;
mod switch;
mod unled;
