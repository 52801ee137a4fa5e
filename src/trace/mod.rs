//! What happened: events as data, kept in memory or written while they happen, saved and read again, and shown as text.
//!
//! The format is described in `docs/trace.md`.
//!
//! ```text
//! modes ──add──> Trace ──take──> events ──write──> file ──Reader──> Filter ──> table, diagram
//!                  └────────────write_to─────────────^
//! ```

mod diagram;
mod filter;
mod format;
mod record;
mod table;
mod text;

use serde::{Deserialize, Serialize};

use crate::actors::message::{Nanos, RequestKind};
use crate::faults::FaultPlan;
use crate::span::Span;
use crate::topology::{NodeId, TopologyKind};

pub use diagram::{MIN_WIDTH, diagram};
pub use filter::Filter;
pub use format::{Reader, VERSION, read, write};
pub use record::Trace;
pub use table::table;
pub(crate) use text::{from_hex, hex, is_cut, text_of};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds on the mode's clock.
    pub at_ns: Nanos,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The system begins: the first event of a trace that is kept from the start.
    Began(Run),
    /// A command was submitted.
    Submitted {
        /// Its ticket.
        command: u64,
        /// The node that it is for, if it is for one.
        node: Option<NodeId>,
        /// Its text, at most the first 4 096 bytes.
        text: String,
    },
    /// A piece of a request was handed in, where the text of its command does not say it all: the text was cut, the
    /// request came in pieces or is wrong, or the line is no command.
    Handed {
        /// The ticket of the command.
        command: u64,
        /// What it is; `Invalid` with the text of the error for what is wrong.
        kind: RequestKind,
        /// The message goes on in the next piece.
        more: bool,
        /// Nothing follows.
        last: bool,
        /// Its bytes, two hexadecimal digits each.
        bytes: String,
    },
    /// A command was answered.
    Answered {
        /// Its ticket.
        command: u64,
        /// The text of the reply, at most the first 4 096 bytes.
        text: String,
    },
    /// Something was said unasked.
    Noticed {
        /// The node that it is about.
        node: NodeId,
        /// The text of the notice.
        text: String,
    },
    /// A node was started.
    Started {
        /// Its id.
        node: NodeId,
        /// Which life of it.
        incarnation: u64,
        /// Its process, or the number that stands for one.
        pid: u64,
    },
    /// A node has ended.
    Ended {
        /// Its id.
        node: NodeId,
        /// Which life of it.
        incarnation: u64,
    },
    /// A node was stopped, as by SIGSTOP.
    Stopped {
        /// Its id.
        node: NodeId,
    },
    /// A node goes on, as by SIGCONT.
    Continued {
        /// Its id.
        node: NodeId,
    },
    /// A fault takes effect.
    Fault {
        /// Its number.
        number: u64,
        /// The node that it is about, or below the link that it is about, if it is about one.
        node: Option<NodeId>,
        /// What it is.
        text: String,
    },
    /// A fault is over, or not waited for any more.
    Healed {
        /// Its number.
        number: u64,
    },
    /// A link was made.
    Linked {
        /// Its number.
        link: u64,
        /// The parent.
        upper: NodeId,
        /// The child.
        lower: NodeId,
    },
    /// An envelope has been sent. Only where its arrival is not seen: by the control node, in process mode.
    Sent(Passage),
    /// An envelope has come to a node.
    Delivered(Passage),
}

/// The system that a trace is of: what is needed to run it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The version of nodetree.
    pub version: String,
    /// How nodes are placed.
    pub topology: TopologyKind,
    /// The name of the command set.
    pub commands: String,
    /// The name of the mode.
    pub mode: String,
    /// From what chance is drawn.
    pub seed: u64,
    /// How long an answer is waited for.
    pub reply_timeout: Span,
    /// How many commands may be in flight or unread.
    pub capacity: usize,
    /// Whether everything is encoded on each hop of a simulation.
    pub codec: bool,
    /// What goes wrong by plan.
    pub faults: FaultPlan,
}

/// An envelope on one link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Who sends it; nobody knows when the link is older than the trace.
    pub from: Option<NodeId>,
    /// Who takes it; as `from`.
    pub to: Option<NodeId>,
    /// The link.
    pub link: u64,
    /// The command that it belongs to, if it belongs to one.
    pub command: Option<u64>,
    /// What it is, in short.
    pub envelope: String,
}
