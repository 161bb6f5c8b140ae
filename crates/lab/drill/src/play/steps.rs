//! Tells the steps and what each came to.

use std::sync::Arc;

use atalaya_verbs::{Event, Narrator};

const STEPS: u32 = 8;

/// Tells the steps.
pub(super) struct Steps {
    pub(super) narrator: Arc<dyn Narrator>,
    done: u32,
}

impl Steps {
    pub(super) fn tell_to(narrator: Arc<dyn Narrator>) -> Self {
        Self { narrator, done: 0 }
    }

    pub(super) fn begin(&mut self, title: impl Into<String>) {
        self.done += 1;
        self.narrator.tell(&Event::Step { number: self.done, all: STEPS, title: title.into() });
    }

    pub(super) fn came_to(&self, text: impl Into<String>) {
        self.narrator.tell(&Event::Result { text: text.into() });
    }
}
