//! The history, sorted: commands with their replies, notices, and what was done from outside.

use std::collections::BTreeMap;

use super::command::{self, Command};
use super::forest::Span;
use super::violation::{Invariant, Violation};
use super::{Action, Event, Happened, OracleConfig, Told};

/// A reply, and when it came.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) at_us: u64,
    /// Its place in the history.
    pub(super) index: usize,
}

/// One command with its reply.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) command: Command,
    /// Its place among the commands.
    pub(super) position: usize,
    /// The earliest time at which it can have been read: typed, and every `wait` before it answered.
    pub(super) read_us: u64,
    /// The place in the history of what allowed it to be read.
    pub(super) read_index: usize,
    pub(super) reply: Option<Reply>,
}

/// Something that came or was done, and when.
#[derive(Clone, Debug)]
pub(super) struct Moment<T> {
    pub(super) what: T,
    pub(super) at_us: u64,
    pub(super) index: usize,
}

/// The whole history.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) records: Vec<Record>,
    pub(super) notices: Vec<Moment<String>>,
    pub(super) outside: Vec<Moment<(Action, i64)>>,
    pub(super) told: Vec<Moment<Told>>,
    /// The place in the history of the first line that was typed.
    pub(super) first_typed: usize,
    pub(super) has_ended: bool,
    pub(super) last_us: u64,
}

impl Record {
    /// When the reply came; never, if it did not.
    pub(super) fn replied_us(&self) -> u64 {
        self.reply.as_ref().map_or(u64::MAX, |reply| reply.at_us)
    }

    /// Somewhen in this time it was done.
    pub(super) fn span(&self) -> Span {
        Span { from_us: self.read_us, to_us: self.replied_us() }
    }

    pub(super) fn replied_index(&self) -> usize {
        self.reply.as_ref().map_or(usize::MAX, |reply| reply.index)
    }

    pub(super) fn reply_text(&self) -> &str {
        self.reply.as_ref().map_or("", |reply| &reply.text)
    }

    pub(super) fn is_ok(&self) -> bool {
        self.reply_text().starts_with("Ok")
    }

    pub(super) fn violation(&self, invariant: Invariant, allowed: impl Into<String>) -> Violation {
        let came = self.reply.as_ref().map_or("no reply".to_owned(), |reply| format!("{:?}", reply.text));
        Violation { came, ..self.blamed(invariant, allowed) }
    }

    fn blamed(&self, invariant: Invariant, allowed: impl Into<String>) -> Violation {
        let at_us = self.reply.as_ref().map_or(self.read_us, |reply| reply.at_us);
        let (command, typed) = (Some(self.number), self.text.clone());
        Violation { invariant, command, typed, at_us, allowed: allowed.into(), came: String::new() }
    }
}

impl Log {
    /// Sorts the history and checks that every command has the one reply that it must have.
    pub(super) fn read(config: &OracleConfig, history: &[Event]) -> Result<Self, Violation> {
        let is_typed = |event: &Event| matches!(event.what, Happened::Submitted { .. });
        let first_typed = history.iter().position(is_typed).unwrap_or(history.len());
        let mut log = Self { first_typed, ..Self::default() };
        let mut positions = BTreeMap::new();
        for (index, event) in history.iter().enumerate() {
            log.add(config, index, event, &mut positions)?;
        }
        log.end_at_exit()?;
        log.hold_back_behind_waits()?;
        log.drop_what_is_no_command()?;
        log.check_all_answered()?;
        Ok(log)
    }

    fn add(
        &mut self,
        config: &OracleConfig,
        index: usize,
        event: &Event,
        positions: &mut BTreeMap<u64, usize>,
    ) -> Result<(), Violation> {
        let at_us = event.at_us;
        if at_us < self.last_us || self.has_ended {
            let came =
                format!("{event:?} after {} us{}", self.last_us, if self.has_ended { " and the end" } else { "" });
            return Err(Violation::general(Invariant::History, at_us, "events in the order of time", came));
        }
        self.last_us = at_us;
        match &event.what {
            Happened::Submitted { command, text } => self.submitted(config, (index, at_us), *command, text, positions),
            Happened::Replied { command, text } => self.replied((index, at_us), *command, text, positions),
            Happened::Notice { text } => {
                self.notices.push(Moment { what: text.clone(), at_us, index });
                Ok(())
            }
            Happened::Outside { action, id } => {
                self.outside.push(Moment { what: (*action, *id), at_us, index });
                Ok(())
            }
            Happened::Fault(told) => {
                self.told.push(Moment { what: told.clone(), at_us, index });
                Ok(())
            }
            Happened::Ended => {
                self.has_ended = true;
                Ok(())
            }
        }
    }

    fn submitted(
        &mut self,
        config: &OracleConfig,
        (read_index, read_us): (usize, u64),
        number: u64,
        text: &str,
        positions: &mut BTreeMap<u64, usize>,
    ) -> Result<(), Violation> {
        if positions.last_key_value().is_some_and(|(&last, _)| last >= number) {
            let came = format!("command {number}, {text:?}");
            return Err(Violation::general(Invariant::History, read_us, "command numbers in order of input", came));
        }
        let position = self.records.len();
        positions.insert(number, position);
        let command = command::read(text, config.commands);
        let text = text.to_owned();
        self.records.push(Record { number, text, command, position, read_us, read_index, reply: None });
        Ok(())
    }

    fn replied(
        &mut self,
        (index, at_us): (usize, u64),
        number: u64,
        text: &str,
        positions: &BTreeMap<u64, usize>,
    ) -> Result<(), Violation> {
        let Some(record) = positions.get(&number).and_then(|&position| self.records.get_mut(position)) else {
            let came = format!("a reply {text:?} to command {number}, which was not typed");
            return Err(Violation::general(Invariant::OneReply, at_us, "replies to what was typed", came));
        };
        if let Some(first) = &record.reply {
            let allowed = format!("one reply, and it came at {} us: {:?}", first.at_us, first.text);
            record.reply = Some(Reply { text: text.to_owned(), at_us, index });
            return Err(record.violation(Invariant::OneReply, allowed));
        }
        record.reply = Some(Reply { text: text.to_owned(), at_us, index });
        Ok(())
    }

    /// Lines after `exit` are not read, and `exit` has no reply.
    fn end_at_exit(&mut self) -> Result<(), Violation> {
        let end = self.records.iter().position(|record| record.command == Command::Exit).unwrap_or(self.records.len());
        match self.records[end..].iter().find(|record| record.reply.is_some()) {
            Some(record) => return Err(record.violation(Invariant::OneReply, "no reply to exit, and none after it")),
            None => self.records.truncate(end),
        }
        Ok(())
    }

    /// The line after a `wait` is not read before its reply.
    fn hold_back_behind_waits(&mut self) -> Result<(), Violation> {
        let (mut barrier_us, mut barrier_index) = (0, 0);
        for record in &mut self.records {
            record.read_us = record.read_us.max(barrier_us);
            record.read_index = record.read_index.max(barrier_index);
            if record.reply.is_some() && record.replied_index() < record.read_index {
                return Err(record.violation(Invariant::Wait, "nothing before the reply of the wait before it"));
            }
            if record.command.is_wait() {
                (barrier_us, barrier_index) = (record.replied_us(), record.replied_index());
            }
        }
        Ok(())
    }

    fn drop_what_is_no_command(&mut self) -> Result<(), Violation> {
        let is_nothing = |record: &Record| record.command == Command::Nothing;
        if let Some(record) = self.records.iter().find(|record| is_nothing(record) && record.reply.is_some()) {
            return Err(record.violation(Invariant::OneReply, "no reply to a blank line or a comment"));
        }
        self.records.retain(|record| !is_nothing(record));
        for (position, record) in self.records.iter_mut().enumerate() {
            record.position = position;
        }
        Ok(())
    }

    fn check_all_answered(&self) -> Result<(), Violation> {
        match self.records.iter().find(|record| record.reply.is_none()) {
            Some(record) if self.has_ended => Err(record.violation(Invariant::OneReply, "exactly one reply")),
            _ => Ok(()),
        }
    }
}
