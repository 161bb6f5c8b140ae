//! A mapping whose keys are known: each read by name, with what is wrong collected.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Form, Key, Number};
use crate::ListenAddress;
use crate::file::reader::{Reader, Text, quoted_list, suggestion};
use crate::file::tree::{Entry, Node, Value};
use crate::file::values::number_of;

/// Which addresses a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sockets {
    TcpAndUnix,
    TcpOnly,
}

/// The known entries of one mapping.
pub(crate) struct Fields<'node> {
    /// The mapping in messages, for example "gateway user `app`".
    pub(crate) what: String,
    entries: Vec<&'node Entry>,
}

impl<'node> Fields<'node> {
    /// Takes a mapping; unknown and missing keys are told, the latter at `at`.
    pub(crate) fn new(
        reader: &mut Reader<'_>,
        node: &'node Node,
        at: &Range<usize>,
        what: String,
        keys: &[Key],
    ) -> Self {
        let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
        let required: Vec<&str> =
            keys.iter().filter(|key| matches!(key.form, Form::Required(_))).map(|key| key.name).collect();
        let entries = reader.entries(node, &what, &known);
        if matches!(node.value, Value::Map(_)) {
            reader.require(&entries, at, &what, &required);
        }
        Self { what, entries }
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&'node Entry> {
        self.entries.iter().find(|entry| entry.key == name).copied()
    }

    pub(crate) fn node(&self, name: &str) -> Option<&'node Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// A key in messages.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("`{name}` of {}", self.what)
    }

    pub(crate) fn text(&self, reader: &mut Reader<'_>, name: &str) -> Option<Text> {
        let text = reader.text(self.node(name)?, &self.named(name))?;
        if text.value.trim().is_empty() {
            reader.report("estate::empty", &text.span, "nothing here", format!("{} is empty", self.named(name)), None);
            return None;
        }
        Some(text)
    }

    /// A path, taken from the folder of the estate file when it is relative.
    pub(crate) fn path(&self, reader: &mut Reader<'_>, name: &str) -> Option<PathBuf> {
        self.text(reader, name).map(|text| reader.folder.join(text.value))
    }

    /// A number that was given, or else the default.
    pub(crate) fn number(&self, reader: &mut Reader<'_>, name: &str, limit: Number) -> Option<NonZeroU32> {
        match self.node(name) {
            Some(node) => number_of(reader, node, &self.named(name), limit.most),
            None => limit.default.and_then(NonZeroU32::new),
        }
    }

    pub(crate) fn seconds(&self, reader: &mut Reader<'_>, name: &str, limit: Number) -> Option<Duration> {
        self.number(reader, name, limit).map(|seconds| Duration::from_secs(seconds.get().into()))
    }

    /// One of a few words, the first of which is the default.
    pub(crate) fn word<T: Copy + Default>(
        &self,
        reader: &mut Reader<'_>,
        name: &str,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let Some(node) = self.node(name) else { return Some(T::default()) };
        let text = reader.text(node, &self.named(name))?;
        let found = all.iter().copied().find(|each| word(*each) == text.value);
        if found.is_none() {
            let message = format!("unknown word `{}` for {}", reader.shown(&text.raw, &text.span), self.named(name));
            let words = || all.iter().map(|each| word(*each));
            let hint = suggestion(&text.raw, words()).unwrap_or_else(|| format!("known: {}", quoted_list(words())));
            reader.report("estate::unknown_word", &text.span, "not known", message, hint);
        }
        found
    }

    /// An address to listen on, and where it stands.
    pub(crate) fn address(
        &self,
        reader: &mut Reader<'_>,
        name: &str,
        sockets: Sockets,
    ) -> Option<(ListenAddress, Range<usize>)> {
        let text = self.text(reader, name)?;
        address_of(reader, &text, &self.named(name), sockets)
    }
}

/// Reads an address to listen on.
pub(crate) fn address_of(
    reader: &mut Reader<'_>,
    text: &Text,
    what: &str,
    sockets: Sockets,
) -> Option<(ListenAddress, Range<usize>)> {
    let shown = reader.shown(&text.raw, &text.span);
    match text.value.parse::<ListenAddress>() {
        Ok(ListenAddress::Unix { .. }) if sockets == Sockets::TcpOnly => {
            let hint = "write `host:port`".to_owned();
            let message = format!("`{shown}` for {what}: a Unix socket cannot be used here");
            reader.report("estate::address", &text.span, "not usable", message, hint);
            None
        }
        Ok(address) => Some((address, text.span.clone())),
        Err(error) => {
            let message = format!("`{shown}` for {what}: {error}");
            reader.report("estate::address", &text.span, "not usable", message, error.hint().to_owned());
            None
        }
    }
}
