use super::{CONTROL, NodeId, Slot, Topology, TopologyKind};

/// The invariants, for the tests, the fuzzer and the simulator.
impl Topology {
    /// Whether the rules of the kind hold: nodes and links agree, everything hangs below the control
    /// node, no slot is used twice, the search tree is in order, the balanced tree is in balance. It
    /// looks at every node.
    ///
    /// # Errors
    /// The first rule that does not hold, in words.
    ///
    /// ```
    /// use nodetree::topology::{Topology, TopologyKind};
    /// let mut tree = Topology::new(TopologyKind::Balanced);
    /// for id in 0..100 {
    ///     tree.insert(id, &tree.place(id, None)?);
    /// }
    /// assert_eq!(tree.check(), Ok(()));
    /// assert_eq!(tree.height(), 7);
    /// # Ok::<(), nodetree::topology::PlaceError>(())
    /// ```
    pub fn check(&self) -> Result<(), String> {
        self.check_links()?;
        self.check_slots(CONTROL)?;
        self.ids().try_for_each(|id| self.check_slots(id))?;
        match self.kind {
            TopologyKind::List | TopologyKind::Tree => Ok(()),
            TopologyKind::Bst => self.check_order(),
            TopologyKind::Balanced => self.check_sizes(),
        }
    }

    fn check_links(&self) -> Result<(), String> {
        ensure(!self.contains(CONTROL), || "the control node is in the topology".to_owned())?;
        for (id, link) in &self.nodes {
            let is_linked = self.links.contains(&(link.parent, link.slot, *id));
            ensure(is_linked, || format!("node {id} is not among the children of {}", link.parent))?;
        }
        ensure(self.links.len() == self.len(), || "a node is the child of two".to_owned())?;
        // Every node has one link, so that a cycle, or a parent that is not there, is not reached from above.
        let reached = self.descendants(CONTROL).len();
        ensure(reached == self.len(), || format!("{reached} of {} nodes are below the control node", self.len()))
    }

    fn check_slots(&self, id: NodeId) -> Result<(), String> {
        let is_sorted_by_slot = !self.kind.obeys_parent();
        let slots: Vec<_> = self.children(id).map(|(slot, _)| slot).collect();
        let is_allowed = match (id, is_sorted_by_slot) {
            (CONTROL, true) => matches!(slots[..], [] | [Slot::Any]),
            (_, true) => matches!(slots[..], [] | [Slot::Left] | [Slot::Right] | [Slot::Left, Slot::Right]),
            (_, false) => slots.iter().all(|slot| *slot == Slot::Any),
        };
        let is_chain = self.kind != TopologyKind::List || id == CONTROL || slots.len() <= 1;
        ensure(is_allowed && is_chain, || format!("node {id} has children in the slots {slots:?}"))
    }

    /// Every node lies between the nearest ancestors that it is right of and left of.
    fn check_order(&self) -> Result<(), String> {
        let mut open: Vec<_> = self.children(CONTROL).map(|(_, root)| (root, None, None)).collect();
        while let Some((id, low, high)) = open.pop() {
            let is_between = low.is_none_or(|low| low < id) && high.is_none_or(|high| id < high);
            ensure(is_between, || format!("node {id} is not between {low:?} and {high:?}"))?;
            open.extend(self.children(id).map(|(slot, child)| match slot {
                Slot::Left => (child, low, Some(id)),
                _ => (child, Some(id), high),
            }));
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), String> {
        ensure(self.sizes.keys().eq(self.nodes.keys()), || "not exactly the nodes have a size".to_owned())?;
        self.ids().try_for_each(|id| {
            let (left, right) = (self.size_in(id, Slot::Left), self.size_in(id, Slot::Right));
            let size = self.sizes.get(&id).copied().unwrap_or(0);
            ensure(size == left + right + 1, || format!("node {id} has size {size} above {left} and {right}"))?;
            ensure(left.abs_diff(right) <= 1, || format!("node {id} has {left} nodes left and {right} right"))
        })
    }
}

fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint()) }
}
