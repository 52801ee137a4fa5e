//! What travels on the data plane.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::{LinkId, Nanos, NodeKey, ReplyPiece, RequestPiece, Side};
use super::session::Packet;
use crate::topology::{NodeId, Route};

/// What travels on the data plane, hop by hop along the links of the tree.
///
/// Packets are behind a box, so that the others are short: of a wave there may be one for each node at the same time.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
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
        packet: Box<Packet<RequestPiece>>,
    },
    /// Up: a packet of the session of `from`.
    Reply {
        /// The node that answers.
        from: NodeKey,
        /// The packet.
        packet: Box<Packet<ReplyPiece>>,
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
        /// The answer must be given within this time, on the clock of whoever takes it.
        budget_ns: Nanos,
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
    /// The bytes that it carries from or to a command set, if any.
    ///
    /// ```
    /// use nodetree::actors::message::Envelope;
    /// assert_eq!(Envelope::Greeting.payload(), None);
    /// ```
    pub fn payload(&self) -> Option<&Bytes> {
        match self {
            Self::Request { packet, .. } => packet.segment.as_ref().map(|(_, piece)| &piece.bytes),
            Self::Reply { packet, .. } => packet.segment.as_ref().map(|(_, piece)| &piece.bytes),
            _ => None,
        }
    }

    /// What kind it is: the name of its variant.
    ///
    /// ```
    /// use nodetree::actors::message::Envelope;
    /// assert_eq!(Envelope::Greeting.kind(), "Greeting");
    /// ```
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Greeting => "Greeting",
            Self::Request { .. } => "Request",
            Self::Reply { .. } => "Reply",
            Self::Ping { .. } => "Ping",
            Self::Pong { .. } => "Pong",
            Self::Wave { .. } => "Wave",
            Self::WaveReply { .. } => "WaveReply",
            Self::Marker { .. } => "Marker",
            Self::ChildGone { .. } => "ChildGone",
            Self::Unroutable { .. } => "Unroutable",
        }
    }

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

    /// How many bytes it carries for somebody, about.
    pub(super) fn payload_bytes(&self) -> usize {
        match self {
            Self::Request { packet, .. } => packet.segment.as_ref().map_or(0, |(_, piece)| piece.bytes.len()),
            Self::Reply { packet, .. } => packet.segment.as_ref().map_or(0, |(_, piece)| piece.bytes.len()),
            Self::WaveReply { missing, .. } => size_of::<NodeId>() * missing.len(),
            _ => 0,
        }
    }

    /// The command that it belongs to; one that only acknowledges belongs to none.
    pub fn command(&self) -> Option<u64> {
        match self {
            Self::Request { packet, .. } => packet.segment.as_ref().map(|(_, piece)| piece.exec),
            Self::Reply { packet, .. } => packet.segment.as_ref().map(|(_, piece)| piece.exec),
            Self::Ping { nonce, .. } | Self::Pong { nonce, .. } => Some(*nonce),
            Self::Wave { wave, .. } | Self::WaveReply { wave, .. } => Some(*wave),
            Self::Marker { epoch, .. } => Some(command_of(*epoch)),
            Self::Greeting | Self::ChildGone { .. } | Self::Unroutable { .. } => None,
        }
    }
}

/// The number of a re-link: that of its command, made unlike that of an attempt before it.
pub fn epoch_of(command: u64, attempt: u64) -> u64 {
    command << 16 | (attempt & 0xffff)
}

/// The command that a re-link belongs to.
pub fn command_of(epoch: u64) -> u64 {
    epoch >> 16
}

impl fmt::Display for Envelope {
    /// What it is, in short, for traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting => f.write_str("greeting"),
            Self::Request { to, packet, .. } => write!(f, "request to {}{}", to.id, Numbers(packet)),
            Self::Reply { from, packet } => write!(f, "reply of {}{}", from.id, Numbers(packet)),
            Self::Ping { to, .. } => write!(f, "ping to {}", to.id),
            Self::Pong { from, .. } => write!(f, "pong of {}", from.id),
            Self::Wave { budget_ns, .. } => write!(f, "wave for {} us", budget_ns / 1000),
            Self::WaveReply { missing, last, .. } => {
                f.write_str("wave answered")?;
                missing.iter().try_for_each(|id| write!(f, ", not by {id}"))?;
                f.write_str(if *last { "" } else { ", more follows" })
            }
            Self::Marker { epoch, through } => {
                write!(f, "marker {}{}", epoch & 0xffff, if *through { ", through" } else { "" })
            }
            Self::ChildGone { child, link } => write!(f, "child {} gone from link {}", child.id, link.0),
            Self::Unroutable { to } => write!(f, "unroutable to {}", to.id),
        }
    }
}

struct Numbers<'a, T>(&'a Packet<T>);

impl<T> fmt::Display for Numbers<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Packet { base, ack, credit, probe, ack_now, segment } = self.0;
        segment.as_ref().map_or(Ok(()), |(number, _)| write!(f, ", segment {number}"))?;
        write!(f, ", base {base}, ack {ack}, credit {credit}")?;
        f.write_str(if *ack_now { ", ack now" } else { "" })?;
        f.write_str(if *probe { ", probe" } else { "" })
    }
}
