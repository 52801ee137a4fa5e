use std::collections::{BTreeSet, HashMap};
use std::iter;

use super::{CONTROL, IdHash, NodeId, Slot, Topology};

/// Who is above and below.
impl Topology {
    /// The node above `id`, or [`CONTROL`]; `None` when `id` is not one of the nodes.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes.get(&id).map(|link| link.parent)
    }

    /// Which of its parent's slots `id` has; `None` when it is not one of the nodes.
    pub fn slot(&self, id: NodeId) -> Option<Slot> {
        self.nodes.get(&id).map(|link| link.slot)
    }

    /// The children of `id`, which may be [`CONTROL`]: ascending, in a search tree and a balanced tree
    /// left before right.
    ///
    /// ```
    /// use nodetree::topology::{Slot, Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Balanced);
    /// for id in [5, 9, 2] {
    ///     tree.insert(id, &tree.place(id, None)?);
    /// }
    /// assert!(tree.children(5).eq([(Slot::Left, 9), (Slot::Right, 2)]));
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn children(&self, id: NodeId) -> impl DoubleEndedIterator<Item = (Slot, NodeId)> + '_ {
        let all = (id, Slot::Any, NodeId::MIN)..=(id, Slot::Right, NodeId::MAX);
        self.links.range(all).map(|(_, slot, child)| (*slot, *child))
    }

    /// The child of `id` in `slot`; the smallest one in a [`Slot::Any`] that holds several.
    pub fn child_in(&self, id: NodeId, slot: Slot) -> Option<NodeId> {
        let first = self.links.range((id, slot, NodeId::MIN)..).next();
        first.filter(|(parent, of, _)| (*parent, *of) == (id, slot)).map(|(_, _, child)| *child)
    }

    /// As [`children`](Self::children), for a walk that visits very many nodes: one search for each, and not one for
    /// either end.
    fn below(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let from = self.links.range((id, Slot::Any, NodeId::MIN)..);
        from.take_while(move |(parent, ..)| *parent == id).map(|(_, _, child)| *child)
    }

    /// The nodes above `id`, upwards, and [`CONTROL`] as the last one. Nothing when `id` is not one of
    /// the nodes.
    ///
    /// ```
    /// use nodetree::topology::{CONTROL, Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Tree);
    /// for (id, parent) in [(1, None), (2, Some(1)), (3, Some(2))] {
    ///     tree.insert(id, &tree.place(id, parent)?);
    /// }
    /// assert!(tree.ancestors(3).eq([2, 1, CONTROL]));
    /// assert_eq!(tree.descendants(1), [2, 3]);
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        iter::successors(self.parent(id), |above| self.parent(*above))
    }

    /// All nodes below `id`, which may be [`CONTROL`], level by level; parents come before their children.
    pub fn descendants(&self, id: NodeId) -> Vec<NodeId> {
        self.descend(id, |_| true)
    }

    /// As [`descendants`](Self::descendants), without the nodes that `enters` refuses and what is below them; nobody
    /// looks there.
    pub fn descend(&self, id: NodeId, enters: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let below = |id| self.below(id).filter(|child| enters(*child));
        let mut found: Vec<_> = below(id).collect();
        let mut level = 0..found.len();
        while !level.is_empty() {
            let end = found.len();
            // In the order in which they are kept, what one search has touched is near to what the next one wants.
            found[level.clone()].sort_unstable();
            for at in level {
                found.extend(below(found[at]));
            }
            level = end..found.len();
        }
        found
    }

    /// Those of `nodes` that are a node for which `is_top` holds, or stand below one. However many there are, each node
    /// on their ways up is looked at once.
    ///
    /// ```
    /// use nodetree::topology::{Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Tree);
    /// for (id, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (9, None)] {
    ///     tree.insert(id, &tree.place(id, parent)?);
    /// }
    /// assert!(tree.at_or_below([9, 3, 1, 2], |id| id == 2).into_iter().eq([2, 3]));
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn at_or_below(
        &self,
        nodes: impl IntoIterator<Item = NodeId>,
        is_top: impl Fn(NodeId) -> bool,
    ) -> BTreeSet<NodeId> {
        let mut known = HashMap::new();
        let mut found = BTreeSet::new();
        for node in nodes {
            let mut way = Vec::new();
            let mut at = Some(node);
            let is_below = loop {
                match at.filter(|id| *id != CONTROL) {
                    None => break false,
                    Some(id) if is_top(id) => break true,
                    Some(id) => match known.get(&id) {
                        Some(is_below) => break *is_below,
                        None => way.push(id),
                    },
                }
                at = at.and_then(|id| self.parent(id));
            };
            known.extend(way.into_iter().map(|id| (id, is_below)));
            found.extend(is_below.then_some(node));
        }
        found
    }

    /// All ids, ascending.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + '_ {
        self.nodes.keys().copied()
    }

    /// How many links there are between the control node and `id`; 0 for [`CONTROL`], `None` when `id`
    /// is not one of the nodes.
    pub fn depth(&self, id: NodeId) -> Option<usize> {
        (id == CONTROL || self.contains(id)).then(|| self.ancestors(id).count())
    }

    /// The largest depth of a node; 0 when there is none. It looks at every node, in the order in which they are kept.
    pub fn height(&self) -> usize {
        let mut depths: HashMap<NodeId, usize, IdHash> =
            HashMap::with_capacity_and_hasher(self.len(), IdHash::default());
        let (mut height, mut way) = (0, Vec::new());
        for (&id, link) in &self.nodes {
            if depths.contains_key(&id) {
                continue;
            }
            way.push(id);
            let mut above = link.parent;
            // Up to a node whose depth is known, and down again.
            let mut depth = loop {
                match depths.get(&above) {
                    _ if above == CONTROL => break 0,
                    Some(depth) => break *depth,
                    None => way.push(above),
                }
                above = self.link_of(above).parent;
            };
            for node in way.drain(..).rev() {
                depth += 1;
                depths.insert(node, depth);
            }
            height = height.max(depth);
        }
        height
    }

    /// The node right below the control node through which the way to `id` leads: `id` itself when it
    /// stands there, `None` when it is not one of the nodes. It walks up: O(depth).
    pub fn first_hop(&self, id: NodeId) -> Option<NodeId> {
        iter::successors(self.contains(id).then_some(id), |at| self.parent(*at).filter(|above| *above != CONTROL))
            .last()
    }
}
