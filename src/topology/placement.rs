use std::ops::Bound;

use super::place::side;
use super::{CONTROL, Cycle, Link, Move, NodeId, Place, PlaceError, Slot, Topology, TopologyKind};
use crate::planted::{Bug, is_planted};

/// Where a node comes.
impl Topology {
    /// Where the new node `id` would come. Nothing is changed; [`insert`](Self::insert) does that.
    ///
    /// In a list or a tree `parent` names the node above; `None` is [`CONTROL`]. In a list the node
    /// comes right after it and before what followed it, and every child of [`CONTROL`] starts a chain
    /// of its own. A search tree and a balanced tree place by themselves and ignore `parent`.
    ///
    /// # Errors
    /// [`PlaceError::ParentNotFound`], in a list or a tree, when `parent` is not there or is `id` itself.
    ///
    /// ```
    /// use nodetree::topology::{Place, PlaceError, Slot, Topology, TopologyKind};
    /// let mut list = Topology::new(TopologyKind::List);
    /// assert_eq!(list.place(2, Some(1)), Err(PlaceError::ParentNotFound));
    /// for (id, parent) in [(1, None), (2, Some(1))] {
    ///     list.insert(id, &list.place(id, parent)?);
    /// }
    /// assert_eq!(list.place(3, Some(1))?, Place { parent: 1, slot: Slot::Any, follower: Some(2) });
    /// # Ok::<(), PlaceError>(())
    /// ```
    pub fn place(&self, id: NodeId, parent: Option<NodeId>) -> Result<Place, PlaceError> {
        match self.kind {
            TopologyKind::List | TopologyKind::Tree => self.place_under(id, parent.unwrap_or(CONTROL)),
            TopologyKind::Bst => Ok(self.place_by_id(id)),
            TopologyKind::Balanced => Ok(self.place_by_size()),
        }
    }

    /// Puts the new node `id` in its place. In a list the follower is re-linked behind it.
    ///
    /// # Panics
    /// When `id` is [`CONTROL`] or there already, or when `place` is not what [`place`](Self::place)
    /// says now: the caller kept it for too long.
    pub fn insert(&mut self, id: NodeId, place: &Place) {
        assert!(id != CONTROL && !self.contains(id), "node {id} is there already");
        assert_eq!(self.place(id, Some(place.parent)).as_ref(), Ok(place), "node {id} belongs elsewhere");
        self.link(id, Link { parent: place.parent, slot: place.slot });
        if let Some(follower) = place.follower {
            self.link(follower, Link { parent: id, slot: Slot::Any });
        }
        self.grow(id);
    }

    /// Where the node `id`, which is dead with all that is below it, comes when it is created again.
    ///
    /// Without a parent, with the one it has, and in a topology that places by itself, that is the place
    /// it has, and everything below it stays. Under another parent, in a tree, the nodes below come
    /// along; in a list what was behind it stays with its old predecessor, and it comes right after
    /// `parent`. Nothing is changed; [`move_to`](Self::move_to) does that.
    ///
    /// The answer may be a parent below `id` itself. The caller refuses that parent because it is dead.
    ///
    /// # Errors
    /// [`PlaceError::ParentNotFound`], in a list or a tree, when `parent` is not there or is `id` itself.
    ///
    /// # Panics
    /// When `id` is not there.
    pub fn place_again(&self, id: NodeId, parent: Option<NodeId>) -> Result<Place, PlaceError> {
        let Link { parent: present, slot } = self.link_of(id);
        match parent {
            Some(other) if other != present && self.kind.obeys_parent() => self.place_under(id, other),
            _ => Ok(Place { parent: present, slot, follower: None }),
        }
    }

    /// Moves `id` to a place that [`place_again`](Self::place_again) gave, and says what was re-linked,
    /// in an order in which it can be done step by step. Nothing, when `id` stands there already.
    ///
    /// # Errors
    /// [`Cycle`] when the new parent is below `id` and would come along with it. (In a list nothing
    /// comes along, so that every node may be the new predecessor.)
    ///
    /// # Panics
    /// When `id` is not there, or `place` is not what [`place_again`](Self::place_again) says now.
    ///
    /// ```
    /// use nodetree::topology::{Move, Slot, Topology, TopologyKind};
    /// let mut list = Topology::new(TopologyKind::List);
    /// for (id, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (9, None)] {
    ///     list.insert(id, &list.place(id, parent)?);
    /// }
    /// let moves = list.move_to(2, &list.place_again(2, Some(9))?)?;
    /// let moved = |node, parent| Move { node, parent, slot: Slot::Any };
    /// assert_eq!(moves, [moved(3, 1), moved(2, 9)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn move_to(&mut self, id: NodeId, place: &Place) -> Result<Vec<Move>, Cycle> {
        assert_eq!(self.place_again(id, Some(place.parent)).as_ref(), Ok(place), "node {id} belongs elsewhere");
        if self.stands_in(id, place) {
            return Ok(Vec::new());
        }
        if self.kind == TopologyKind::Tree && self.ancestors(place.parent).any(|above| above == id) {
            return Err(Cycle { node: id, parent: place.parent });
        }
        let moves = self.plan_move(id, place);
        self.carry_out(&moves);
        Ok(moves)
    }

    fn plan_move(&self, id: NodeId, place: &Place) -> Vec<Move> {
        let behind = match self.kind {
            TopologyKind::List => self.child_in(id, Slot::Any),
            _ => None,
        };
        let old = self.link_of(id).parent;
        let closing = behind.map(|node| Move { node, parent: old, slot: Slot::Any });
        let moving = Move { node: id, parent: place.parent, slot: place.slot };
        let following = place.follower.map(|node| Move { node, parent: id, slot: Slot::Any });
        closing.into_iter().chain([moving]).chain(following).collect()
    }

    fn place_under(&self, id: NodeId, parent: NodeId) -> Result<Place, PlaceError> {
        if parent == id || (parent != CONTROL && !self.contains(parent)) {
            return Err(PlaceError::ParentNotFound);
        }
        let is_in_chain = self.kind == TopologyKind::List && parent != CONTROL;
        let follower = if is_in_chain { self.child_in(parent, Slot::Any) } else { None };
        Ok(Place { parent, slot: Slot::Any, follower })
    }

    /// In a search tree a new id comes right of the next smaller one, or, when that has a right child,
    /// left of the next larger one. So the walk starts there and ends at once, however deep the tree is.
    fn place_by_id(&self, id: NodeId) -> Place {
        let smaller = self.nodes.range(..id).next_back();
        let larger = self.nodes.range((Bound::Excluded(id), Bound::Unbounded)).next();
        let is_vacant = |at: &NodeId| self.child_in(*at, side(*at, id)).is_none();
        let near = [smaller, larger].into_iter().flatten().map(|(at, _)| *at).find(is_vacant);
        let Some(mut at) = near.or_else(|| self.child_in(CONTROL, Slot::Any)) else {
            return Place { parent: CONTROL, slot: Slot::Any, follower: None };
        };
        while let Some(child) = self.child_in(at, side(at, id)) {
            at = child;
        }
        Place { parent: at, slot: side(at, id), follower: None }
    }

    fn place_by_size(&self) -> Place {
        let (mut parent, mut slot) = (CONTROL, Slot::Any);
        while let Some(at) = self.child_in(parent, slot) {
            (parent, slot) = (at, self.smaller_side(at));
        }
        Place { parent, slot, follower: None }
    }

    fn smaller_side(&self, at: NodeId) -> Slot {
        let (left, right) = (self.size_in(at, Slot::Left), self.size_in(at, Slot::Right));
        if left + right >= 3 && is_planted(Bug::BalancedOffByTwo) {
            return Slot::Left;
        }
        if left <= right { Slot::Left } else { Slot::Right }
    }

    /// How many nodes there are in a slot of a balanced tree and below it.
    pub(super) fn size_in(&self, at: NodeId, slot: Slot) -> usize {
        self.child_in(at, slot).and_then(|child| self.sizes.get(&child)).copied().unwrap_or(0)
    }

    /// Counts the new node `id` at every node above it.
    fn grow(&mut self, id: NodeId) {
        if self.kind != TopologyKind::Balanced {
            return;
        }
        self.sizes.insert(id, 1);
        for above in self.nodes_above(id) {
            *self.sizes.entry(above).or_default() += 1;
        }
    }

    /// The nodes above `id` in a balanced tree, where they are few.
    pub(super) fn nodes_above(&self, id: NodeId) -> Vec<NodeId> {
        self.ancestors(id).take_while(|above| *above != CONTROL).collect()
    }

    /// The link of a node that must be there.
    pub(super) fn link_of(&self, id: NodeId) -> Link {
        let link = self.nodes.get(&id).copied();
        link.unwrap_or_else(|| panic!("node {id} is not there"))
    }
}
