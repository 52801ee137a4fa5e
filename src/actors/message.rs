//! What travels: envelopes of the data plane, messages of the control plane, and the names of those who send them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use super::envelope::{Envelope, command_of, epoch_of};
use crate::faults::Fault;
use crate::topology::{NodeId, Slot};

/// A moment or a length of time on the mode's monotonic clock, in nanoseconds.
pub type Nanos = u64;

/// Nanoseconds in a millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// The most bytes of a message that one segment carries.
pub const SEGMENT_BYTES: usize = 60 * 1024;

/// The most bytes that one message (head, part or output) may have when encoded.
pub const MESSAGE_BYTES: usize = 1024 * 1024;

/// Pieces longer than this are counted until the control node has taken them; shorter ones are bounded by the number
/// of commands.
pub const COUNTED_BYTES: usize = 1024;

/// One life of a computing node. Incarnations are never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeKey {
    /// The id under which the node was created.
    pub id: NodeId,
    /// Which life of that id. 0 is the control node; in process mode the others cannot be guessed.
    pub incarnation: u64,
}

impl NodeKey {
    /// The control node.
    pub const CONTROL: Self = Self { id: crate::topology::CONTROL, incarnation: 0 };
}

/// A link between a parent and a child. Numbers are never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkId(pub u64);

/// One of the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The parent's end.
    Upper,
    /// The child's end.
    Lower,
}

impl Side {
    /// The end at the other side.
    pub fn other(self) -> Self {
        match self {
            Self::Upper => Self::Lower,
            Self::Lower => Self::Upper,
        }
    }
}

/// A piece of a request on its way down: a message of the command set, or a fragment of one.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct RequestPiece {
    /// The number of the command.
    pub exec: u64,
    /// What the message is.
    pub kind: RequestKind,
    /// The message goes on in the next piece.
    pub more: bool,
    /// The request is complete with this message.
    pub last: bool,
    /// The message, or a fragment of it.
    pub bytes: Bytes,
}

/// What a message of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestKind {
    /// The head.
    Head,
    /// A part.
    Part,
    /// Nothing more comes; carries no bytes.
    Finish,
    /// The request was found to be wrong where it was read; the bytes are the text. The node, when its turn
    /// comes, answers with that text, so that it stays in order and is known to be available.
    Invalid,
}

/// A piece of a result on its way up.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub struct ReplyPiece {
    /// The number of the command.
    pub exec: u64,
    /// The message is not a part of the result but the text of an error.
    pub error: bool,
    /// The message goes on in the next piece.
    pub more: bool,
    /// The result is complete with this message.
    pub last: bool,
    /// The message, or a fragment of it; empty when a result without parts ends.
    pub bytes: Bytes,
    /// The piece carries a message (and not only the end of the result).
    pub message: bool,
}

/// What a node is to the one at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The other end is the parent.
    Parent,
    /// The other end is this child.
    Child {
        /// Who it is.
        key: NodeKey,
        /// Which place it has.
        slot: Slot,
    },
}

/// What the control node says to a node on the control plane. No request travels here.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub enum ControlDown {
    /// Here is a link.
    Link {
        /// Its number.
        link: LinkId,
        /// Who is at the other end.
        role: Role,
        /// Use it at once; otherwise it is kept until a `Switch`.
        active: bool,
    },
    /// Use these links, and stop sending on those (what still comes over them is taken).
    Switch {
        /// The number of the re-link.
        epoch: u64,
        /// The links to be used from now on.
        activate: Vec<LinkId>,
        /// The links to children that are not to be used any more.
        retire: Vec<LinkId>,
        /// Children that stay, and the places that they have from now on.
        places: Vec<(NodeId, Slot)>,
    },
    /// Are you there? A re-link is about to change your links.
    Ask {
        /// The number of the re-link.
        epoch: u64,
    },
    /// Send a marker down this link and report when it has come back.
    Drain {
        /// The number of the re-link.
        epoch: u64,
        /// The old link.
        link: LinkId,
        /// The child there will be removed: the marker is to visit the links below it too.
        through: bool,
    },
    /// Close these links.
    Unlink {
        /// Their numbers.
        links: Vec<LinkId>,
    },
    /// Report every `period_ns`; 0 stops it.
    Beat {
        /// The period.
        period_ns: Nanos,
    },
    /// End in order.
    Stop,
    /// A fault of links, or of you, begins; or it is to be looked for when it waits for an envelope. For whoever runs the
    /// node, not for the node.
    Fault {
        /// Its number.
        number: u64,
        /// The fault.
        fault: Box<Fault>,
    },
    /// A fault is over, or not to be looked for any more. For whoever runs the node, too.
    Heal {
        /// Its number.
        number: u64,
    },
}

impl ControlDown {
    /// What kind it is: the name of its variant.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Link { .. } => "Link",
            Self::Switch { .. } => "Switch",
            Self::Ask { .. } => "Ask",
            Self::Drain { .. } => "Drain",
            Self::Unlink { .. } => "Unlink",
            Self::Beat { .. } => "Beat",
            Self::Stop => "Stop",
            Self::Fault { .. } => "Fault",
            Self::Heal { .. } => "Heal",
        }
    }
}

/// What a node says to the control node on the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ControlUp {
    /// The link stands, and the child's greeting has come over it.
    Linked {
        /// Its number.
        link: LinkId,
    },
    /// The switch is done.
    Switched {
        /// The number of the re-link.
        epoch: u64,
    },
    /// The marker has come back.
    Drained {
        /// The number of the re-link.
        epoch: u64,
    },
    /// The link cannot be used: the operating system has refused it.
    LinkFailed {
        /// Its number.
        link: LinkId,
    },
    /// The answer to `Ask`.
    Here {
        /// The number of the re-link.
        epoch: u64,
    },
    /// A sign of life.
    Beat,
    /// Whoever runs the node has taken a `Fault` or a `Heal`.
    FaultTaken {
        /// The number of the fault.
        number: u64,
    },
    /// A fault that waits for an envelope strikes the node now, or one that happens once has happened at its links.
    Happened {
        /// The number of the fault.
        number: u64,
    },
    /// A link that was not used yet has ended by itself.
    LinkEnded {
        /// Its number.
        link: LinkId,
    },
}

/// What a new node must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Who it is.
    pub key: NodeKey,
    /// The period of its beats; 0 for none.
    pub beat_period_ns: Nanos,
}
