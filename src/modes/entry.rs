//! A command on its way from the facade to the control node: the types of the command set end here.

use bytes::Bytes;
use serde::Serialize;

use crate::actors::message::{MESSAGE_BYTES, MILLISECOND, RequestKind, RequestPiece, SEGMENT_BYTES};
use crate::actors::{Order, Outcome};
use crate::command_sets::{CommandSet, Request, RequestError};
use crate::commands::{Command, CommandError, Refusal, help};
use crate::error::SubmitError;
use crate::topology::NodeId;
use crate::trace::{is_cut, text_of};

/// A command on its way to the control node.
pub(super) struct Entry {
    pub(super) order: Order,
    /// What follows of its request.
    pub(super) rest: Vec<RequestPiece>,
    pub(super) text: String,
    /// Whether its text does not say it all, so that a trace wants its pieces, too.
    pub(super) is_told_in_pieces: bool,
}

impl Entry {
    /// What a command is to the control node; with its text where somebody keeps it.
    pub(super) fn of<C: CommandSet>(command: Command<C>, with_text: bool) -> Result<Self, SubmitError> {
        let text = if with_text { text_of(&command) } else { String::new() };
        let order = match command {
            Command::Create { id, parent } => Order::Create { id, parent },
            Command::Exec { id, request } => {
                let is_told_in_pieces = with_text && (request.is_err() || is_cut(&text));
                return Ok(Entry { text, is_told_in_pieces, ..exec_entry(id, request)? });
            }
            Command::Ping { id } => Order::Ping(id),
            Command::PingAll => Order::PingAll,
            Command::Heartbit { period_ms } => Order::Heartbit(period_ms * MILLISECOND),
            Command::Remove { id } => Order::Remove(id),
            Command::Kill { id } => Order::Kill(id),
            Command::Pause { id } => Order::Pause(id),
            Command::Resume { id } => Order::Resume(id),
            Command::All => Order::All,
            Command::Tree => Order::Tree,
            Command::Wait { ms } => Order::Wait(ms.map(|ms| ms * MILLISECOND)),
            Command::Fault { fault } => match fault.check() {
                Ok(()) => Order::Fault(Box::new(fault)),
                Err(wrong) => Order::Answer(Outcome::Refused(Refusal::Command(wrong.into()))),
            },
            Command::Heal { number } => Order::Heal(number),
            Command::Faults => Order::Faults,
            Command::Help { command } => Order::Answer(match help::<C>(command.as_deref()) {
                Ok(text) => Outcome::Help(text),
                Err(error) => Outcome::Refused(Refusal::Command(error)),
            }),
            Command::Exit => return Err(SubmitError::Exit),
        };
        Ok(Entry { order, rest: Vec::new(), text, is_told_in_pieces: false })
    }

    /// A line that is no command; it is refused when its turn comes.
    pub(super) fn wrong(error: CommandError) -> Self {
        let order = Order::Answer(Outcome::Refused(Refusal::Command(error)));
        Self { order, rest: Vec::new(), text: String::new(), is_told_in_pieces: true }
    }
}

/// The command knows its number.
pub(super) fn numbered(order: Order, op: u64) -> Order {
    match order {
        Order::Exec { id, first, complete } => Order::Exec { id, first: RequestPiece { exec: op, ..first }, complete },
        order => order,
    }
}

fn exec_entry<C: CommandSet>(id: NodeId, request: Result<Request<C>, RequestError>) -> Result<Entry, SubmitError> {
    let mut pieces = Vec::new();
    match request {
        Err(RequestError(text)) => add_message(RequestKind::Invalid, text.into_bytes(), true, &mut pieces),
        Ok(Request { head, parts }) => {
            add_message(RequestKind::Head, encoded(&head)?, parts.is_empty(), &mut pieces);
            let count = parts.len();
            for (at, part) in parts.iter().enumerate() {
                add_message(RequestKind::Part, encoded(part)?, at + 1 == count, &mut pieces);
            }
        }
    }
    let mut pieces = pieces.into_iter();
    let first = pieces.next().ok_or_else(|| SubmitError::Encode("an empty request".to_owned()))?;
    let rest: Vec<_> = pieces.collect();
    let order = Order::Exec { id, first, complete: rest.is_empty() };
    Ok(Entry { order, rest, text: String::new(), is_told_in_pieces: false })
}

pub(super) fn encoded<T: Serialize>(message: &T) -> Result<Vec<u8>, SubmitError> {
    let bytes = postcard::to_stdvec(message).map_err(|error| SubmitError::Encode(error.to_string()))?;
    match bytes.len() {
        length if length > MESSAGE_BYTES => Err(SubmitError::TooLong { bytes: length, limit: MESSAGE_BYTES }),
        _ => Ok(bytes),
    }
}

/// Cuts a message into pieces that fit into segments.
pub(super) fn add_message(kind: RequestKind, message: Vec<u8>, last: bool, pieces: &mut Vec<RequestPiece>) {
    let mut rest = Bytes::from(message);
    loop {
        let bytes = rest.split_to(rest.len().min(SEGMENT_BYTES));
        let more = !rest.is_empty();
        pieces.push(RequestPiece { exec: 0, kind, more, last: last && !more, bytes });
        if !more {
            return;
        }
    }
}
