//! What a statement does, by the words that it begins with.

use crate::collected;
use crate::effects::{Discard, PreparedAction, PreparedUse};
use crate::identifier;
use crate::lexer::{Kind, Token};
use crate::scan::Scan;
use crate::setting::{self, Change};
use crate::statement::Command;
use crate::words::Word;

impl Scan<'_> {
    /// The word that says what the statement does.
    pub(crate) fn first(&mut self, word: Word) {
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

    pub(crate) fn execute(&mut self) {
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
}
