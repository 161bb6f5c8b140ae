//! What the steps do something to: a folder in which each key has at most one effect, whoever asks for it and how often.

use std::io::Write;
use std::path::{Path, PathBuf};

use atalaya_saga::{Outcome, Step, StepContext, Undone};

/// The target of steps; processes may share it.
#[derive(Clone, Debug)]
pub(crate) struct Target(PathBuf);

impl Target {
    pub(crate) fn at(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join("effects")).unwrap();
        Self(folder.to_owned())
    }

    /// Notes the request, and has its effect where the key has had none.
    pub(crate) fn ask(&self, key: &str) -> bool {
        let mut requests = std::fs::OpenOptions::new().create(true).append(true).open(self.0.join("requests")).unwrap();
        writeln!(requests, "{key}").unwrap();
        std::fs::OpenOptions::new().write(true).create_new(true).open(self.effect(key)).is_ok()
    }

    fn effect(&self, key: &str) -> PathBuf {
        self.0.join("effects").join(key.replace('/', "~"))
    }

    /// Every request in its order.
    pub(crate) fn requests(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join("requests")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many effects there were.
    pub(crate) fn effects(&self) -> usize {
        std::fs::read_dir(self.0.join("effects")).unwrap().count()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.effect(key).exists()
    }

    /// A file by which processes tell each other how far they are.
    pub(crate) fn flag(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A step that asks the target, and whose compensation does.
    pub(crate) fn step(&self, name: &str) -> Step {
        let (doing, undoing) = (self.clone(), self.clone());
        Step::new(name, move |context: StepContext| {
            doing.ask(&context.key);
            std::future::ready(Ok(Outcome::Done(serde_json::json!({ "by": context.step }))))
        })
        .undone_by(move |context: StepContext| {
            let happened = undoing.has(context.key.trim_end_matches("/undo"));
            undoing.ask(&context.key);
            std::future::ready(Ok(if happened { Undone::Undone } else { Undone::NeverHappened }))
        })
    }
}
