//! The one pass over a text, token by token.
//!
//! Statements are cut at every `;`, wherever it stands: what belongs to a body is then judged as if it stood alone, and
//! the text is `unknown` besides. Nothing here recurses, and nothing is allocated before an effect is found.

use crate::call::{self, Call};
use crate::collected;
use crate::effects::{Discard, PreparedAction, PreparedUse, SessionEffects};
use crate::identifier;
use crate::lexer::{Kind, Lexer, Token};
use crate::quoted::Form;
use crate::reading::{Reading, TextEncoding};
use crate::setting::{self, Change};
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

struct Scan<'a> {
    lexer: Lexer<'a>,
    effects: SessionEffects,
    statement: Statement,
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

    /// The word that says what the statement does.
    fn first(&mut self, word: Word) {
        let effects = &mut self.effects;
        let mut next = Command::Told;
        match (self.statement.command, word) {
            (Command::Explain, Word::Analyze | Word::Verbose) => next = Command::Explain,
            (Command::ExplainOptions, Word::Select | Word::With | Word::Values | Word::Table) => {}
            (Command::ExplainOptions, _) => next = Command::ExplainOptions,
            (Command::Define, word) => next = self.defined(word),
            (_, Word::Select | Word::Values | Word::With | Word::Table) => {}
            (_, Word::Insert | Word::Update | Word::Delete | Word::Merge) => {}
            (_, Word::Begin | Word::Start | Word::Commit | Word::End | Word::Abort | Word::Rollback) => {}
            (_, Word::Savepoint | Word::Release | Word::Lock | Word::Notify | Word::Show) => {}
            (_, Word::Fetch | Word::Move | Word::Checkpoint | Word::Comment | Word::Grant | Word::Revoke) => {}
            (_, Word::Security | Word::Vacuum | Word::Analyze) => {}
            (_, Word::Explain) => next = Command::Explain,
            (_, Word::Truncate | Word::Reindex | Word::Cluster | Word::Refresh | Word::Reassign) => effects.ddl = true,
            (_, Word::Create | Word::Alter) => {
                effects.ddl = true;
                next = Command::Define;
            }
            (_, Word::Drop) => {
                effects.ddl = true;
                effects.session_objects = true;
            }
            (_, Word::Import) => {
                effects.ddl = true;
                effects.unknown = true;
            }
            (_, Word::Copy) => next = Command::Copy,
            (_, Word::Declare) => next = Command::Declare,
            (_, Word::Close | Word::Listen | Word::Unlisten) => effects.session_objects = true,
            (_, Word::Load) => {
                effects.session_objects = true;
                effects.cannot_be_handed_over = true;
            }
            (_, Word::Set) => self.changed(&setting::set(self.lexer)),
            (_, Word::Reset) => self.changed(&setting::reset(self.lexer)),
            (_, Word::Discard) => self.discard(),
            (_, Word::Prepare) => next = self.prepare(),
            (_, Word::Execute) => self.execute(),
            (_, Word::Deallocate) => self.deallocate(),
            _ => effects.unknown = true,
        }
        self.statement.command = next;
    }

    /// The word behind `CREATE` or `ALTER`.
    fn defined(&mut self, word: Word) -> Command {
        match word {
            Word::Or | Word::Replace | Word::Local | Word::Global | Word::Temp | Word::Unique => Command::Define,
            Word::Index => Command::Index,
            Word::Table | Word::View | Word::Materialized | Word::Recursive | Word::Unlogged | Word::Sequence => {
                Command::Relation
            }
            Word::Type | Word::Domain | Word::Schema | Word::Role | Word::User | Word::Group | Word::Database => {
                Command::Relation
            }
            Word::Tablespace | Word::Policy | Word::Publication | Word::Statistics | Word::Rule | Word::Trigger => {
                Command::Relation
            }
            Word::System | Word::Default | Word::Large => Command::Relation,
            // Functions, extensions, languages, servers: something runs, or may, that is not in the text.
            _ => {
                self.effects.unknown = true;
                Command::Told
            }
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

    fn changed(&mut self, change: &Change) {
        match change {
            Change::Local => return,
            Change::Every => {}
            Change::Unreadable => self.effects.unknown = true,
            Change::Names(names) => {
                for name in names {
                    let mut found = collected::Found::default();
                    collected::add(&mut self.effects.setting_names, name, &mut found);
                    self.effects.unknown |= found.incomplete;
                    self.effects.cannot_be_handed_over |= found.seed;
                }
            }
        }
        self.effects.settings = true;
    }

    fn discard(&mut self) {
        let mut after = self.lexer;
        let what = after.next();
        let discard = match setting::function(&after, what).word {
            Word::Plans => Discard::Plans,
            Word::Sequences => Discard::Sequences,
            Word::Temp => Discard::Temp,
            _ => Discard::All,
        };
        self.effects.session_objects = true;
        self.effects.settings |= discard == Discard::All;
        self.effects.discards = self.effects.discards.max(Some(discard));
    }

    fn prepare(&mut self) -> Command {
        let mut after = self.lexer;
        let name = after.next();
        if setting::function(&after, name).word == Word::Transaction && after.next().kind == Kind::Text {
            // Two phases: what is left belongs to no session.
            return Command::Told;
        }
        self.used(PreparedAction::Prepare, name);
        Command::Prepare
    }

    fn execute(&mut self) {
        let mut after = self.lexer;
        let name = after.next();
        self.used(PreparedAction::Execute, name);
        self.effects.unknown = true;
    }

    fn deallocate(&mut self) {
        let mut after = self.lexer;
        let mut name = after.next();
        if setting::function(&after, name).word == Word::Prepare {
            let next = after.next();
            if !matches!(next.kind, Kind::End | Kind::Semicolon) {
                name = next;
            }
        }
        if name.kind == Kind::Word && setting::function(&after, name).word == Word::All {
            self.effects.prepared.push(PreparedUse {
                action: PreparedAction::DeallocateAll,
                name: String::new(),
                text: 0..0,
            });
        } else {
            self.used(PreparedAction::Deallocate, name);
        }
    }

    fn used(&mut self, action: PreparedAction, name: Token) {
        match identifier::name(&self.lexer, name) {
            // Where it stands is known at its end.
            Some(name) => self.effects.prepared.push(PreparedUse { action, name, text: 0..0 }),
            None => self.effects.unknown = true,
        }
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
