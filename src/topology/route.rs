use std::hash::{Hash, Hasher};
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::place::side;
use super::{CONTROL, NodeId, Slot, Topology, TopologyKind};

/// How a request finds its way, from the node right below the control node on.
///
/// The control node sends a request to [`Topology::first_hop`]; that node is the first to ask
/// [`next`](Self::next), and every node on the way asks once. So no route tells the control node what to
/// do: it is the only one that knows the topology.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Route {
    /// List: always the only child.
    Only,
    /// Search tree: every node compares its id with that of the target.
    Compare,
    /// Tree: the nodes still to be passed are named.
    Path(SourceRoute),
    /// Balanced tree: left or right, hop by hop.
    Bits {
        /// The hops still to make, the next one in the lowest bit; 1 is right.
        bits: u64,
        /// How many hops are still to be made. A balanced tree of fewer than 2⁶⁴ nodes has fewer than 64.
        left: u8,
    },
}

/// What a node does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// It is the target.
    Here,
    /// It sends it to this child. When it has no such child, the route is out of date.
    Child(NodeId),
    /// It sends it to whatever child stands in this slot, if one does.
    Slot(Slot),
    /// It sends it to its only child, if it has one.
    Only,
}

impl Route {
    /// What the node `at` does with a request for `to`; the route goes one hop on.
    ///
    /// A route that is used up before `to` is reached (the tree was re-linked meanwhile, or the route is
    /// forged) says [`Hop::Child`] of `to`: right when `to` has come here as a child, else a child that
    /// is not there, and so unroutable.
    ///
    /// ```
    /// use nodetree::topology::{Hop, Route, Slot};
    /// let mut route = Route::Bits { bits: 0b10, left: 2 };
    /// assert_eq!(route.next(4, 7), Hop::Slot(Slot::Left));
    /// assert_eq!(route.next(5, 7), Hop::Slot(Slot::Right));
    /// assert_eq!(route.next(7, 7), Hop::Here);
    /// ```
    pub fn next(&mut self, at: NodeId, to: NodeId) -> Hop {
        if at == to {
            return Hop::Here;
        }
        match self {
            Self::Only => Hop::Only,
            Self::Compare => Hop::Slot(side(at, to)),
            Self::Path(path) => Hop::Child(path.pop().unwrap_or(to)),
            Self::Bits { left: 0, .. } => Hop::Child(to),
            Self::Bits { bits, left } => {
                let slot = if *bits & 1 == 0 { Slot::Left } else { Slot::Right };
                (*bits, *left) = (*bits >> 1, *left - 1);
                Hop::Slot(slot)
            }
        }
    }
}

/// The ids that a request in a tree still has to pass, the target the last of them.
///
/// Within a process the ids are shared, and a hop moves a position. Encoded is only what is still to be
/// passed; two routes are equal when that is.
///
/// ```
/// use nodetree::topology::SourceRoute;
/// let mut route = SourceRoute::new([3, 8]);
/// assert_eq!(route.pop(), Some(3));
/// assert_eq!((route.rest(), route == SourceRoute::new([8])), ([8].as_slice(), true));
/// ```
#[derive(Clone, Debug)]
pub struct SourceRoute {
    ids: Arc<[NodeId]>,
    passed: usize,
}

impl SourceRoute {
    /// Makes a route from the ids in the order in which they are passed.
    pub fn new(ids: impl Into<Arc<[NodeId]>>) -> Self {
        Self { ids: ids.into(), passed: 0 }
    }

    /// What is still to be passed.
    pub fn rest(&self) -> &[NodeId] {
        self.ids.get(self.passed..).unwrap_or_default()
    }

    /// Takes the next id off the route.
    pub fn pop(&mut self) -> Option<NodeId> {
        let next = self.rest().first().copied()?;
        self.passed += 1;
        Some(next)
    }
}

impl PartialEq for SourceRoute {
    fn eq(&self, other: &Self) -> bool {
        self.rest() == other.rest()
    }
}

impl Eq for SourceRoute {}

impl Hash for SourceRoute {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rest().hash(state);
    }
}

impl Serialize for SourceRoute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rest().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SourceRoute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<NodeId>::deserialize(deserializer).map(Self::new)
    }
}

impl Topology {
    /// The route to `id`, to be used from [`first_hop`](Self::first_hop) on; `None` when `id` is not one
    /// of the nodes.
    ///
    /// ```
    /// use nodetree::topology::{Route, SourceRoute, Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Tree);
    /// for (id, parent) in [(1, None), (2, Some(1)), (3, Some(2))] {
    ///     tree.insert(id, &tree.place(id, parent)?);
    /// }
    /// assert_eq!(tree.first_hop(3), Some(1));
    /// assert_eq!(tree.route(3), Some(Route::Path(SourceRoute::new([2, 3]))));
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn route(&self, id: NodeId) -> Option<Route> {
        self.contains(id).then(|| match self.kind {
            TopologyKind::List => Route::Only,
            TopologyKind::Bst => Route::Compare,
            TopologyKind::Tree => Route::Path(self.source_route(id)),
            TopologyKind::Balanced => self.path_bits(id),
        })
    }

    /// `id` and the nodes above it, upwards, without the one right below the control node.
    fn hops_upwards(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        iter::once(id).chain(self.ancestors(id)).take_while(|at| self.parent(*at) != Some(CONTROL))
    }

    fn source_route(&self, id: NodeId) -> SourceRoute {
        let mut ids: Vec<_> = self.hops_upwards(id).collect();
        ids.reverse();
        SourceRoute::new(ids)
    }

    fn path_bits(&self, id: NodeId) -> Route {
        let (mut bits, mut left) = (0, 0);
        for at in self.hops_upwards(id) {
            bits = bits << 1 | u64::from(self.slot(at) == Some(Slot::Right));
            left += 1;
        }
        Route::Bits { bits, left }
    }
}
