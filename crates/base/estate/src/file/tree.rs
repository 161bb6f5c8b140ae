//! From YAML text to a small tree in which every key and value knows where it stands.
//!
//! It reads parser events instead of deserialising, because a deserialiser stops at its first error and
//! loses the places of keys; a person who fixes an estate file wants every problem at once. It must stay
//! bounded whatever it is fed: bytes, depth and nodes have limits, aliases count as the nodes they copy.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// The largest estate file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;
const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 50_000;

/// A value and the bytes of the file it stands in.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Range<usize>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, and whether it was written without quotes (then `1` is a number and `true` a truth value).
    Scalar { text: String, plain: bool },
    /// `[..]` or lines with `-`.
    List(Vec<Node>),
    /// `{..}` or `key: value` lines, in the order of the file, duplicates included.
    Map(Vec<Entry>),
    /// Already reported; nothing more is said about it.
    Broken,
}

/// One `key: value`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

/// A mistake in the YAML itself: never holds text of the file.
#[derive(Debug)]
pub(crate) struct SyntaxProblem {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

/// A scalar as the file holds it, for redaction.
#[derive(Debug)]
pub(crate) struct SeenScalar {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
    pub(crate) role: Role,
}

/// What a scalar is, as far as it tells whether it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Told by its words alone.
    Any,
    /// A key where people write secrets as values.
    KeyAmongSecrets,
    /// A value where people write secrets.
    ValueAmongSecrets,
}

/// Where reading is, as far as it tells whether secrets are written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Below {
    Root,
    Gateway,
    /// Below `secrets`, or `users` of the gateway.
    Secrets,
    /// Below a list there, where no key is a name.
    ListOfSecrets,
    Elsewhere,
}

impl Below {
    fn key(self, key: &str) -> Self {
        match (self, key) {
            (Self::ListOfSecrets, _) => Self::ListOfSecrets,
            // The one value among secrets that is a name.
            (Self::Secrets, "user") => Self::Elsewhere,
            (Self::Secrets, _) | (_, "secrets") | (Self::Gateway, "users") => Self::Secrets,
            (Self::Root, "gateway") => Self::Gateway,
            _ => Self::Elsewhere,
        }
    }
}

/// The file, read as far as it can be.
#[derive(Debug)]
pub(crate) struct Tree {
    /// `None` when the YAML is broken or empty.
    pub(crate) root: Option<Node>,
    pub(crate) problems: Vec<SyntaxProblem>,
    /// Whether reading stopped before the end.
    pub(crate) broken: bool,
    /// Every scalar up to the first syntax error.
    pub(crate) scalars: Vec<SeenScalar>,
}

/// Reads one YAML document.
pub(crate) fn read(text: &str) -> Tree {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        text_bytes: text.len(),
        anchors: BTreeMap::new(),
        nodes: 0,
        problems: Vec::new(),
        scalars: Vec::new(),
        below: Below::Root,
    };
    let (root, broken) = match reader.document() {
        Ok(root) => (root, false),
        Err(stop) => {
            reader.problems.push(stop);
            (None, true)
        }
    };
    Tree { root, broken, problems: reader.problems, scalars: reader.scalars }
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    text_bytes: usize,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: Vec<SyntaxProblem>,
    scalars: Vec<SeenScalar>,
    below: Below,
}

type Next<'input> = (Event<'input>, Range<usize>);

impl<'input> Reader<'input> {
    fn document(&mut self) -> Result<Option<Node>, SyntaxProblem> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(SyntaxProblem {
                        at: span,
                        message: "a second YAML document begins here".to_owned(),
                        hint: Some("an estate file holds one document; remove the line `---`"),
                    });
                }
                Event::DocumentStart(..) => {}
                other => root = Some(self.node(other, span)?),
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<Option<Next<'input>>, SyntaxProblem> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.range(&span)))),
            Some(Err(error)) => {
                let at = error.marker().byte_offset().unwrap_or(self.text_bytes).min(self.text_bytes);
                Err(SyntaxProblem {
                    at: at..at,
                    // Error kinds may quote the file, so only the ones that are fixed text are repeated.
                    message: format!("the YAML cannot be read: {}", syntax_message(error.kind())),
                    hint: Some("check the indentation, the quotes and the brackets up to here"),
                })
            }
        }
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or(self.text_bytes..self.text_bytes);
        let start = range.start.min(self.text_bytes);
        start..range.end.clamp(start, self.text_bytes)
    }

    fn node(&mut self, event: Event<'input>, span: Range<usize>) -> Result<Node, SyntaxProblem> {
        self.count(1, &span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.seen(&text, &span);
                let value = if tag.is_some() { self.tagged(&span) } else { scalar(text, style) };
                Ok(self.anchored(anchor, Node { value, span }))
            }
            Event::SequenceStart(_, anchor, tag) => {
                let outer = self.below;
                if outer == Below::Secrets {
                    self.below = Below::ListOfSecrets;
                }
                let (items, end) = self.list()?;
                self.below = outer;
                let span = span.start..end.max(span.start);
                let value = if tag.is_some() { self.tagged(&span) } else { Value::List(items) };
                Ok(self.anchored(anchor, Node { value, span }))
            }
            Event::MappingStart(_, anchor, tag) => {
                let (entries, end) = self.map()?;
                let span = span.start..end.max(span.start);
                let value = if tag.is_some() { self.tagged(&span) } else { Value::Map(entries) };
                Ok(self.anchored(anchor, Node { value, span }))
            }
            Event::Alias(id) => {
                let Some(copied) = self.anchors.get(&id).map(size) else {
                    return Ok(self.unresolved(span));
                };
                self.count(copied, &span)?;
                let value = self.anchors.get(&id).map_or(Value::Broken, |node| node.value.clone());
                Ok(Node { value, span })
            }
            _ => Ok(self.unresolved(span)),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, usize), SyntaxProblem> {
        let mut items = Vec::new();
        let mut end = 0;
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                return Ok((items, end.max(if span.is_empty() { 0 } else { span.end })));
            }
            let item = self.node(event, span)?;
            end = item.span.end;
            items.push(item);
        }
        Ok((items, end))
    }

    fn map(&mut self) -> Result<(Vec<Entry>, usize), SyntaxProblem> {
        let mut entries = Vec::new();
        let mut end = 0;
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                return Ok((entries, end.max(if span.is_empty() { 0 } else { span.end })));
            }
            let seen_before = self.scalars.len();
            let key = self.node(event, span)?;
            if let (Value::Scalar { .. }, Some(seen)) = (&key.value, self.scalars.get_mut(seen_before))
                && self.below == Below::Secrets
            {
                seen.role = Role::KeyAmongSecrets;
            }
            let Some((event, span)) = self.next()? else {
                break;
            };
            let value = self.value_of(&key, event, span)?;
            end = value.span.end.max(key.span.end);
            match key.value {
                Value::Scalar { text, .. } => entries.push(Entry { key: text, key_span: key.span, value }),
                Value::Broken => {}
                _ => self.problems.push(SyntaxProblem {
                    at: key.span,
                    message: "a key has to be plain text".to_owned(),
                    hint: None,
                }),
            }
        }
        Ok((entries, end))
    }

    fn value_of(&mut self, key: &Node, event: Event<'input>, span: Range<usize>) -> Result<Node, SyntaxProblem> {
        let outer = self.below;
        self.below = outer.key(if let Value::Scalar { text, .. } = &key.value { text } else { "" });
        let value = self.node(event, span)?;
        self.below = outer;
        Ok(value)
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn tagged(&mut self, span: &Range<usize>) -> Value {
        self.problems.push(SyntaxProblem {
            at: span.clone(),
            message: "YAML tags have no meaning here".to_owned(),
            hint: Some("remove the word that starts with `!`, or quote the text"),
        });
        Value::Broken
    }

    fn seen(&mut self, text: &str, span: &Range<usize>) {
        let role = match self.below {
            Below::Secrets | Below::ListOfSecrets => Role::ValueAmongSecrets,
            Below::Root | Below::Gateway | Below::Elsewhere => Role::Any,
        };
        self.scalars.push(SeenScalar { text: text.to_owned(), span: span.clone(), role });
    }

    fn unresolved(&mut self, span: Range<usize>) -> Node {
        // A secret may begin with `*`.
        self.seen("*", &span);
        self.problems.push(SyntaxProblem {
            at: span.clone(),
            message: "this alias stands for nothing defined before it".to_owned(),
            hint: Some("quote the text if `*` belongs to it, as in \"*.audit\""),
        });
        Node { value: Value::Broken, span }
    }

    fn count(&mut self, nodes: usize, at: &Range<usize>) -> Result<(), SyntaxProblem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(SyntaxProblem {
            at: at.clone(),
            message: format!("the estate file holds more than {NODES_MAX} values, aliases counted in full"),
            hint: None,
        })
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar { text: text.into_owned(), plain }
}

/// How many nodes a copy brings, long texts counted as several: copies of one large text would otherwise
/// fill the memory. The depth is bounded by the parser's limit on what was written, and by [`NODES_MAX`]
/// through aliases of aliases.
fn size(node: &Node) -> usize {
    const BYTES_PER_NODE: usize = 32;
    let weight = |text: &str| 1 + text.len() / BYTES_PER_NODE;
    match &node.value {
        Value::Scalar { text, .. } => weight(text),
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| weight(&entry.key) + size(&entry.value)).sum::<usize>(),
        Value::Null | Value::Broken => 1,
    }
}

fn syntax_message(kind: &granit_parser::ErrorKind) -> String {
    let text = kind.to_string();
    let quotes_input = text.contains(['\'', '"', '`', ':']);
    if text.is_empty() || quotes_input { "something unexpected stands here".to_owned() } else { text }
}
