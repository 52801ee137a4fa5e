//! From a string to a [`Command`].

use std::str::FromStr;

use crate::command_sets::words::{number, split_word, words};
use crate::command_sets::{CommandSet, Request, RequestError, StreamedText};
use crate::topology::NodeId;

use super::command::{Command, CommandError, MAX_LINE_BYTES, MAX_MS, MIN_PERIOD_MS};
use super::forms::{Form, Verb};

impl<C: CommandSet> FromStr for Command<C> {
    type Err = CommandError;

    /// Reads one command, without the line end behind it. Only an `exec` whose text is [`StreamedText::Lines`] may
    /// have several lines; the blank lines and comments of an input are not commands (the
    /// [`Scanner`](super::Scanner) leaves them out).
    fn from_str(text: &str) -> Result<Self, CommandError> {
        if let (StreamedText::Lines(_), Some((line, lines))) = (C::TEXT, text.split_once('\n')) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if split_word(line).0 == "exec" {
                return exec_with_lines(line, &lines.replace("\r\n", "\n"));
            }
        }
        let endless = C::TEXT == StreamedText::Line && split_word(text).0 == "exec";
        if text.len() > MAX_LINE_BYTES && !endless { Err(CommandError::LineTooLong) } else { parse_line(text) }
    }
}

/// Reads a command that stands on one line.
pub(super) fn parse_line<C: CommandSet>(line: &str) -> Result<Command<C>, CommandError> {
    let (word, rest) = split_word(line);
    let form = Form::find(word).ok_or_else(|| CommandError::unknown(word))?;
    let command = match form.verb {
        Verb::Exec => exec(rest),
        Verb::Fault if !rest.is_empty() => return Ok(Command::Fault { fault: rest.parse()? }),
        _ => command(form.verb, rest),
    };
    command.ok_or_else(|| CommandError::usage::<C>(form))
}

/// Reads the line `exec id` of a set whose text is in the lines behind it. Whatever else stands there is an error of
/// the request: only the id makes a line of `exec` malformed.
pub(super) fn parse_exec_line<C: CommandSet>(line: &str) -> Result<(NodeId, Result<(), RequestError>), CommandError> {
    let (_, rest) = split_word(line);
    let (id, more) = split_word(rest);
    let id = number(id).ok_or(CommandError::Usage { form: C::USAGE })?;
    let nothing_more = if more.is_empty() { Ok(()) } else { Err(unexpected_text()) };
    Ok((id, nothing_more))
}

fn exec_with_lines<C: CommandSet>(line: &str, lines: &str) -> Result<Command<C>, CommandError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(CommandError::LineTooLong);
    }
    let (id, nothing_more) = parse_exec_line::<C>(line)?;
    Ok(Command::Exec { id, request: nothing_more.and_then(|()| C::parse(lines)) })
}

fn exec<C: CommandSet>(rest: &str) -> Option<Command<C>> {
    let (id, text) = split_word(rest);
    Some(Command::Exec { id: number(id)?, request: request(text) })
}

fn request<C: CommandSet>(text: &str) -> Result<Request<C>, RequestError> {
    match C::TEXT {
        StreamedText::Lines(_) if !text.is_empty() => Err(unexpected_text()),
        StreamedText::Lines(lines) if lines > 0 => Err(RequestError::new(format_args!("expected {lines} more lines"))),
        _ => C::parse(text),
    }
}

fn unexpected_text() -> RequestError {
    RequestError::new("unexpected text behind the id")
}

/// `None` for what is not typed in the form of the command.
fn command<C: CommandSet>(verb: Verb, rest: &str) -> Option<Command<C>> {
    let mut args = words(rest);
    let mut id = || args.next().and_then(number);
    let command = match verb {
        Verb::Create => Command::Create { id: id()?, parent: optional(args.next(), number)? },
        Verb::Exec | Verb::Fault => return None,
        Verb::Ping => Command::Ping { id: id()? },
        Verb::PingAll => Command::PingAll,
        Verb::Heartbit => Command::Heartbit { period_ms: period_ms(args.next()?)? },
        Verb::Remove => Command::Remove { id: id()? },
        Verb::Kill => Command::Kill { id: id()? },
        Verb::Pause => Command::Pause { id: id()? },
        Verb::Resume => Command::Resume { id: id()? },
        Verb::All => Command::All,
        Verb::Tree => Command::Tree,
        Verb::Wait => Command::Wait { ms: optional(args.next(), milliseconds)? },
        Verb::Heal => Command::Heal { number: number(args.next()?).and_then(|number| u64::try_from(number).ok())? },
        Verb::Faults => Command::Faults,
        Verb::Help => Command::Help { command: args.next().map(str::to_owned) },
        Verb::Exit => Command::Exit,
    };
    args.next().is_none().then_some(command)
}

/// Nothing, or a word that must be readable.
fn optional<T>(word: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    word.map_or(Some(None), |word| read(word).map(Some))
}

fn milliseconds(word: &str) -> Option<u64> {
    number(word).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms <= MAX_MS)
}

fn period_ms(word: &str) -> Option<u64> {
    milliseconds(word).filter(|ms| *ms == 0 || *ms >= MIN_PERIOD_MS)
}
