//! The one pass over a text, token by token.
//!
//! Statements are cut at every `;`, wherever it stands: what belongs to a body is then judged as if it stood alone, and
//! the text is `unknown` besides. Nothing here recurses, and nothing is allocated before an effect is found.

use crate::call::{self, Call};
use crate::collected;
use crate::effects::SessionEffects;
use crate::identifier;
use crate::lexer::{Kind, Lexer, Token};
use crate::quoted::Form;
use crate::reading::{Reading, TextEncoding};
use crate::setting;
use crate::statement::{Catalog, Command, Name, Quoted, Statement};
use crate::words::{Case, Meaning, Word, meaning};

/// Parentheses that may be open; no server of usual settings goes as deep.
const DEPTH_MAX: u32 = 2_000;

/// Tells what a text may change in the session that outlives its transaction.
///
/// The text is one message of a client: several statements, or one that is prepared. It takes a time in proportion to its
/// length, whatever it holds.
#[must_use]
pub fn session_effects(sql: &[u8], reading: Reading) -> SessionEffects {
    let mut scan =
        Scan { lexer: Lexer::new(sql, reading), effects: SessionEffects::default(), statement: Statement::new(0) };
    scan.run();
    let Scan { lexer, mut effects, .. } = scan;
    effects.unknown |= lexer.doubt || reading.encoding == TextEncoding::AsciiUnsafe && !sql.is_ascii();
    if effects.settings || effects.unknown {
        let found = collected::collect(sql, reading, &mut effects.setting_names);
        effects.unknown |= found.incomplete;
        effects.cannot_be_handed_over |= found.seed;
    }
    effects
}

/// See the module.
pub(crate) struct Scan<'a> {
    pub(crate) lexer: Lexer<'a>,
    pub(crate) effects: SessionEffects,
    pub(crate) statement: Statement,
}

impl Scan<'_> {
    fn run(&mut self) {
        loop {
            let token = self.lexer.read();
            match token.kind {
                Kind::End => return self.finish(),
                Kind::Semicolon => {
                    self.finish();
                    self.statement = Statement::new(self.effects.prepared.len());
                    continue;
                }
                _ => {}
            }
            if self.statement.tokens == 0 {
                self.statement.start = token.start;
            }
            let found = match token.kind {
                Kind::Word => self.word(token),
                Kind::Quoted => self.quoted(token),
                kind => {
                    self.mark(kind);
                    Meaning::NONE
                }
            };
            self.statement.previous = token.kind;
            self.statement.previous_meaning = found;
            self.statement.end = token.end;
            self.statement.tokens += 1;
        }
    }

    /// A keyword or an identifier. Returns what it is as a word before others.
    #[inline]
    fn word(&mut self, token: Token) -> Meaning {
        let bytes = self.lexer.bytes(token);
        let meaning = meaning(bytes, Case::Any);
        self.name(meaning, Quoted::No);
        if self.statement.previous == Kind::Dot {
            // Any keyword may be a column's name there.
            self.named(meaning.quoted(), bytes);
            return Meaning::NONE;
        }
        if matches!(self.statement.command, Command::Unread | Command::Explain | Command::Define)
            || self.statement.command == Command::ExplainOptions && self.statement.previous == Kind::Open
        {
            self.first(meaning.word);
        }
        if meaning.word == Word::Other {
            if meaning.is_keyword() || meaning.is_harmless() {
                return meaning;
            }
            self.named(meaning, bytes);
            return meaning;
        }
        self.keyword(meaning)
    }

    fn quoted(&mut self, token: Token) -> Meaning {
        let bytes = self.lexer.bytes(token);
        let Some(text) = identifier::unquoted(bytes, token.form) else {
            self.effects.unknown = true;
            self.name(Meaning::NONE, Quoted::Yes);
            return Meaning::NONE;
        };
        let meaning = meaning(&text, Case::Exact).quoted();
        self.name(meaning, Quoted::Yes);
        self.named(meaning, &text);
        if token.form == Form::Unicode {
            let mut after = self.lexer;
            let next = after.next();
            // Its escapes begin with another character then.
            self.effects.unknown |= setting::function(&after, next).word == Word::Uescape;
        }
        if self.statement.command == Command::Unread {
            self.effects.unknown = true;
            self.statement.command = Command::Told;
        }
        Meaning::NONE
    }

    /// Adds a part to the name that is being read, or begins one.
    #[inline]
    fn name(&mut self, meaning: Meaning, quoted: Quoted) {
        let statement = &mut self.statement;
        if statement.previous == Kind::Dot && statement.name.parts > 0 {
            let name = &mut statement.name;
            if name.parts == 1 && name.meaning.word == Word::PgCatalog {
                name.in_catalog = Catalog::Yes;
            }
            name.parts += 1;
            name.meaning = meaning;
            name.quoted = quoted;
            return;
        }
        statement.name = Name {
            meaning,
            quoted,
            parts: 1,
            in_catalog: Catalog::No,
            before: statement.previous,
            before_meaning: statement.previous_meaning,
        };
    }

    /// A name that means something wherever it stands.
    fn named(&mut self, meaning: Meaning, name: &[u8]) {
        if meaning.word == Word::PgSettings {
            self.statement.names_settings = true;
        }
        if name.len() >= 7 && (starts_with(name, b"pg_temp") || starts_with(name, b"pg_toast_temp")) {
            self.effects.session_objects = true;
        }
    }

    fn mark(&mut self, kind: Kind) {
        match kind {
            Kind::Open => self.open(),
            Kind::Close => self.close(),
            // The name goes on behind it.
            Kind::Dot if matches!(self.statement.previous, Kind::Word | Kind::Quoted) => return,
            _ => {}
        }
        if self.statement.command == Command::Unread && kind != Kind::Open {
            self.effects.unknown = true;
            self.statement.command = Command::Told;
        }
        self.statement.name = Name::NONE;
    }

    fn open(&mut self) {
        let statement = &mut self.statement;
        if matches!(statement.previous, Kind::Word | Kind::Quoted) {
            match call::judge(statement) {
                Call::Harmless => {}
                Call::Unknown => self.effects.unknown = true,
                Call::Special(word, catalog) => {
                    self.effects.unknown |= catalog == Catalog::No;
                    match word {
                        Word::SetConfig => self.effects.settings = true,
                        Word::SequenceState => self.effects.sequence_state = true,
                        Word::AdvisoryLock => self.effects.session_objects = true,
                        _ => self.effects.cannot_be_handed_over = true,
                    }
                }
            }
            if statement.name.meaning.word == Word::Operator {
                statement.call_after_group = true;
            }
        }
        if statement.depth == 0 {
            statement.groups = statement.groups.saturating_add(1);
            if statement.command == Command::Explain {
                statement.command = Command::ExplainOptions;
            }
        }
        statement.depth = statement.depth.saturating_add(1);
        self.effects.unknown |= statement.depth > DEPTH_MAX;
    }

    fn close(&mut self) {
        let statement = &mut self.statement;
        match statement.depth.checked_sub(1) {
            Some(depth) => statement.depth = depth,
            None => self.effects.unknown = true,
        }
        if statement.depth == 0 && statement.command == Command::ExplainOptions {
            statement.command = Command::Explain;
        }
    }

    /// A word with a rule of its own, wherever it stands. Returns what it is as a word before others.
    fn keyword(&mut self, mut meaning: Meaning) -> Meaning {
        let statement = &mut self.statement;
        let before = statement.previous_word();
        match meaning.word {
            Word::By if before == Word::Group => meaning.word = Word::GroupBy,
            Word::Insert => (statement.inserts, statement.writes) = (true, true),
            Word::Update | Word::Delete | Word::Merge => statement.writes = true,
            Word::Into if !matches!(before, Word::Insert | Word::Merge) => self.effects.ddl = true,
            Word::Temp if matches!(before, Word::Create | Word::Replace | Word::Local | Word::Global | Word::Into) => {
                self.effects.session_objects = true;
            }
            Word::On if before == Word::Distinct => statement.call_after_group = true,
            Word::Conflict if before == Word::On => statement.conflicts += 1,
            Word::Case => statement.cases = true,
            Word::Do if statement.tokens > 0 && !matches!(before, Word::As | Word::Then) => statement.conflicts -= 1,
            Word::Hold if before == Word::With && statement.command == Command::Declare => {
                self.effects.session_objects = true;
            }
            // The body of a function, with statements in it.
            Word::Atomic if before == Word::Begin => self.effects.unknown = true,
            Word::As if statement.depth == 0 => match statement.command {
                // What is prepared begins here.
                Command::Prepare => statement.command = Command::Unread,
                Command::Relation => {
                    let mut after = self.lexer;
                    let next = after.next();
                    if !statement.body && setting::function(&after, next).word == Word::Execute {
                        self.lexer = after;
                        self.execute();
                        return Meaning::NONE;
                    }
                    statement.body = true;
                }
                _ => {}
            },
            Word::PgSettings => statement.names_settings = true,
            _ => {}
        }
        meaning
    }

    fn finish(&mut self) {
        let statement = &self.statement;
        if statement.tokens == 0 {
            return;
        }
        self.effects.statements += 1;
        let written = statement.names_settings && statement.writes;
        self.effects.settings |= written;
        self.effects.unknown |= written
            || statement.depth > 0
            || statement.conflicts != 0
            // `EXPLAIN` of nothing, `CREATE` of nothing: an error here and today.
            || matches!(
                statement.command,
                Command::Unread | Command::Define | Command::Explain | Command::ExplainOptions
            );
        for used in self.effects.prepared.iter_mut().skip(statement.prepared_before) {
            used.text = statement.start..statement.end;
        }
    }
}

fn starts_with(name: &[u8], beginning: &[u8]) -> bool {
    name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}
