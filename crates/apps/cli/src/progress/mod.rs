//! Progress on stderr: a bar on a terminal, otherwise one JSON line a step.

mod demo;
mod migration;
mod validation;

pub(crate) use demo::DemoProgress;
pub(crate) use migration::Progress;
pub(crate) use validation::ValidationProgress;
