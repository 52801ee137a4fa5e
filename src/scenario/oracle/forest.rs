//! Section 3 of the specification: four topologies, kept in the simplest way that could be right: every node names its
//! parent, and everything else is looked for.

use std::collections::{BTreeMap, BTreeSet};

use super::Topology;

/// The control node's id.
pub(super) const CONTROL: i64 = -1;

/// On which side of its parent a node of `bst` and `balanced` stands; `Left` for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A time that is only known to lie between two others, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_us: u64,
    pub(super) to_us: u64,
}

/// One node as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) parent: i64,
    side: Side,
    pub(super) pid: u64,
    pub(super) born: Span,
    /// When it died, if it did.
    pub(super) died: Option<Span>,
    /// When it died, if a kill hit it of which nobody can say whether it did.
    pub(super) doubted: Option<Span>,
}

/// Where a new node goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) parent: i64,
    side: Side,
    /// In a list: what followed the parent and comes to stand below the new node.
    pub(super) follower: Option<i64>,
}

/// All nodes that were created and not removed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Forest {
    pub(super) topology: Topology,
    pub(super) nodes: BTreeMap<i64, Node>,
}

impl Forest {
    pub(super) fn new(topology: Topology) -> Self {
        Self { topology, nodes: BTreeMap::new() }
    }

    pub(super) fn exists(&self, id: i64) -> bool {
        self.nodes.contains_key(&id)
    }

    pub(super) fn is_dead(&self, id: i64) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.died.is_some())
    }

    pub(super) fn is_alive(&self, id: i64) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.died.is_none())
    }

    /// Alive, and no kill is known that may have hit it.
    pub(super) fn is_surely_alive(&self, id: i64) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.died.is_none() && node.doubted.is_none())
    }

    fn parent(&self, id: i64) -> i64 {
        self.nodes.get(&id).map_or(CONTROL, |node| node.parent)
    }

    /// The node and all above it, without the control node; empty for a node that is not there.
    pub(super) fn path(&self, id: i64) -> Vec<i64> {
        let mut path = Vec::new();
        let mut at = id;
        while let Some(node) = self.nodes.get(&at) {
            path.push(at);
            at = node.parent;
        }
        path
    }

    /// The children, left before right, else ascending.
    pub(super) fn children(&self, id: i64) -> Vec<i64> {
        let mut children: Vec<i64> = self.nodes.keys().copied().filter(|&child| self.parent(child) == id).collect();
        if self.has_sides() {
            children.sort_by_key(|&child| self.side_of(child) == Side::Right);
        }
        children
    }

    pub(super) fn has_sides(&self) -> bool {
        matches!(self.topology, Topology::Bst | Topology::Balanced)
    }

    fn side_of(&self, id: i64) -> Side {
        self.nodes.get(&id).map_or(Side::Left, |node| node.side)
    }

    /// The child on one side, in the topologies that have sides.
    pub(super) fn child_on(&self, id: i64, side: Side) -> Option<i64> {
        self.children(id).into_iter().find(|&child| self.side_of(child) == side)
    }

    /// The node and everything below it.
    pub(super) fn below(&self, id: i64) -> BTreeSet<i64> {
        self.nodes.keys().copied().filter(|&other| self.path(other).contains(&id)).collect()
    }

    fn size(&self, id: Option<i64>) -> usize {
        id.map_or(0, |id| self.below(id).len())
    }

    /// Where `create id [typed]` puts its node, whether or not anybody there is available.
    pub(super) fn spot(&self, id: i64, typed: Option<i64>) -> Spot {
        if let Some(node) = self.nodes.get(&id) {
            let stays = self.has_sides() || typed.is_none_or(|parent| parent == node.parent);
            if stays {
                return Spot { parent: node.parent, side: node.side, follower: None };
            }
        }
        match self.topology {
            Topology::List => self.list_spot(typed.unwrap_or(CONTROL)),
            Topology::Tree => Spot { parent: typed.unwrap_or(CONTROL), side: Side::Left, follower: None },
            Topology::Bst => self.descend(|at| if id < at { Side::Left } else { Side::Right }),
            Topology::Balanced => self.descend(|at| self.smaller_side(at)),
        }
    }

    fn list_spot(&self, parent: i64) -> Spot {
        let follower = if parent == CONTROL { None } else { self.children(parent).first().copied() };
        Spot { parent, side: Side::Left, follower }
    }

    fn descend(&self, side_at: impl Fn(i64) -> Side) -> Spot {
        let mut spot = Spot { parent: CONTROL, side: Side::Left, follower: None };
        let mut next = self.children(CONTROL).first().copied();
        while let Some(at) = next {
            spot = Spot { parent: at, side: side_at(at), follower: None };
            next = self.child_on(at, spot.side);
        }
        spot
    }

    fn smaller_side(&self, id: i64) -> Side {
        let left = self.size(self.child_on(id, Side::Left));
        let right = self.size(self.child_on(id, Side::Right));
        if left <= right { Side::Left } else { Side::Right }
    }

    /// Creates the node there, or brings it back.
    pub(super) fn put(&mut self, id: i64, spot: &Spot, pid: u64, born: Span) {
        let was = self.nodes.get(&id).map(|node| node.parent);
        if self.topology == Topology::List && was.is_some_and(|parent| parent != spot.parent) {
            self.leave_list(id);
        }
        if let Some(follower) = spot.follower {
            self.hang(follower, id, Side::Left);
        }
        self.nodes.insert(id, Node { parent: spot.parent, side: spot.side, pid, born, died: None, doubted: None });
    }

    fn leave_list(&mut self, id: i64) {
        let predecessor = self.parent(id);
        for follower in self.children(id) {
            self.hang(follower, predecessor, Side::Left);
        }
    }

    fn hang(&mut self, id: i64, parent: i64, side: Side) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.parent = parent;
            node.side = side;
        }
    }

    /// The node and all below it die. Those that are dead keep the time of their death.
    pub(super) fn kill(&mut self, id: i64, when: Span) {
        for below in self.below(id) {
            if let Some(node) = self.nodes.get_mut(&below) {
                node.died.get_or_insert(when);
            }
        }
    }

    /// The node and all below it may have died. It replaces what was said before about anybody.
    pub(super) fn doubt(&mut self, doubts: &[(i64, Span)]) {
        self.nodes.values_mut().for_each(|node| node.doubted = None);
        for &(id, when) in doubts {
            for below in self.below(id) {
                if let Some(node) = self.nodes.get_mut(&below).filter(|node| node.died.is_none()) {
                    node.doubted.get_or_insert(when);
                }
            }
        }
    }

    /// The forest after `remove id`, if nothing is in the way.
    pub(super) fn without(&self, id: i64) -> Self {
        let mut after = self.clone();
        match self.topology {
            Topology::List | Topology::Tree => after.leave_list(id),
            Topology::Bst => after.replace_in_bst(id),
            Topology::Balanced => after.replace_in_balanced(id),
        }
        after.nodes.remove(&id);
        after
    }

    fn replace_in_bst(&mut self, id: i64) {
        let (left, right) = (self.child_on(id, Side::Left), self.child_on(id, Side::Right));
        match (left, right) {
            (None, None) => {}
            (Some(only), None) | (None, Some(only)) => self.hang(only, self.parent(id), self.side_of(id)),
            (Some(_), Some(right)) => {
                let successor = self.leftmost(right);
                if let Some(orphan) = self.child_on(successor, Side::Right).filter(|_| successor != right) {
                    self.hang(orphan, self.parent(successor), Side::Left);
                }
                self.take_place(successor, id);
            }
        }
    }

    fn leftmost(&self, from: i64) -> i64 {
        let mut at = from;
        while let Some(left) = self.child_on(at, Side::Left) {
            at = left;
        }
        at
    }

    fn replace_in_balanced(&mut self, id: i64) {
        let last = self.last_leaf();
        if last != id {
            self.take_place(last, id);
        }
    }

    /// From the root to the larger subtree, the right one when equal, until there is none below.
    fn last_leaf(&self) -> i64 {
        let mut at = CONTROL;
        let mut next = self.children(CONTROL).first().copied();
        while let Some(node) = next {
            at = node;
            let (left, right) = (self.child_on(at, Side::Left), self.child_on(at, Side::Right));
            next = if self.size(left) > self.size(right) { left } else { right };
        }
        at
    }

    /// `id` leaves its place and takes that of `old`: its parent, its side, its children.
    fn take_place(&mut self, id: i64, old: i64) {
        for child in self.children(old).into_iter().filter(|&child| child != id) {
            self.hang(child, id, self.side_of(child));
        }
        self.hang(id, self.parent(old), self.side_of(old));
    }

    /// The nodes other than `removed` whose parent or set of children differs in `after`.
    pub(super) fn relinked(&self, after: &Self, removed: i64) -> BTreeSet<i64> {
        let set = |forest: &Self, id| forest.children(id).into_iter().collect::<BTreeSet<i64>>();
        let differs = |&id: &i64| self.parent(id) != after.parent(id) || set(self, id) != set(after, id);
        after.nodes.keys().copied().filter(|&id| id != removed).filter(differs).collect()
    }

    /// The nodes whose parent differs in `after`.
    pub(super) fn moved(&self, after: &Self) -> BTreeSet<i64> {
        after.nodes.keys().copied().filter(|&id| self.parent(id) != after.parent(id)).collect()
    }

    /// The nodes that were moved from below `id` to where it is not above them.
    pub(super) fn moved_out(&self, after: &Self, id: i64) -> Vec<i64> {
        let below = self.below(id);
        self.moved(after).into_iter().filter(|it| below.contains(it) && !after.path(*it).contains(&id)).collect()
    }

    /// The dead nodes that a live one stands below; empty unless somebody was moved there.
    pub(super) fn dead_above_live(&self) -> BTreeSet<i64> {
        let live = self.nodes.keys().copied().filter(|&id| self.is_alive(id));
        live.flat_map(|id| self.path(id)).filter(|&above| self.is_dead(above)).collect()
    }
}
