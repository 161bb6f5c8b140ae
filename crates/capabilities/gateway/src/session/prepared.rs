//! Prepared statements: a client's names, and what stands for them at the server that serves it now.

use std::sync::Arc;

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{BindNames, Named, Parse, Refusal, Severity, client_tag, rewrite};
use atalaya_sql::SessionEffects;

use super::begin::Begun;
use super::bring::Brought;
use super::pins::Pin;
use super::requests::{Message, NAMED_BYTES_MAX, STATEMENT_BYTES_MAX, Taken};
use super::run::Run;
use super::statements::{ClientStatement, STATEMENTS_BYTES_MAX, STATEMENTS_MAX};
use super::stop::Stop;
use super::{Body, End, Session, description};
use crate::error::{as_the_server, refusal};
use crate::prepared::{Prepared, next_id};
use crate::server::{Audience, DescribeStep, Expected, NamedParse, ParseStep, ParsedAs, RESERVED_PREFIX};
use crate::settings::is_read_by_parser;

/// A larger statement is not kept under a name.
const NAMED_STATEMENT_BYTES_MAX: usize = 16 << 20;
/// While a named statement larger than this is under way, no other is: its text is held until the server has answered.
const ALONE_BYTES: usize = 64 << 10;
/// No server has a statement of this name.
const NOBODY: &[u8] = b"atalaya:";

/// A client's unnamed statement.
#[derive(Debug)]
pub(super) struct Unnamed {
    id: u64,
    /// `None` when it is too large to be kept; the client then keeps its server.
    text: Option<Box<Kept>>,
    effects: Option<Box<SessionEffects>>,
}

#[derive(Debug, Default)]
struct Kept {
    sql: Vec<u8>,
    types: Vec<u8>,
}

impl Session {
    pub(super) fn take_parse(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        // The first byte of an unnamed one is its name's end.
        match message.body_so_far().first() {
            None => return Ok(Err(Stop::Incomplete)),
            Some(0) if message.length > STATEMENT_BYTES_MAX => return self.pass_large_parse(message, run),
            Some(_) if message.length > NAMED_STATEMENT_BYTES_MAX => {
                let text = "a statement is too large to be prepared under a name at the gateway";
                return self.poison(message, refusal(Severity::Error, "54000", text), run);
            }
            Some(_) => {}
        }
        let Some(body) = message.body() else { return Ok(Err(Stop::Incomplete)) };
        let parse = Parse::decode(body)?;
        // Wherever it has them from: a driver may keep one list for all of its connections.
        if description::of_parameters(parse.rest).is_ok_and(|given| given.has_user_types) {
            self.learn_types();
        }
        if parse.name.is_empty() {
            let effects = self.effects_of(parse.sql);
            if self.bring_named(&effects, run)? == Begun::Later {
                return Ok(Err(Stop::Later));
            }
            self.forget_sequences(&effects, run)?;
            let effects = (!effects.is_plain() || effects.ddl).then(|| Box::new(effects));
            self.keep_unnamed(&parse, effects);
            let id = self.unnamed.as_ref().map_or(0, |unnamed| unnamed.id);
            let Some(server) = self.server.as_mut() else { return Err(End::Server) };
            server.unnamed = id;
            let step = ParseStep { audience: Audience::Client, parsed: ParsedAs::Unnamed };
            server.expected.push_back(Expected::Parse(step));
            return Ok(Ok(self.pass_message(message, run)));
        }
        self.take_named_parse(message, &parse, run)
    }

    fn take_named_parse(&mut self, message: &Message<'_>, parse: &Parse<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        if self.is_being_given_up(parse.name, run) {
            return Ok(Err(Stop::Later));
        }
        if self.statements.get(parse.name).is_some() || parse.name.starts_with(RESERVED_PREFIX) {
            let text = format!("prepared statement \"{}\" already exists", String::from_utf8_lossy(parse.name));
            return self.poison(message, as_the_server("StorePreparedStatement", "42P05", text), run);
        }
        if !self.statements.has_room(message.length) {
            let megabytes = STATEMENTS_BYTES_MAX >> 20;
            let text = format!("more than {STATEMENTS_MAX} prepared statements of one session, or {megabytes} MiB");
            return self.poison(message, refusal(Severity::Error, "54000", text), run);
        }
        if message.length > ALONE_BYTES && self.server.as_ref().is_some_and(|server| !server.expected.is_empty()) {
            rewrite::flush(run.other());
            self.is_stalled = true;
            return Ok(Err(Stop::Later));
        }
        let context = self.reading_context();
        let effects = || self.effects_of(parse.sql);
        let prepared = self.database.statements.get(parse.sql, parse.rest, &context, effects);
        if self.bring_named(&prepared.effects, run)? == Begun::Later {
            return Ok(Err(Stop::Later));
        }
        self.forget_sequences(&prepared.effects, run)?;
        let statement = ClientStatement::Protocol { prepared: Arc::clone(&prepared), is_stale: false };
        self.statements.insert(parse.name, statement);
        self.parse_at_server(&prepared, parse.name, Audience::Client, run)?;
        Ok(Ok(self.drop_message(message)))
    }

    /// Parses a statement under a name of this server's, and has it described.
    fn parse_at_server(
        &mut self,
        prepared: &Arc<Prepared>,
        client_name: &[u8],
        asked_by: Audience,
        run: &mut Run<'_>,
    ) -> Result<(), End> {
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        let name = server.names.fresh();
        rewrite::parse(name.as_bytes(), &prepared.sql, &prepared.types, run.other())?;
        rewrite::describe_statement(name.as_bytes(), run.other())?;
        let parse = Box::new(NamedParse {
            prepared: Arc::clone(prepared),
            name: name.clone(),
            client_name: client_name.into(),
            asked_by,
        });
        let step = ParseStep { audience: asked_by, parsed: ParsedAs::Named(parse.clone()) };
        server.expected.push_back(Expected::Parse(step));
        let step = DescribeStep { audience: Audience::Gateway, digest: 0, check: Some(parse) };
        server.expected.push_back(Expected::DescribeStatement(step));
        for closed in server
            .names
            .note(prepared.id, prepared.bytes(), name)
            .into_iter()
            .chain(std::mem::take(&mut server.to_close))
        {
            rewrite::close_statement(closed.as_bytes(), run.other())?;
            server.expected.push_back(Expected::Close(Some(closed)));
        }
        Ok(())
    }

    /// What else than its text makes a statement what it is: literals are read when it is parsed, by the settings of
    /// that moment. So only clients with the same ones share it, and none whose settings are about to change.
    fn reading_context(&self) -> Vec<u8> {
        let mut context = format!("{:?}", self.reading).into_bytes();
        if self.left.may_change_settings() {
            context.extend_from_slice(&next_id().to_be_bytes());
        }
        // What is reported counts first: it is true of settings of the transaction alone, too.
        let reported = self.reported.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in reported.chain(self.settings.iter()) {
            if is_read_by_parser(name) {
                for text in [name, value] {
                    context.push(0);
                    context.extend_from_slice(text.as_bytes());
                }
            }
        }
        context
    }

    fn keep_unnamed(&mut self, parse: &Parse<'_>, effects: Option<Box<SessionEffects>>) {
        let mut text = self.unnamed.take().and_then(|unnamed| unnamed.text).unwrap_or_default();
        text.sql.clear();
        text.sql.extend_from_slice(parse.sql);
        text.types.clear();
        text.types.extend_from_slice(parse.rest);
        self.unnamed = Some(Unnamed { id: next_id(), text: Some(text), effects });
        self.pins.clear(Pin::LargeStatement);
    }

    fn pass_large_parse(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let id = next_id();
        let effects = SessionEffects { unknown: true, ..SessionEffects::default() };
        self.unnamed = Some(Unnamed { id, text: None, effects: Some(Box::new(effects)) });
        self.pins.set(Pin::LargeStatement);
        // Which types it gives stands at its end, and is not read.
        self.learn_types();
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        server.unnamed = id;
        let step = ParseStep { audience: Audience::Client, parsed: ParsedAs::Unnamed };
        server.expected.push_back(Expected::Parse(step));
        Ok(Ok(self.pass_message(message, run)))
    }

    pub(super) fn take_bind(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let Some(names) = BindNames::decode_prefix(message.body_so_far())? else {
            return match message.body_so_far().len() {
                // All of it is there, and its names have no end.
                length if length == message.length => {
                    Err(End::Client(CodecError::Truncated { message: "Bind", field: "name" }))
                }
                NAMED_BYTES_MAX.. => Err(over_limit(message)),
                _ => Ok(Err(Stop::Incomplete)),
            };
        };
        let written = match self.find(names.statement, message, run)? {
            Found::AsIs => None,
            Found::Other(taken) => return Ok(taken),
            Found::Named(prepared) => Some(prepared),
        };
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        server.expected.push_back(Expected::Bind(Audience::Client));
        let Some(prepared) = written else { return Ok(Ok(self.pass_message(message, run))) };
        let Some(name) = server.names.get(prepared.id) else { return Err(End::Server) };
        let names_bytes = names.portal.len() + names.statement.len() + 2;
        let rest_bytes = message.length.saturating_sub(names_bytes);
        rewrite::bind_head(names.portal, name.as_bytes(), rest_bytes, run.other())?;
        run.other().extend_from_slice(names.rest);
        let used = message.available();
        if used < message.total() {
            self.body = Body::Passed(message.total() - used);
        }
        Ok(Ok(used))
    }

    pub(super) fn take_describe(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let named = match self.named(message)? {
            Ok(named) => named,
            Err(stop) => return Ok(Err(stop)),
        };
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if named.kind == Named::PORTAL {
            server.expected.push_back(Expected::DescribePortal);
            return Ok(Ok(self.pass_message(message, run)));
        }
        let prepared = match self.find(named.name, message, run)? {
            Found::AsIs => None,
            Found::Other(taken) => return Ok(taken),
            Found::Named(prepared) => Some(prepared),
        };
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        let step = DescribeStep { audience: Audience::Client, digest: 0, check: None };
        server.expected.push_back(Expected::DescribeStatement(step));
        let Some(prepared) = prepared else { return Ok(Ok(self.pass_message(message, run))) };
        let Some(name) = server.names.get(prepared.id) else { return Err(End::Server) };
        rewrite::describe_statement(name.as_bytes(), run.other())?;
        Ok(Ok(self.drop_message(message)))
    }

    pub(super) fn take_close(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Taken, End> {
        let named = match self.named(message)? {
            Ok(named) => named,
            Err(stop) => return Ok(Err(stop)),
        };
        let is_named_statement = named.kind == Named::STATEMENT && !named.name.is_empty();
        if named.kind == Named::STATEMENT {
            if is_named_statement {
                self.statements.remove(named.name);
            } else {
                self.unnamed = None;
            }
        }
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        server.expected.push_back(Expected::Close(None));
        if !is_named_statement {
            return Ok(Ok(self.pass_message(message, run)));
        }
        // Others may use what the server has under that name; closing what is not there is answered all the same.
        rewrite::close_statement(NOBODY, run.other())?;
        Ok(Ok(self.drop_message(message)))
    }

    fn named<'a>(&self, message: &Message<'a>) -> Result<Result<Named<'a>, Stop>, End> {
        if message.length > NAMED_BYTES_MAX {
            return Err(over_limit(message));
        }
        let Some(body) = message.body() else { return Ok(Err(Stop::Incomplete)) };
        Ok(Ok(Named::decode(body)?))
    }

    /// Whether a name is in a DEALLOCATE whose answer is still to come; then that is waited for.
    fn is_being_given_up(&mut self, name: &[u8], run: &mut Run<'_>) -> bool {
        let is_asked = self.server.as_ref().is_some_and(|server| !server.expected.is_empty());
        let is_given_up = is_asked && self.deallocating.iter().any(|given_up| given_up.as_bytes() == name);
        if is_given_up {
            rewrite::flush(run.other());
            self.is_stalled = true;
        }
        is_given_up
    }

    /// Finds what a client's name stands for, and makes sure that the server has it.
    fn find(&mut self, name: &[u8], message: &Message<'_>, run: &mut Run<'_>) -> Result<Found, End> {
        if name.is_empty() {
            return self.find_unnamed(message, run);
        }
        if self.is_being_given_up(name, run) {
            return Ok(Found::Other(Err(Stop::Later)));
        }
        let (prepared, is_stale) = match self.statements.get(name) {
            // The server says that it does not exist, in its own words.
            None if !name.starts_with(RESERVED_PREFIX) => return Ok(Found::AsIs),
            None => {
                let text = format!("prepared statement \"{}\" does not exist", String::from_utf8_lossy(name));
                return Ok(Found::Other(self.poison(
                    message,
                    as_the_server("FetchPreparedStatement", "26000", text),
                    run,
                )?));
            }
            Some(ClientStatement::Sql(_)) => {
                let name = String::from_utf8_lossy(name).into_owned();
                return Ok(match self.bring_one(&name, Brought::Itself, run)? {
                    Begun::Ready => Found::AsIs,
                    Begun::Later => Found::Other(Err(Stop::Later)),
                });
            }
            Some(ClientStatement::Protocol { prepared, is_stale }) => (Arc::clone(prepared), *is_stale),
        };
        if is_stale {
            let text = "cached plan must not change result type";
            return Ok(Found::Other(self.poison(
                message,
                as_the_server("RevalidateCachedQuery", "0A000", text),
                run,
            )?));
        }
        // First: it is described by what it executes.
        if self.bring_named(&prepared.effects, run)? == Begun::Later {
            return Ok(Found::Other(Err(Stop::Later)));
        }
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if server.names.get(prepared.id).is_none() {
            // Whether it still means what it meant when the client prepared it is known once it is described.
            self.parse_at_server(&prepared, name, Audience::Gateway, run)?;
            rewrite::flush(run.other());
            self.is_stalled = true;
            return Ok(Found::Other(Err(Stop::Later)));
        }
        if message.tag == client_tag::BIND {
            self.note(&prepared.effects);
            self.forget_sequences(&prepared.effects, run)?;
        }
        Ok(Found::Named(prepared))
    }

    fn find_unnamed(&mut self, message: &Message<'_>, run: &mut Run<'_>) -> Result<Found, End> {
        let Some(unnamed) = self.unnamed.take() else {
            // Whatever the server has under no name was another client's.
            let text = "unnamed prepared statement does not exist";
            return Ok(Found::Other(self.poison(message, as_the_server("exec_bind_message", "26000", text), run)?));
        };
        if let Some(effects) = &unnamed.effects {
            if self.bring_named(effects, run)? == Begun::Later {
                self.unnamed = Some(unnamed);
                return Ok(Found::Other(Err(Stop::Later)));
            }
            self.forget_sequences(effects, run)?;
        }
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        if let Some(text) = unnamed.text.as_ref().filter(|_| server.unnamed != unnamed.id) {
            rewrite::parse(b"", &text.sql, &text.types, run.other())?;
            let step = ParseStep { audience: Audience::Gateway, parsed: ParsedAs::Unnamed };
            server.expected.push_back(Expected::Parse(step));
            server.unnamed = unnamed.id;
        }
        if let Some(effects) = unnamed.effects.as_ref().filter(|_| message.tag == client_tag::BIND) {
            self.note(effects);
        }
        self.unnamed = Some(unnamed);
        Ok(Found::AsIs)
    }

    /// Has the server fail where the client has to be refused, so that its transaction ends as it would have.
    fn poison(&mut self, message: &Message<'_>, refusal: Refusal, run: &mut Run<'_>) -> Result<Taken, End> {
        let Some(server) = self.server.as_mut() else { return Err(End::Server) };
        rewrite::describe_statement(NOBODY, run.other())?;
        let step = ParseStep { audience: Audience::Client, parsed: ParsedAs::Refused(Box::new(refusal)) };
        server.expected.push_back(Expected::Parse(step));
        Ok(Ok(self.drop_message(message)))
    }
}

fn over_limit(message: &Message<'_>) -> End {
    End::Client(CodecError::OverLimit { tag: message.tag, announced: message.length, limit: NAMED_BYTES_MAX })
}

/// What a client's name stands for.
enum Found {
    /// The message goes as it is.
    AsIs,
    /// The server has it under another name.
    Named(Arc<Prepared>),
    /// It is dealt with, or has to wait.
    Other(Taken),
}
