//! Counts and times the steps of the play.

use std::sync::Arc;
use std::time::Instant;

use atalaya_verbs::{Event, Narrator};

use crate::report::Step;

/// How many there are.
const STEPS: u32 = 15;

/// The steps until now.
pub(crate) struct Steps {
    narrator: Arc<dyn Narrator>,
    done: Vec<Step>,
    began: Instant,
}

impl Steps {
    pub(crate) fn new(narrator: Arc<dyn Narrator>) -> Self {
        Self { narrator, done: Vec::new(), began: Instant::now() }
    }

    pub(crate) fn begin(&mut self, title: &str) {
        self.end();
        self.done.push(Step { title: title.to_owned(), seconds: 0.0 });
        let number = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        self.narrator.tell(&Event::Step { number, all: STEPS, title: title.to_owned() });
    }

    fn end(&mut self) {
        if let Some(step) = self.done.last_mut() {
            step.seconds = self.began.elapsed().as_secs_f64();
        }
        self.began = Instant::now();
    }

    pub(crate) fn came_to(&self, text: String) {
        self.narrator.tell(&Event::Result { text });
    }

    pub(crate) fn into_done(mut self) -> Vec<Step> {
        self.end();
        self.done
    }
}
