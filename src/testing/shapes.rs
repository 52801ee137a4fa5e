//! Large trees as plans: which nodes are created in which order, and what is known of the result.

use std::collections::BTreeMap;
use std::fmt;

use crate::command_sets::CommandSet;
use crate::commands::Command;
use crate::topology::{NodeId, TopologyKind};

/// What a large tree looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One node below the other.
    Chain,
    /// Two stars side by side: the nodes 1 and 2, and below each half of the others.
    Star,
    /// Each node below one that was drawn from all before it.
    Random,
    /// A search tree of ids that come in a random order.
    SearchTree,
    /// A chain in a topology that has nothing but chains.
    List,
    /// A perfectly balanced tree.
    Balanced,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Chain, Self::Star, Self::Random, Self::SearchTree, Self::List, Self::Balanced];

    fn kind(self) -> TopologyKind {
        match self {
            Self::Chain | Self::Star | Self::Random => TopologyKind::Tree,
            Self::SearchTree => TopologyKind::Bst,
            Self::List => TopologyKind::List,
            Self::Balanced => TopologyKind::Balanced,
        }
    }

    /// Plans a tree of the nodes 1 to `size`.
    ///
    /// ```
    /// use nodetree::testing::shapes::Shape;
    /// let plan = Shape::Chain.plan(100, 0);
    /// assert_eq!((plan.deepest(), plan.half()), ((100, 100), (51, 49)));
    /// ```
    pub fn plan(self, size: usize, seed: u64) -> Plan {
        let ids = 1..=size as NodeId;
        let mut plan = Plan { kind: self.kind(), nodes: Vec::with_capacity(size) };
        match self {
            Self::Balanced => ids.for_each(|id| plan.push(id, balanced_parent(id as usize - 1))),
            Self::Chain | Self::List => ids.for_each(|id| plan.push(id, (id > 1).then(|| id as usize - 2))),
            Self::Star => ids.for_each(|id| plan.push(id, (id > 2).then_some(id as usize % 2))),
            Self::Random => ids.for_each(|id| {
                let before = id as u64 - 1;
                plan.push(id, (before > 0).then(|| (mix(seed, id) % before) as usize));
            }),
            Self::SearchTree => {
                let mut order: Vec<NodeId> = ids.collect();
                order.sort_by_key(|id| mix(seed, *id));
                plan.push_search_tree(order);
            }
        }
        plan.count();
        plan
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Star => "star",
            Self::Random => "random",
            Self::SearchTree => "bst",
            Self::List => "list",
            Self::Balanced => "balanced",
        })
    }
}

/// The finaliser of SplitMix64: the same numbers on every machine.
fn mix(seed: u64, id: NodeId) -> u64 {
    let mut z = (seed ^ id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The parent of the node that comes to a balanced tree when so many are there. At each node, from the root down, those
/// that come go left and right by turns.
fn balanced_parent(before: usize) -> Option<usize> {
    let (mut rest, mut sides) = (before, Vec::new());
    while rest > 0 {
        sides.push((rest - 1) % 2);
        rest = (rest - 1) / 2;
    }
    // The last step leads to the new node; the others, taken back, say as which one its parent came.
    let (_, above) = sides.split_last()?;
    Some(above.iter().rev().fold(0, |place, side| 2 * place + 1 + side))
}

/// Nodes in the order in which they are created.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The topology that they make.
    pub kind: TopologyKind,
    nodes: Vec<Planned>,
}

/// A node of a plan.
#[derive(Clone, Debug)]
struct Planned {
    id: NodeId,
    /// Where its parent stands in the plan; none below the control node.
    parent: Option<usize>,
    depth: usize,
    /// How many nodes are below it.
    below: usize,
}

impl Plan {
    fn push(&mut self, id: NodeId, parent: Option<usize>) {
        let depth = parent.map_or(0, |at| self.nodes[at].depth) + 1;
        self.nodes.push(Planned { id, parent, depth, below: 0 });
    }

    /// A new id comes below its nearest neighbour that is there, the deeper one of both.
    fn push_search_tree(&mut self, order: Vec<NodeId>) {
        let mut places = BTreeMap::new();
        for (at, id) in order.into_iter().enumerate() {
            let near = [places.range(..id).next_back(), places.range(id..).next()];
            let parent = near.into_iter().flatten().map(|(_, &at)| at).max_by_key(|&at: &usize| self.nodes[at].depth);
            self.push(id, parent);
            places.insert(id, at);
        }
    }

    fn count(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            if let Some(parent) = self.nodes[at].parent {
                self.nodes[parent].below += self.nodes[at].below + 1;
            }
        }
    }

    /// The commands that create the nodes.
    pub fn creates<C: CommandSet>(&self) -> impl Iterator<Item = Command<C>> + '_ {
        let typed = self.kind.obeys_parent();
        self.nodes.iter().map(move |node| {
            let parent = node.parent.filter(|_| typed).map(|at| self.nodes[at].id);
            Command::Create { id: node.id, parent }
        })
    }

    /// The node that is created first.
    pub fn first(&self) -> NodeId {
        self.nodes.first().map_or(1, |node| node.id)
    }

    /// The deepest node, and how many links there are above it.
    pub fn deepest(&self) -> (NodeId, usize) {
        let deepest = self.nodes.iter().max_by_key(|node| node.depth);
        deepest.map_or((1, 0), |node| (node.id, node.depth))
    }

    /// A node with about half of the others below it, and how many that are; not the one that is created first.
    pub fn half(&self) -> (NodeId, usize) {
        let half = self.nodes.len() / 2;
        let node = self.nodes.iter().skip(1).min_by_key(|node| (node.below + 1).abs_diff(half));
        node.map_or((1, 0), |node| (node.id, node.below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_sets::Dictionary;
    use crate::topology::{CONTROL, Topology};

    /// Where the plans say that a node comes, the topology places it.
    #[test]
    fn the_plans_know_what_the_topologies_do() {
        for plan in Shape::ALL.map(|shape| shape.plan(300, 1)) {
            let mut book = Topology::new(plan.kind);
            for (node, command) in plan.nodes.iter().zip(plan.creates::<Dictionary>()) {
                let Command::Create { id, parent } = command else { panic!("a plan has creates only") };
                let place = book.place(id, parent).expect("parents come first");
                assert_eq!(place.parent, node.parent.map_or(CONTROL, |at| plan.nodes[at].id));
                book.insert(id, &place);
                assert_eq!(book.depth(id), Some(node.depth));
            }
            for node in &plan.nodes {
                assert_eq!(book.descendants(node.id).len(), node.below);
            }
        }
    }
}
