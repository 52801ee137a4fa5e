//! A fault as a value: what it is, where, and what sets it off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chance::Chance;
use crate::span::Span;
use crate::topology::NodeId;

/// The longest time in a fault: a day.
pub const MAX_TIME: Duration = Duration::from_secs(86_400);

/// The most faults in a plan, and the most that a system holds at a time.
pub const MAX_FAULTS: usize = 4096;

/// Something that goes wrong, and what sets it off.
///
/// As text it is RON: `(when: After(3), what: Kill(5))`, or only the kind of a fault that is set off now: `Kill(5)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What sets it off; by default it is set off at once.
    #[serde(default)]
    pub when: Trigger,
    /// What goes wrong.
    pub what: FaultKind,
}

/// Faults that belong together. They are numbered from 1 in this order, and armed before the first command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultPlan(
    /// The faults.
    pub Vec<Fault>,
);

/// What sets a fault off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trigger {
    /// At once.
    #[default]
    Now,
    /// So much time after it was armed, on the mode's clock; up to [`MAX_TIME`].
    At(Span),
    /// When so many commands have been answered since it was armed.
    After(u64),
    /// When the node that is to be killed or paused takes an envelope of this kind. It is counted from the moment at
    /// which the fault was armed, in the life that the node has then or, where there is none, in its next one.
    Envelope {
        /// What kind of envelope, or of message of the control node.
        kind: EnvelopeKind,
        /// How many of them; the first by default.
        #[serde(default = "first")]
        nth: u64,
        /// When, exactly.
        #[serde(default)]
        moment: Moment,
    },
}

fn first() -> u64 {
    1
}

/// At which moment of an envelope a node is struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Moment {
    /// Before it takes effect.
    #[default]
    Before,
    /// When it has, and nothing that comes of it has left the node.
    Applied,
    /// When what comes of it has been sent.
    Answered,
}

/// The kinds of envelopes of the data plane, and of messages from the control node: see `docs/wire.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they bear the names of what they stand for")]
pub enum EnvelopeKind {
    Greeting,
    Request,
    Reply,
    Ping,
    Pong,
    Wave,
    WaveReply,
    Marker,
    ChildGone,
    Unroutable,
    Link,
    Switch,
    Ask,
    Drain,
    Unlink,
    Beat,
    Stop,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultKind {
    /// The node ends as by `kill -9`. Cannot be healed. To a node that is not there, or is still being created, nothing
    /// happens; so it is with the next two.
    Kill(NodeId),
    /// The node stops as by SIGSTOP; healed, it goes on.
    Pause(NodeId),
    /// The node goes on as by SIGCONT.
    Resume(NodeId),
    /// Nothing gets over these links.
    Cut {
        /// Which links.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
    },
    /// Some of what is sent is lost.
    Drop {
        /// On which links.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
        /// How likely.
        chance: Chance,
    },
    /// Some of what is sent comes late; what was sent behind it waits.
    Delay {
        /// On which links.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
        /// How likely.
        #[serde(default = "Chance::always")]
        chance: Chance,
        /// How late.
        by: Spread,
    },
    /// Some of what is sent comes twice.
    Duplicate {
        /// On which links.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
        /// How likely.
        chance: Chance,
    },
    /// Some of what is sent is overtaken by what is sent up to 4 ms later.
    Reorder {
        /// On which links.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
        /// How likely.
        chance: Chance,
    },
    /// The next frame is damaged on its way, which ends the link: a node below it that has no other dies. Cannot be
    /// healed once it has happened.
    Corrupt {
        /// On which links; on `All`, the first frame of any.
        links: Links,
        /// Which way.
        #[serde(default)]
        direction: Direction,
    },
    /// The node takes longer for whatever comes to it.
    Slow {
        /// Which node.
        node: NodeId,
        /// By so much, each time.
        by: Span,
    },
    /// The node's clock is ahead of the others'. It jumps when the fault is set off and when it is healed.
    Skew {
        /// Which node.
        node: NodeId,
        /// By so much.
        ahead: Span,
    },
}

/// Which links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Links {
    /// Every one.
    All,
    /// The one between this node and its parent.
    Above(NodeId),
}

impl Links {
    /// Whether the link above this node is one of them.
    pub fn are_above(self, node: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Above(below) => below == node,
        }
    }
}

/// Which way something travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// From a parent to its child.
    Down,
    /// From a child to its parent.
    Up,
}

impl Direction {
    /// Whether what goes that way is meant.
    pub fn covers(self, way: Self) -> bool {
        self == Self::Both || self == way
    }
}

/// How long something is delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Spread {
    /// Each time as long.
    Exactly(Span),
    /// From the one to the other, each time in between equally likely.
    Between(Span, Span),
    /// Exponentially distributed with this mean, but at most ten times as long.
    Exponential(Span),
}

impl Fault {
    /// A fault that is set off at once.
    pub fn now(what: FaultKind) -> Self {
        Self { when: Trigger::Now, what }
    }
}

impl FaultKind {
    /// The links that it is about, and which way.
    pub fn links(&self) -> Option<(Links, Direction)> {
        match *self {
            Self::Kill(_) | Self::Pause(_) | Self::Resume(_) | Self::Slow { .. } | Self::Skew { .. } => None,
            Self::Cut { links, direction }
            | Self::Drop { links, direction, .. }
            | Self::Delay { links, direction, .. }
            | Self::Duplicate { links, direction, .. }
            | Self::Reorder { links, direction, .. }
            | Self::Corrupt { links, direction } => Some((links, direction)),
        }
    }

    /// The node that it is about.
    pub fn node(&self) -> Option<NodeId> {
        match *self {
            Self::Kill(node) | Self::Pause(node) | Self::Resume(node) => Some(node),
            Self::Slow { node, .. } | Self::Skew { node, .. } => Some(node),
            _ => None,
        }
    }

    /// The node that it is about, or below the one link that it is about.
    pub fn place(&self) -> Option<NodeId> {
        match self.links() {
            Some((Links::Above(node), _)) => Some(node),
            _ => self.node(),
        }
    }

    /// Whether it is over at once: there is nothing to heal.
    pub fn is_an_event(&self) -> bool {
        matches!(self, Self::Kill(_) | Self::Resume(_) | Self::Corrupt { .. })
    }

    /// Whether a link with it must repeat what it carries, or something would be lost, come twice, or out of order.
    pub fn breaks_a_stream(&self) -> bool {
        matches!(self, Self::Cut { .. } | Self::Drop { .. } | Self::Duplicate { .. } | Self::Reorder { .. })
    }

    /// All times that it names.
    pub(super) fn times(&self) -> Vec<Span> {
        match *self {
            Self::Delay { by: Spread::Exactly(by) | Spread::Exponential(by), .. } => vec![by],
            Self::Delay { by: Spread::Between(shortest, longest), .. } => vec![shortest, longest],
            Self::Slow { by, .. } => vec![by],
            Self::Skew { ahead, .. } => vec![ahead],
            _ => Vec::new(),
        }
    }
}

impl EnvelopeKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Greeting,
        Self::Request,
        Self::Reply,
        Self::Ping,
        Self::Pong,
        Self::Wave,
        Self::WaveReply,
        Self::Marker,
        Self::ChildGone,
        Self::Unroutable,
        Self::Link,
        Self::Switch,
        Self::Ask,
        Self::Drain,
        Self::Unlink,
        Self::Beat,
        Self::Stop,
    ];

    /// The name that what it stands for has in `docs/wire.md`.
    ///
    /// ```
    /// use nodetree::{actors::message::Envelope, faults::EnvelopeKind};
    /// assert_eq!(EnvelopeKind::Greeting.name(), Envelope::Greeting.kind());
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Greeting => "Greeting",
            Self::Request => "Request",
            Self::Reply => "Reply",
            Self::Ping => "Ping",
            Self::Pong => "Pong",
            Self::Wave => "Wave",
            Self::WaveReply => "WaveReply",
            Self::Marker => "Marker",
            Self::ChildGone => "ChildGone",
            Self::Unroutable => "Unroutable",
            Self::Link => "Link",
            Self::Switch => "Switch",
            Self::Ask => "Ask",
            Self::Drain => "Drain",
            Self::Unlink => "Unlink",
            Self::Beat => "Beat",
            Self::Stop => "Stop",
        }
    }
}
