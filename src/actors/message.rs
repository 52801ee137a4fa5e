//! What travels: envelopes of the data plane, messages of the control plane, and the names of those who send them.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::session::Packet;
use crate::topology::{NodeId, Route, Slot};

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// What travels on the data plane, hop by hop along the links of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Envelope {
    /// The first thing on a new link, from the child.
    Greeting,
    /// Down: a packet of the session of `to`.
    Request {
        /// The rest of the way.
        route: Route,
        /// The node that is asked.
        to: NodeKey,
        /// The packet.
        packet: Packet<RequestPiece>,
    },
    /// Up: a packet of the session of `from`.
    Reply {
        /// The node that answers.
        from: NodeKey,
        /// The packet.
        packet: Packet<ReplyPiece>,
    },
    /// Down: are you there?
    Ping {
        /// The rest of the way.
        route: Route,
        /// The node that is asked.
        to: NodeKey,
        /// Comes back in the answer.
        nonce: u64,
    },
    /// Up: yes.
    Pong {
        /// The node that answers.
        from: NodeKey,
        /// The number of the question.
        nonce: u64,
    },
    /// Down: do you, and all below you, answer?
    Wave {
        /// The number of the wave.
        wave: u64,
        /// The answer must be given at this time on the mode's clock, at the latest.
        deadline_ns: Nanos,
        /// By how much earlier the next level must answer.
        step_ns: Nanos,
    },
    /// Up: the children that did not answer, in one or more pieces.
    WaveReply {
        /// The number of the wave.
        wave: u64,
        /// Who did not answer; whoever is below them is not named.
        missing: Vec<NodeId>,
        /// No more pieces come.
        last: bool,
    },
    /// Down, then up: what was sent before it on this link has arrived.
    Marker {
        /// The number of the re-link.
        epoch: u64,
        /// Visit the links below, too, before it goes back.
        through: bool,
    },
    /// Up: the link to this child has ended, and all that came over it has been passed on.
    ChildGone {
        /// The child.
        child: NodeKey,
        /// The link.
        link: LinkId,
    },
    /// Up: there is no next hop for what was sent to this node.
    Unroutable {
        /// The node that was to be reached.
        to: NodeKey,
    },
}

impl Envelope {
    /// Whether it may come from the one at this end of a link: the parent's or the child's.
    ///
    /// ```
    /// use nodetree::actors::message::{Envelope, Side};
    /// assert!(Envelope::Greeting.may_come_from(Side::Lower));
    /// assert!(!Envelope::Greeting.may_come_from(Side::Upper));
    /// ```
    pub fn may_come_from(&self, side: Side) -> bool {
        match self {
            Self::Request { .. } | Self::Ping { .. } | Self::Wave { .. } => side == Side::Upper,
            Self::Greeting
            | Self::Reply { .. }
            | Self::Pong { .. }
            | Self::WaveReply { .. }
            | Self::ChildGone { .. }
            | Self::Unroutable { .. } => side == Side::Lower,
            Self::Marker { .. } => true,
        }
    }
}

impl fmt::Display for Envelope {
    /// What it is, in short, for traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting => f.write_str("greeting"),
            Self::Request { to, packet, .. } => write!(f, "request to {} {}", to.id, Numbers(packet)),
            Self::Reply { from, packet } => write!(f, "reply from {} {}", from.id, Numbers(packet)),
            Self::Ping { to, nonce, .. } => write!(f, "ping {} number {nonce}", to.id),
            Self::Pong { from, nonce } => write!(f, "pong from {} number {nonce}", from.id),
            Self::Wave { wave, deadline_ns, .. } => write!(f, "wave {wave} until {deadline_ns}"),
            Self::WaveReply { wave, missing, last } => write!(f, "wave {wave} missing {missing:?} last {last}"),
            Self::Marker { epoch, through } => write!(f, "marker {epoch} through {through}"),
            Self::ChildGone { child, link } => write!(f, "child {} gone from link {}", child.id, link.0),
            Self::Unroutable { to } => write!(f, "unroutable to {}", to.id),
        }
    }
}

struct Numbers<'a, T>(&'a Packet<T>);

impl<T> fmt::Display for Numbers<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Packet { base, ack, credit, probe, ack_now, segment } = self.0;
        let seq = segment.as_ref().map(|(seq, _)| seq);
        write!(f, "segment {seq:?} base {base} ack {ack} credit {credit} probe {probe} {ack_now}")
    }
}

/// What a node is to the one at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

/// What a node says to the control node on the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The answer to `Ask`.
    Here {
        /// The number of the re-link.
        epoch: u64,
    },
    /// A sign of life.
    Beat,
}

/// What a new node must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Who it is.
    pub key: NodeKey,
    /// Whether links may lose, repeat or reorder what they carry.
    pub lossy_links: bool,
    /// The period of its beats; 0 for none.
    pub beat_period_ns: Nanos,
}
