//! The same topology once more, as plainly as possible, to compare the real one with.
//!
//! It is written from the specification alone and shares nothing with [`Topology`](super::Topology) but
//! the words: a list is chains of ids, a tree a table of parents, and the binary trees are tables of
//! paths from the root. Nothing here is fast.

use std::collections::BTreeMap;

use super::{CONTROL, NodeId, Slot, TopologyKind};

pub use super::compare::check_operations;

/// One step of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(arbitrary::Arbitrary))]
pub enum Operation {
    /// A new node; left out when `id` is there already.
    Create {
        /// The new node.
        id: NodeId,
        /// The parent that was typed.
        parent: Option<NodeId>,
    },
    /// A node goes; left out when it is not there.
    Remove {
        /// The node.
        id: NodeId,
    },
    /// A dead node is created again; left out when it is not there.
    Again {
        /// The node.
        id: NodeId,
        /// The parent that was typed.
        parent: Option<NodeId>,
    },
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The parent is not there, or is the node itself.
    ParentNotFound,
    /// The parent is below the node.
    Cycle,
}

/// What hangs where: the parent and the slot of every node.
pub type Links = BTreeMap<NodeId, (NodeId, Slot)>;

type Path = Vec<Slot>;

/// The plain topology.
#[derive(Clone, Debug)]
pub enum Model {
    /// The chains, each from the control node down.
    List(Vec<Vec<NodeId>>),
    /// The parent of every node.
    Tree(BTreeMap<NodeId, NodeId>),
    /// Who stands at the end of which path from the root, by id.
    Bst(BTreeMap<Path, NodeId>),
    /// Who stands at the end of which path from the root, in balance.
    Balanced(BTreeMap<Path, NodeId>),
}

impl Model {
    /// Makes a model without nodes.
    pub fn new(kind: TopologyKind) -> Self {
        match kind {
            TopologyKind::List => Self::List(Vec::new()),
            TopologyKind::Tree => Self::Tree(BTreeMap::new()),
            TopologyKind::Bst => Self::Bst(BTreeMap::new()),
            TopologyKind::Balanced => Self::Balanced(BTreeMap::new()),
        }
    }

    /// The parent and the slot of every node.
    pub fn links(&self) -> Links {
        match self {
            Self::List(chains) => chains.iter().flat_map(|chain| chain_links(chain)).collect(),
            Self::Tree(parents) => parents.iter().map(|(id, parent)| (*id, (*parent, Slot::Any))).collect(),
            Self::Bst(nodes) | Self::Balanced(nodes) => nodes
                .iter()
                .map(|(path, id)| match path.split_last() {
                    Some((slot, above)) => (*id, (nodes[above], *slot)),
                    None => (*id, (CONTROL, Slot::Any)),
                })
                .collect(),
        }
    }

    /// Adds the new node `id`.
    ///
    /// # Errors
    /// [`Refusal::ParentNotFound`].
    pub fn create(&mut self, id: NodeId, parent: Option<NodeId>) -> Result<(), Refusal> {
        let parent = parent.unwrap_or(CONTROL);
        let is_there = parent == CONTROL || self.links().contains_key(&parent);
        match self {
            Self::List(_) | Self::Tree(_) if !is_there || parent == id => return Err(Refusal::ParentNotFound),
            Self::List(chains) => add_to_chain(chains, id, parent),
            Self::Tree(parents) => drop(parents.insert(id, parent)),
            Self::Bst(nodes) => {
                let path = vacancy(nodes, |path| if id < nodes[path] { Slot::Left } else { Slot::Right });
                nodes.insert(path, id);
            }
            Self::Balanced(nodes) => {
                let smaller = |path: &Path| match size(nodes, path, Slot::Left) <= size(nodes, path, Slot::Right) {
                    true => Slot::Left,
                    false => Slot::Right,
                };
                let path = vacancy(nodes, smaller);
                nodes.insert(path, id);
            }
        }
        Ok(())
    }

    /// Creates the dead node `id` once more.
    ///
    /// # Errors
    /// [`Refusal`], and nothing changed.
    pub fn again(&mut self, id: NodeId, parent: Option<NodeId>) -> Result<(), Refusal> {
        let links = self.links();
        let Some(parent) = parent.filter(|parent| *parent != links[&id].0) else { return Ok(()) };
        let is_there = parent == CONTROL || links.contains_key(&parent);
        match self {
            Self::Bst(_) | Self::Balanced(_) => {}
            _ if parent == id || !is_there => return Err(Refusal::ParentNotFound),
            Self::Tree(_) if is_below(&links, parent, id) => return Err(Refusal::Cycle),
            Self::Tree(parents) => drop(parents.insert(id, parent)),
            Self::List(chains) => {
                take_from_chain(chains, id);
                add_to_chain(chains, id, parent);
            }
        }
        Ok(())
    }

    /// Removes `id`.
    pub fn remove(&mut self, id: NodeId) {
        match self {
            Self::List(chains) => take_from_chain(chains, id),
            Self::Tree(parents) => {
                let above = parents.remove(&id).unwrap_or(CONTROL);
                parents.values_mut().filter(|parent| **parent == id).for_each(|parent| *parent = above);
            }
            Self::Bst(nodes) => remove_by_id(nodes, id),
            Self::Balanced(nodes) => remove_by_size(nodes, id),
        }
    }
}

/// Whether `id` is `top`, or below it.
pub(super) fn is_below(links: &Links, id: NodeId, top: NodeId) -> bool {
    let mut at = id;
    // One step more than there are nodes is a cycle, which counts as below.
    for _ in 0..=links.len() {
        match links.get(&at) {
            _ if at == top => return true,
            Some((parent, _)) => at = *parent,
            None => return false,
        }
    }
    true
}

fn chain_links(chain: &[NodeId]) -> Vec<(NodeId, (NodeId, Slot))> {
    let above = [CONTROL].into_iter().chain(chain.iter().copied());
    chain.iter().copied().zip(above.map(|parent| (parent, Slot::Any))).collect()
}

fn add_to_chain(chains: &mut Vec<Vec<NodeId>>, id: NodeId, parent: NodeId) {
    for chain in chains.iter_mut() {
        if let Some(position) = chain.iter().position(|node| *node == parent) {
            chain.insert(position + 1, id);
            return;
        }
    }
    chains.push(vec![id]);
}

fn take_from_chain(chains: &mut Vec<Vec<NodeId>>, id: NodeId) {
    for chain in chains.iter_mut() {
        chain.retain(|node| *node != id);
    }
    chains.retain(|chain| !chain.is_empty());
}

fn with(path: &[Slot], slot: Slot) -> Path {
    [path, &[slot]].concat()
}

fn size(nodes: &BTreeMap<Path, NodeId>, path: &[Slot], slot: Slot) -> usize {
    let top = with(path, slot);
    nodes.keys().filter(|path| path.starts_with(&top)).count()
}

/// The first path without a node, going from the root as `turn` says.
fn vacancy(nodes: &BTreeMap<Path, NodeId>, turn: impl Fn(&Path) -> Slot) -> Path {
    let mut path = Path::new();
    while nodes.contains_key(&path) {
        path.push(turn(&path));
    }
    path
}

fn path_of(nodes: &BTreeMap<Path, NodeId>, id: NodeId) -> Path {
    nodes.iter().find(|(_, node)| **node == id).map(|(path, _)| path.clone()).unwrap_or_default()
}

/// Moves all that stands at `from` and below to `to`.
fn lift(nodes: &mut BTreeMap<Path, NodeId>, from: &[Slot], to: &[Slot]) {
    let lifted: Vec<_> =
        nodes.iter().filter(|(path, _)| path.starts_with(from)).map(|(p, n)| (p.clone(), *n)).collect();
    for (path, _) in &lifted {
        nodes.remove(path);
    }
    nodes.extend(lifted.into_iter().map(|(path, node)| ([to, &path[from.len()..]].concat(), node)));
}

fn remove_by_id(nodes: &mut BTreeMap<Path, NodeId>, id: NodeId) {
    let place = path_of(nodes, id);
    let (left, right) = (with(&place, Slot::Left), with(&place, Slot::Right));
    nodes.remove(&place);
    if !nodes.contains_key(&left) {
        lift(nodes, &right, &place);
    } else if !nodes.contains_key(&right) {
        lift(nodes, &left, &place);
    } else {
        let below: Vec<_> = nodes.iter().filter(|(path, _)| path.starts_with(&right)).map(|(_, node)| *node).collect();
        let successor = below.into_iter().min().unwrap_or(id);
        let vacated = path_of(nodes, successor);
        nodes.remove(&vacated);
        lift(nodes, &with(&vacated, Slot::Right), &vacated);
        nodes.insert(place, successor);
    }
}

fn remove_by_size(nodes: &mut BTreeMap<Path, NodeId>, id: NodeId) {
    let mut path = Path::new();
    loop {
        let (left, right) = (size(nodes, &path, Slot::Left), size(nodes, &path, Slot::Right));
        if left + right == 0 {
            break;
        }
        path.push(if left > right { Slot::Left } else { Slot::Right });
    }
    let place = path_of(nodes, id);
    if let Some(leaf) = nodes.remove(&path)
        && leaf != id
    {
        nodes.insert(place, leaf);
    }
}
