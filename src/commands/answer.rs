//! What is printed: the answers to commands, and the notices that come unasked. All texts here are exact.

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::command_sets::{CommandSet, RequestError, derive_for_any_set};
use crate::topology::NodeId;

use super::command::CommandError;
use super::result::{Behind, ExecResult};

/// The number of a command that was accepted; its reply bears the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// The one reply to a command. It is printed as its answer.
pub struct Reply<C: CommandSet> {
    /// The command that it answers.
    pub ticket: Ticket,
    /// What is answered.
    pub answer: Answer<C>,
}

/// What a command is answered.
///
/// ```
/// use nodetree::command_sets::{Dictionary, RequestError, dictionary::Found};
/// use nodetree::commands::{Answer, ExecError, ExecResult, Refusal};
/// let print = |answer: Answer<Dictionary>| answer.to_string();
/// let exec = |part| Answer::Exec { id: 10, outcome: Ok(ExecResult::of([part])) };
/// assert_eq!(print(Answer::Created { pid: 4021 }), "Ok: 4021");
/// assert_eq!(print(exec(Found::Value(5))), "Ok:10: 5");
/// assert_eq!(print(exec(Found::Saved)), "Ok:10");
/// assert_eq!(print(Answer::Exec { id: 10, outcome: Err(ExecError::NotFound) }), "Error:10: Not found");
/// assert_eq!(print(Answer::PingAll { down: vec![7, 10, 15] }), "Ok: 7;10;15");
/// assert_eq!(print(Answer::PingAll { down: vec![] }), "Ok: -1");
/// assert_eq!(print(Answer::All { ids: vec![12, 66] }), "Ok: 12 66");
/// assert_eq!(print(Answer::Refused(Refusal::ParentNotFound)), "Error: Parent not found");
/// ```
pub enum Answer<C: CommandSet> {
    /// The node is created.
    Created {
        /// Its process, or the number that stands for it.
        pid: u64,
    },
    /// The exec is done, or not.
    Exec {
        /// The node that was asked.
        id: NodeId,
        /// Its result, or why there is none.
        outcome: Result<ExecResult<C>, ExecError>,
    },
    /// Whether the node is available.
    Ping {
        /// It is.
        available: bool,
    },
    /// Which nodes are down.
    PingAll {
        /// Their ids, ascending; printed as `-1` when there are none.
        down: Vec<NodeId>,
    },
    /// It is done.
    Done,
    /// All nodes that were created and not removed.
    All {
        /// Their ids, ascending.
        ids: Vec<NodeId>,
    },
    /// A drawing of the topology.
    Tree {
        /// Its lines, without a line end behind the last.
        drawing: String,
    },
    /// The fault is armed.
    Armed {
        /// Its number, by which it is healed.
        number: u64,
    },
    /// The faults that are armed or under way.
    Faults {
        /// Their numbers, ascending, and what they are.
        faults: Vec<(u64, String)>,
    },
    /// What can be typed.
    Help {
        /// Its lines; see [`help`](super::help).
        text: String,
    },
    /// It is not done.
    Refused(Refusal),
}

/// Why an exec has no result. It is printed behind `Error:id: `.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExecError {
    /// There is no such node. Nothing has happened.
    #[error("Not found")]
    NotFound,
    /// The node is down. When it went down after the request was sent, the request has happened at most once.
    #[error("Node is unavailable")]
    Unavailable,
    /// The request is wrong. It has not changed the node.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a command was refused. It is printed behind `Error: `, and nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The node is there already.
    #[error("Already exists")]
    AlreadyExists,
    /// There is no such parent.
    #[error("Parent not found")]
    ParentNotFound,
    /// The parent is down.
    #[error("Parent is unavailable")]
    ParentUnavailable,
    /// There is no such node.
    #[error("Not found")]
    NotFound,
    /// The node is down.
    #[error("Node is unavailable")]
    Unavailable,
    /// A node that would have to be re-linked is silent, or would come to stand below a dead one.
    #[error("node {0} is unavailable")]
    NodeInTheWay(NodeId),
    /// The system ended before the command was done. Whether it has happened is not known.
    #[error("Interrupted")]
    Interrupted,
    /// The line was no command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Something that the world did: a process that could not be started, say.
    #[error("{0}")]
    Other(String),
}

/// What is printed unasked.
///
/// ```
/// use nodetree::commands::Notice;
/// assert_eq!(Notice::Unavailable { id: 4 }.to_string(), "Heartbit: node 4 is unavailable now");
/// assert_eq!(Notice::Available { id: 4 }.to_string(), "Heartbit: node 4 is available again");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// Nothing has come from the node, or from one above it, for four periods.
    Unavailable {
        /// The node.
        id: NodeId,
    },
    /// The node that was reported is available again.
    Available {
        /// The node.
        id: NodeId,
    },
}

derive_for_any_set!(Answer {
    Created { pid: pid },
    Exec { id: id, outcome: outcome },
    Ping { available: available },
    PingAll { down: down },
    Done,
    All { ids: ids },
    Tree { drawing: drawing },
    Armed { number: number },
    Faults { faults: faults },
    Help { text: text },
    Refused { 0: refusal },
});

impl<C: CommandSet> Answer<C> {
    /// Writes what `Display` prints, a long result without holding it whole.
    ///
    /// ```
    /// use nodetree::command_sets::Sum;
    /// use nodetree::commands::{Answer, ExecResult};
    /// let mut out = Vec::new();
    /// Answer::<Sum>::Exec { id: -5, outcome: Ok(ExecResult::of([6])) }.write_to(&mut out)?;
    /// assert_eq!(out, b"Ok:-5: 6");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it cannot be written, or a spooled result cannot be read.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Exec { id, outcome: Ok(result) } => {
                write!(out, "Ok:{id}")?;
                result.write_to(&mut Behind::new(": ", out))
            }
            _ => write!(out, "{self}"),
        }
    }
}

impl<C: CommandSet> Display for Answer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { pid } => write!(f, "Ok: {pid}"),
            Self::Exec { id, outcome: Ok(result) } => {
                write!(f, "Ok:{id}")?;
                result.fmt_behind(": ", f)
            }
            Self::Exec { id, outcome: Err(error) } => write!(f, "Error:{id}: {error}"),
            Self::Ping { available } => write!(f, "Ok: {}", u8::from(*available)),
            Self::PingAll { down } if down.is_empty() => f.write_str("Ok: -1"),
            Self::PingAll { down } => print_ids(down, "Ok: ", ";", f),
            Self::Done => f.write_str("Ok"),
            Self::All { ids } if ids.is_empty() => f.write_str("Ok:"),
            Self::All { ids } => print_ids(ids, "Ok: ", " ", f),
            Self::Tree { drawing } => f.write_str(drawing),
            Self::Armed { number } => write!(f, "Ok: {number}"),
            Self::Faults { faults } => print_faults(faults, f),
            Self::Help { text } => f.write_str(text),
            Self::Refused(refusal) => write!(f, "Error: {refusal}"),
        }
    }
}

fn print_faults(faults: &[(u64, String)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("Ok:")?;
    for (nth, (number, what)) in faults.iter().enumerate() {
        write!(f, "{} {number} {what}", if nth == 0 { "" } else { ";" })?;
    }
    Ok(())
}

fn print_ids(ids: &[NodeId], before: &str, between: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (nth, id) in ids.iter().enumerate() {
        write!(f, "{}{id}", if nth == 0 { before } else { between })?;
    }
    Ok(())
}

impl<C: CommandSet> From<CommandError> for Answer<C> {
    fn from(error: CommandError) -> Self {
        Self::Refused(error.into())
    }
}

impl<C: CommandSet> Reply<C> {
    /// See [`Answer::write_to`].
    ///
    /// # Errors
    /// As there.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.answer.write_to(out)
    }
}

impl<C: CommandSet> Display for Reply<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answer.fmt(f)
    }
}

impl<C: CommandSet> Clone for Reply<C> {
    fn clone(&self) -> Self {
        Self { ticket: self.ticket, answer: self.answer.clone() }
    }
}

impl<C: CommandSet> fmt::Debug for Reply<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("ticket", &self.ticket).field("answer", &self.answer).finish()
    }
}

impl<C: CommandSet> PartialEq for Reply<C> {
    fn eq(&self, other: &Self) -> bool {
        self.ticket == other.ticket && self.answer == other.answer
    }
}

impl Notice {
    /// The node that it is about.
    pub fn id(self) -> NodeId {
        match self {
            Self::Unavailable { id } | Self::Available { id } => id,
        }
    }
}

impl Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { id } => write!(f, "Heartbit: node {id} is unavailable now"),
            Self::Available { id } => write!(f, "Heartbit: node {id} is available again"),
        }
    }
}
