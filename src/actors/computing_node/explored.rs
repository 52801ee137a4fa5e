//! What an exploration wants to know of a node.

use std::hash::{Hash, Hasher};

use super::ComputingNode;
use crate::actors::explored::{Table, hash_table};

impl Hash for ComputingNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            key,
            open_links,
            parent,
            children,
            child_links,
            standby,
            greeted,
            visit,
            draining,
            execution,
            waves,
            beat_period_ns,
            next_beat,
            wake_at,
            effects: _,
        } = self;
        (key, parent, children, standby, greeted, visit, draining, waves, wake_at, beat_period_ns).hash(state);
        (*beat_period_ns > 0).then_some(next_beat).hash(state);
        hash_table(open_links, state);
        hash_table(child_links, state);
        execution.hash(state);
    }
}

impl ComputingNode {
    /// What it has of the tree.
    pub fn table(&self) -> Table {
        let of_child = |link| self.child_links.get(link).map(|child| (*link, child.key, child.slot));
        let mut open: Vec<_> = self.open_links.keys().copied().collect();
        open.sort_unstable();
        let words = [
            (!self.standby.is_empty()).then_some("links that are not used"),
            (!self.greeted.is_empty()).then_some("greetings on links that never came"),
            self.visit.is_some().then_some("a marker that visits"),
            // That of a link that was closed meanwhile is never looked at again.
            self.draining.filter(|(_, link)| self.open_links.contains_key(link)).map(|_| "a way that is drained"),
            (self.waves.deadline() < u64::MAX).then_some("a wave"),
            (self.child_links.len() != self.children.len()).then_some("children that are known by halves"),
            self.execution.is_busy().then_some("a request"),
        ];
        let children = self.children.values().filter_map(of_child).collect();
        let under_way = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Table { parent: self.parent, children, open, under_way }
    }

    /// The state that its command set has, as bytes.
    pub fn state(&self) -> Vec<u8> {
        self.execution.state()
    }
}
