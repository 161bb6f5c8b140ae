//! Progress on stderr: a bar on a terminal, otherwise one JSON line a step.

mod migration;
mod play;
mod prewarm;
mod validation;

pub(crate) use migration::Progress;
pub(crate) use play::PlayProgress;
pub(crate) use prewarm::PrewarmProgress;
pub(crate) use validation::ValidationProgress;
