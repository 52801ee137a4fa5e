//! WHERE the nodes are: list, tree, search tree and balanced tree; pure book-keeping.
//!
//! The control node keeps one [`Topology`]: it says where a new node comes ([`Topology::place`]), what
//! has to be re-linked when one goes ([`Topology::plan_removal`]), and how a request gets to a node
//! ([`Topology::route`]). A computing node knows no topology: it asks the [`Route`] of a request for the
//! next [`Hop`].
//!
//! All four kinds are one structure: every node has a parent and a [`Slot`] below it, and one ordered
//! set holds the links as (parent, slot, child). So the children of a node are a range of that set,
//! already in the order in which they are drawn, and a star of 100 000 children and a chain of
//! 1 000 000 nodes cost no more than anything else: a step of the structure is O(log n), no function
//! recurses, and nothing needs to be dropped recursively.
//!
//! ```
//! use nodetree::topology::{CONTROL, Hop, Slot, Topology, TopologyKind};
//!
//! let mut tree = Topology::new(TopologyKind::Bst);
//! for id in [8, 3, 11] {
//!     let place = tree.place(id, None)?;
//!     tree.insert(id, &place);
//! }
//! assert_eq!(tree.parent(8), Some(CONTROL));
//! assert_eq!(tree.child_in(8, Slot::Right), Some(11));
//!
//! // A request for 3 is sent to the node at the top, which asks for the next hop.
//! assert_eq!(tree.first_hop(3), Some(8));
//! let mut route = tree.route(3).expect("3 is there");
//! assert_eq!(route.next(8, 3), Hop::Slot(Slot::Left));
//! assert_eq!(route.next(3, 3), Hop::Here);
//! # Ok::<(), nodetree::topology::PlaceError>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

mod check;
#[cfg(any(test, feature = "testing"))]
mod compare;
mod draw;
mod ids;
mod kind;
#[cfg(any(test, feature = "testing"))]
pub mod model;
mod place;
mod placement;
mod removal;
mod route;
mod walk;

pub(crate) use ids::IdHash;
pub use kind::{TopologyKind, UnknownTopology};
pub use place::{Cycle, Move, Place, PlaceError, Slot};
pub use route::{Hop, Route, SourceRoute};

/// What a person calls a node. Every value is legal except [`CONTROL`].
pub type NodeId = i64;

/// The id of the control node. It is above every node and never in the topology itself.
pub const CONTROL: NodeId = -1;

/// The shape of the tree: who is below whom, and the rules of its [`TopologyKind`].
///
/// Dead nodes are in it like living ones; a node leaves it only by [`remove`](Self::remove).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topology {
    kind: TopologyKind,
    nodes: BTreeMap<NodeId, Link>,
    /// (parent, slot, child) of every node, so that the children of one are a range, in order.
    links: BTreeSet<(NodeId, Slot, NodeId)>,
    /// How many nodes there are from each node down, itself included. Only the balanced tree asks, and
    /// in a chain keeping them would cost O(n) a step: empty in the other kinds.
    sizes: BTreeMap<NodeId, usize>,
}

/// What holds a node: its parent, and which of the parent's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    parent: NodeId,
    slot: Slot,
}

impl Topology {
    /// Makes a topology without nodes.
    pub fn new(kind: TopologyKind) -> Self {
        Self { kind, nodes: BTreeMap::new(), links: BTreeSet::new(), sizes: BTreeMap::new() }
    }

    /// By which rules nodes are placed.
    pub fn kind(&self) -> TopologyKind {
        self.kind
    }

    /// How many nodes there are, the control node not counted.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether `id` is one of the nodes. The control node is not.
    pub fn contains(&self, id: NodeId) -> bool {
        self.nodes.contains_key(&id)
    }

    /// Hangs `id` on `link`, and takes it from where it was.
    fn link(&mut self, id: NodeId, link: Link) {
        if let Some(old) = self.nodes.insert(id, link) {
            self.links.remove(&(old.parent, old.slot, id));
        }
        self.links.insert((link.parent, link.slot, id));
    }

    fn unlink(&mut self, id: NodeId) {
        if let Some(old) = self.nodes.remove(&id) {
            self.links.remove(&(old.parent, old.slot, id));
        }
    }

    /// Carries moves out, one after another. While that lasts two nodes may share a slot.
    fn carry_out(&mut self, moves: &[Move]) {
        for step in moves {
            self.link(step.node, Link { parent: step.parent, slot: step.slot });
        }
    }
}
