use super::{CONTROL, Move, NodeId, Slot, Topology, TopologyKind};
use crate::planted::{Bug, is_planted};

/// What happens when a node goes.
impl Topology {
    /// What has to be re-linked when `id` is removed, from the bottom up: the moves can be carried out
    /// one after another while `id` is still there, and at no moment is a node below itself. A node
    /// whose parent and slot stay is not listed.
    ///
    /// List: what followed goes to the predecessor. Tree: the children go to the parent, ascending.
    /// Search tree: an only child takes the place, of two children the in-order successor. Balanced
    /// tree: the leaf that is found by going from the root to the larger subtree, the right one when
    /// equal.
    ///
    /// # Panics
    /// When `id` is not there.
    ///
    /// ```
    /// use nodetree::topology::{CONTROL, Move, Slot, Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Bst);
    /// for id in [10, 5, 20, 15, 17] {
    ///     tree.insert(id, &tree.place(id, None)?);
    /// }
    /// let moved = |node, parent, slot| Move { node, parent, slot };
    /// assert_eq!(
    ///     tree.plan_removal(10),
    ///     [
    ///         moved(17, 20, Slot::Left), // what is below the successor takes its place,
    ///         moved(15, CONTROL, Slot::Any), // the successor that of the removed node,
    ///         moved(5, 15, Slot::Left), // and the children of that come under it
    ///         moved(20, 15, Slot::Right),
    ///     ]
    /// );
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn plan_removal(&self, id: NodeId) -> Vec<Move> {
        let link = self.link_of(id);
        if self.kind == TopologyKind::Tree {
            return self.children(id).map(|(_, node)| Move { node, parent: link.parent, slot: link.slot }).collect();
        }
        match self.replacement(id) {
            Some(heir) if heir != id => self.plan_replacement(id, heir),
            _ => Vec::new(),
        }
    }

    /// Removes `id`, and says what was re-linked: what [`plan_removal`](Self::plan_removal) said before.
    ///
    /// # Panics
    /// When `id` is not there.
    pub fn remove(&mut self, id: NodeId) -> Vec<Move> {
        let moves = self.plan_removal(id);
        if self.kind == TopologyKind::Balanced {
            self.shrink(id);
        }
        self.carry_out(&moves);
        self.unlink(id);
        moves
    }

    /// The node that takes the place of `id`; in a balanced tree it may be `id` itself, which is a leaf
    /// then.
    fn replacement(&self, id: NodeId) -> Option<NodeId> {
        match self.kind {
            TopologyKind::List | TopologyKind::Tree => self.child_in(id, Slot::Any),
            TopologyKind::Bst => match (self.child_in(id, Slot::Left), self.child_in(id, Slot::Right)) {
                (Some(_), Some(right)) => Some(self.successor(right)),
                (only, None) | (None, only) => only,
            },
            TopologyKind::Balanced => self.leaf_to_take(),
        }
    }

    /// The in-order successor of a node whose right child is `right`.
    fn successor(&self, right: NodeId) -> NodeId {
        if is_planted(Bug::SearchTreeDelete) {
            let largest = self.outermost(right, Slot::Right);
            // The right child itself may hold a left one, for which it would leave no slot.
            if largest != right {
                return largest;
            }
        }
        self.outermost(right, Slot::Left)
    }

    /// The last node on the way down from `at` through nothing but `slot`s.
    fn outermost(&self, mut at: NodeId, slot: Slot) -> NodeId {
        while let Some(child) = self.child_in(at, slot) {
            at = child;
        }
        at
    }

    /// The leaf that a balanced tree can lose: every subtree that shrinks on the way to it was not the
    /// smaller one, so that no two sizes come to differ by two.
    fn leaf_to_take(&self) -> Option<NodeId> {
        let mut leaf = self.child_in(CONTROL, Slot::Any)?;
        while let Some(child) = self.child_in(leaf, self.larger_side(leaf)) {
            leaf = child;
        }
        Some(leaf)
    }

    fn larger_side(&self, at: NodeId) -> Slot {
        let (left, right) = (self.size_in(at, Slot::Left), self.size_in(at, Slot::Right));
        if left > right { Slot::Left } else { Slot::Right }
    }

    /// `heir` takes the place of `id`. It is a child of `id`, or has at most one child itself.
    fn plan_replacement(&self, id: NodeId, heir: NodeId) -> Vec<Move> {
        let (place, old) = (self.link_of(id), self.link_of(heir));
        let below_heir = self.children(heir).filter(|_| old.parent != id);
        let to_old_place = below_heir.map(|(_, node)| Move { node, parent: old.parent, slot: old.slot });
        let to_place = Move { node: heir, parent: place.parent, slot: place.slot };
        let below_id = self.children(id).filter(|(_, node)| *node != heir);
        let to_heir = below_id.map(|(slot, node)| Move { node, parent: heir, slot });
        to_old_place.chain([to_place]).chain(to_heir).collect()
    }

    /// Counts the sizes of a balanced tree as they are when `id` is gone: one leaf less, and that leaf in
    /// the place of `id`.
    fn shrink(&mut self, id: NodeId) {
        let Some(leaf) = self.leaf_to_take() else { return };
        for above in self.nodes_above(leaf) {
            *self.sizes.entry(above).or_default() -= 1;
        }
        if let Some(size) = self.sizes.remove(&id)
            && leaf != id
        {
            self.sizes.insert(leaf, size);
        }
    }
}
