//! What must hold when everything is at rest: the books, the nodes and the links say the same.

use std::collections::BTreeSet;

use super::world::World;
use crate::actors::message::{LinkId, NodeKey};
use crate::actors::{Known, Table};
use crate::topology::CONTROL;

impl World {
    /// Whether the books of the control node, the tables of the nodes and the links agree.
    pub(super) fn check_rest(&self) -> Result<(), String> {
        let control = &self.control.it;
        let under_way = control.under_way();
        if !under_way.is_empty() {
            return Err(format!("all is at rest, and the control node has {under_way}"));
        }
        control.topology().check()?;
        let known = control.known();
        known.iter().try_for_each(|node| self.check_node(node, &known))?;
        let known_up = |key: NodeKey| known.iter().any(|node| node.is_up && node.key == key);
        if let Some(stray) = self.nodes.iter().find(|node| !known_up(node.key)) {
            return Err(format!("node {} runs, and nobody knows it", stray.key.id));
        }
        self.check_links(&known)
    }

    fn check_node(&self, node: &Known, known: &[Known]) -> Result<(), String> {
        let id = node.key.id;
        let Some(running) = self.node(node.key) else {
            return if node.is_up { Err(format!("node {id} is gone, and nobody knows it")) } else { Ok(()) };
        };
        if !node.is_up {
            return Err(format!("node {id} runs, and is taken for dead"));
        }
        let children = known.iter().filter(|child| child.is_up && child.parent == id);
        let children: Vec<_> = children.map(|child| (child.uplink, child.key, child.slot)).collect();
        let links: BTreeSet<LinkId> = children.iter().map(|(link, ..)| *link).chain([node.uplink]).collect();
        let expected =
            Table { parent: Some(node.uplink), children, open: links.into_iter().collect(), under_way: String::new() };
        let table = running.node.it.table();
        if table == expected { Ok(()) } else { Err(format!("node {id} has {table:?}, and it should be {expected:?}")) }
    }

    fn check_links(&self, known: &[Known]) -> Result<(), String> {
        let key_of = |id| known.iter().find(|node| node.key.id == id).map_or(NodeKey::CONTROL, |node| node.key);
        let up = known.iter().filter(|node| node.is_up);
        let expected: BTreeSet<_> = up.map(|node| (node.uplink, [Some(key_of(node.parent)), Some(node.key)])).collect();
        let links: BTreeSet<_> = self.links.iter().map(|link| (link.id, link.ends)).collect();
        if links == expected { Ok(()) } else { Err(format!("the links are {links:?}, and should be {expected:?}")) }
    }

    /// Whoever has no excuse is there, with what it has done.
    pub(super) fn check_survivors(&self) -> Result<(), String> {
        let control = &self.control.it;
        let lost =
            control.known().into_iter().find(|node| !node.is_up && !self.judge.it.is_excused(node.key.id, control));
        match lost {
            Some(node) if node.key.id != CONTROL => {
                Err(format!("node {} is dead, and nothing has happened to it or above it", node.key.id))
            }
            _ => Ok(()),
        }
    }
}
