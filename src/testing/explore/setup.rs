//! What is explored: a small system, what is asked of it, and what may go wrong.

use crate::actors::Order;
use crate::actors::message::{RequestKind, RequestPiece};
use crate::topology::{NodeId, TopologyKind};

/// A small system, what is asked of it, and what may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How nodes are placed.
    pub topology: TopologyKind,
    /// The nodes that are there in the beginning, in the order of their creation, with their typed parents.
    pub nodes: &'static [(NodeId, Option<NodeId>)],
    /// The commands, in order; each may come at any moment, also while those before it are under way.
    pub asks: &'static [Ask],
    /// So many nodes are killed, at any moment: also in the middle of what a node sends at once.
    pub kills: u8,
    /// So many packets are lost, on any link. With a loss or a copy each link has two
    /// [ends](crate::actors::LinkEnd) that repeat.
    pub drops: u8,
    /// So many packets come a second time, behind everything that is on the same way.
    pub copies: u8,
    /// So often a deadline comes while something is still on its way: then anybody may be taken for silent, and it is
    /// not judged who is available.
    pub hurries: u8,
    /// So many links end by themselves, at any moment, and what is on its way to that end is lost.
    pub breaks: u8,
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) kills: u8,
    pub(super) drops: u8,
    pub(super) copies: u8,
    pub(super) hurries: u8,
    pub(super) breaks: u8,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// An exec that takes effect.
    Exec(NodeId),
    /// An exec that the node refuses.
    Wrong(NodeId),
    /// Is it available?
    Ping(NodeId),
    /// Who is down?
    PingAll,
    /// A new node, below the one that is named, if one is.
    Create(NodeId, Option<NodeId>),
    /// Take it out of the tree.
    Remove(NodeId),
    /// Stop it as by SIGSTOP.
    Pause(NodeId),
    /// Let it go on.
    Resume(NodeId),
    /// End it as by SIGKILL.
    Kill(NodeId),
}

impl Setup {
    /// A system of which nothing is asked, and in which nothing goes wrong.
    pub const fn new(topology: TopologyKind, nodes: &'static [(NodeId, Option<NodeId>)]) -> Self {
        Self { topology, nodes, asks: &[], kills: 0, drops: 0, copies: 0, hurries: 0, breaks: 0 }
    }

    pub(super) fn left(&self) -> Left {
        let Self { kills, drops, copies, hurries, breaks, .. } = *self;
        Left { kills, drops, copies, hurries, breaks }
    }

    /// Whether links repeat what they lose.
    pub(super) fn links_repeat(&self) -> bool {
        self.drops > 0 || self.copies > 0
    }
}

impl Ask {
    /// As a command with this number.
    pub(super) fn order(self, op: u64) -> Order {
        match self {
            Self::Exec(id) => exec(op, id, true),
            Self::Wrong(id) => exec(op, id, false),
            Self::Ping(id) => Order::Ping(id),
            Self::PingAll => Order::PingAll,
            Self::Create(id, parent) => Order::Create { id, parent },
            Self::Remove(id) => Order::Remove(id),
            Self::Pause(id) => Order::Pause(id),
            Self::Resume(id) => Order::Resume(id),
            Self::Kill(id) => Order::Kill(id),
        }
    }
}

fn exec(op: u64, id: NodeId, is_right: bool) -> Order {
    let bytes = vec![op as u8, u8::from(is_right)].into();
    let first = RequestPiece { exec: op, kind: RequestKind::Head, more: false, last: true, bytes };
    Order::Exec { id, first, complete: true }
}
