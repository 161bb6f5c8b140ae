//! The demo: fills an old server with a shop, keeps writing to it through a gateway, moves it live to a new one, leads the
//! clients there, back and there again, proves both equal.
//!
//! It is played as a DBA would play it: by the program's own verbs, run as processes of their own, and by what they
//! answer as JSON. Only the clients' side (the ledger) and the vandal's (one corrupted cell) are this crate's. It
//! prints nothing and reads no environment: the caller hands in the program, the folder and a [`atalaya_verbs::Narrator`].

mod corruption;
mod error;
mod follow;
mod front;
mod held;
mod judge;
mod lead;
mod options;
mod pauses;
mod play;
mod plot;
mod render;
mod report;
#[cfg(test)]
mod sample;
mod stage;
mod steps;
mod verbs;
mod writes;

pub use error::Error;
pub use options::Options;
pub use play::play;
pub use plot::Canvas;
pub use render::render_text;
pub use report::{
    Afterwards, Certificate, Copied, Corruption, Finish, Lag, Leading, Pause, PauseOutcome, Report, Series, Shop,
    StageTook, Step, Writes,
};
pub use stage::Stage;
