use serde::{Deserialize, Serialize};

use super::{NodeId, Topology};

/// Which of its parent's places a child has. The order is that in which children are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// One of any number: every child of the control node, and every child in a list or a tree (in a
    /// list a node has at most one).
    Any,
    /// The left one in a search tree or a balanced tree.
    Left,
    /// The right one in a search tree or a balanced tree.
    Right,
}

/// Where a node comes, or comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The node above it, or [`CONTROL`](super::CONTROL).
    pub parent: NodeId,
    /// Which of the parent's slots it takes.
    pub slot: Slot,
    /// In a list, the node that followed the parent until now and will follow the new one.
    pub follower: Option<NodeId>,
}

/// Why there is no place for a node. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The parent that was typed is not there, or is the node itself.
    #[error("Parent not found")]
    ParentNotFound,
}

/// The new parent of a node stands below that node itself. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {parent} is below node {node} and cannot become its parent")]
pub struct Cycle {
    /// The node that was to be moved.
    pub node: NodeId,
    /// The parent that it was to get.
    pub parent: NodeId,
}

/// One step of a re-link: a node gets a new parent, another slot, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Move {
    /// The node that moves, with all that is below it.
    pub node: NodeId,
    /// Its new parent, or [`CONTROL`](super::CONTROL).
    pub parent: NodeId,
    /// Its new slot.
    pub slot: Slot,
}

/// The slot below the node `at` of a search tree in which `id` is looked for.
pub(super) fn side(at: NodeId, id: NodeId) -> Slot {
    if id < at { Slot::Left } else { Slot::Right }
}

impl Topology {
    /// Whether `place` is where `id` stands now.
    pub(super) fn stands_in(&self, id: NodeId, place: &Place) -> bool {
        self.parent(id) == Some(place.parent) && self.slot(id) == Some(place.slot)
    }
}
