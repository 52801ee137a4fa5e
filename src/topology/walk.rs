use std::collections::btree_set::Range;
use std::collections::{BTreeSet, HashMap};
use std::iter;

use super::{CONTROL, IdHash, NodeId, Slot, Topology};

/// So many links are passed over, one after the other, before the next one is searched for: about as long as that takes.
const NEAR: usize = 16;

/// A look at the children of many nodes, in the order in which their links are kept.
struct Scan<'a> {
    links: &'a BTreeSet<(NodeId, Slot, NodeId)>,
    rest: Range<'a, (NodeId, Slot, NodeId)>,
    /// The link before `rest`.
    next: Option<&'a (NodeId, Slot, NodeId)>,
    parent: NodeId,
}

impl<'a> Scan<'a> {
    fn new(links: &'a BTreeSet<(NodeId, Slot, NodeId)>, parent: NodeId) -> Self {
        let mut rest = links.range((parent, Slot::Any, NodeId::MIN)..);
        let next = rest.next();
        Self { links, rest, next, parent }
    }

    /// Goes on to the children of a later node.
    fn seek(&mut self, parent: NodeId) {
        self.parent = parent;
        for _ in 0..NEAR {
            match self.next {
                Some((before, ..)) if *before < parent => self.next = self.rest.next(),
                _ => return,
            }
        }
        self.rest = self.links.range((parent, Slot::Any, NodeId::MIN)..);
        self.next = self.rest.next();
    }

    fn next_child(&mut self) -> Option<NodeId> {
        let (_, _, child) = self.next.filter(|(parent, ..)| *parent == self.parent)?;
        self.next = self.rest.next();
        Some(*child)
    }
}

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
        let mut found: Vec<_> = self.children(id).map(|(_, child)| child).filter(|child| enters(*child)).collect();
        let mut level = 0..found.len();
        while !level.is_empty() {
            let end = found.len();
            // In the order in which they are kept: the children of one are near to those of the next one.
            found[level.clone()].sort_unstable();
            let mut scan = Scan::new(&self.links, found[level.start]);
            for at in level {
                scan.seek(found[at]);
                found.extend(iter::from_fn(|| scan.next_child()).filter(|child| enters(*child)));
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
