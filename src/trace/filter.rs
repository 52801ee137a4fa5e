//! Which events are shown.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Where;
use super::{Event, Passage, What};
use crate::topology::NodeId;

/// Chooses events by node, by command, or by both. It must see them in their order, all of them.
///
/// Of a **node** these are chosen: what happens to it, its links, envelopes that it sends or takes, commands for it with
/// their answers, notices about it. Of a **command**: itself and its answer, its envelopes wherever they travel, and
/// what happens to the node that it is for until it is answered. Of several nodes or commands each one's; where there
/// are nodes and commands, what belongs to one of each.
///
/// ```
/// use nodetree::trace::{Event, Filter, What};
/// let mut filter = Filter::new([7], []);
/// assert!(filter.chooses(&Event { at_ns: 1, what: What::Stopped { node: 7 } }));
/// assert!(!filter.chooses(&Event { at_ns: 2, what: What::Stopped { node: 8 } }));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    nodes: BTreeSet<NodeId>,
    commands: BTreeSet<u64>,
    /// Commands for the nodes that are chosen, as far as they were seen and not answered.
    theirs: BTreeSet<u64>,
    /// Chosen commands that are not answered, and the nodes that they are for.
    open: BTreeMap<u64, NodeId>,
}

impl Filter {
    /// Of these nodes and these commands; no nodes are all nodes, and no commands all commands.
    pub fn new(nodes: impl IntoIterator<Item = NodeId>, commands: impl IntoIterator<Item = u64>) -> Self {
        let (nodes, commands) = (nodes.into_iter().collect(), commands.into_iter().collect());
        Self { nodes, commands, ..Self::default() }
    }

    /// The nodes that were asked for.
    pub(super) fn nodes(&self) -> &BTreeSet<NodeId> {
        &self.nodes
    }

    /// Whether the next event is to be shown.
    pub fn chooses(&mut self, event: &Event) -> bool {
        let of_node = self.nodes.is_empty() || self.is_of_node(&event.what);
        let of_command = self.commands.is_empty() || self.is_of_command(&event.what);
        of_node && of_command
    }

    fn is_of_node(&mut self, what: &What) -> bool {
        match what {
            What::Submitted { command, node: Some(node), .. } if self.nodes.contains(node) => {
                self.theirs.insert(*command);
                true
            }
            What::Handed { command, .. } if self.theirs.contains(command) => true,
            What::Answered { command, .. } if self.theirs.remove(command) => true,
            What::Noticed { node, .. } => self.nodes.contains(node),
            // The control node is a node, too: all that is typed and answered happens there.
            _ => Where::of(what).nodes().any(|node| self.nodes.contains(&node)),
        }
    }

    fn is_of_command(&mut self, what: &What) -> bool {
        match what {
            What::Submitted { command, node, .. } => {
                let is_chosen = self.commands.contains(command);
                if let Some(node) = node.filter(|_| is_chosen) {
                    self.open.insert(*command, node);
                }
                is_chosen
            }
            What::Answered { command, .. } => {
                self.open.remove(command);
                self.commands.contains(command)
            }
            What::Sent(Passage { command, .. }) | What::Delivered(Passage { command, .. }) => {
                command.is_some_and(|command| self.commands.contains(&command))
            }
            What::Handed { command, .. } => self.commands.contains(command),
            What::Began(_) | What::Noticed { .. } => false,
            _ => Where::of(what).nodes().any(|node| self.open.values().any(|open| *open == node)),
        }
    }
}
