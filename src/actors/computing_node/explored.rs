//! What an exploration wants to know of a node.

use std::hash::{Hash, Hasher};

use super::ComputingNode;
use crate::actors::explored::Table;

impl Hash for ComputingNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { key, links, execution, waves, beat_period_ns, next_beat, wake_at, effects: _ } = self;
        (key, links, waves, wake_at, beat_period_ns).hash(state);
        (*beat_period_ns > 0).then_some(next_beat).hash(state);
        execution.hash(state);
    }
}

impl ComputingNode {
    /// What it has of the tree.
    pub fn table(&self) -> Table {
        let mut table = self.links.table();
        let words =
            [(self.waves.deadline() < u64::MAX).then_some("a wave"), self.execution.is_busy().then_some("a request")];
        let links = Some(table.under_way.as_str()).filter(|words| !words.is_empty());
        table.under_way = links.into_iter().chain(words.into_iter().flatten()).collect::<Vec<_>>().join(", ");
        table
    }

    /// The state that its command set has, as bytes.
    pub fn state(&self) -> Vec<u8> {
        self.execution.state()
    }
}
