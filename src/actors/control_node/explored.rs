//! What an exploration wants to know of the control node.

use std::hash::{Hash, Hasher};

use super::ControlNode;
use crate::actors::explored::{Known, hash_all, hash_table};
use crate::actors::registry::Life;
use crate::topology::{CONTROL, Slot};

impl Hash for ControlNode {
    /// The number of a command stands for the command. There are never so many waves that it matters when the next one may
    /// go out. The books of faults, the beats of nodes and the exhaustive list
    /// of what is heard when are not compared: nothing of them is explored.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            config: _,
            now: _,
            topology,
            registry,
            locks,
            changes,
            barriers,
            held_by_barrier,
            parked,
            parked_below,
            unparked,
            waiting_for_work,
            work_awaited,
            freed,
            creations,
            relinks,
            pings,
            waves,
            next_wave: _,
            strikes,
            open,
            early,
            watch,
            faults: _,
            own_links,
            new_links,
            newborn,
            last_replies,
            next_incarnation,
            secret: _,
            next_link,
            inbox,
            waiting,
            unanswered,
            deadlines,
            stall,
            wake_at,
            effects: _,
        } = self;
        (topology, held_by_barrier, freed, creations, relinks, pings, waves, strikes, watch).hash(state);
        (newborn, last_replies, next_incarnation, next_link, waiting, unanswered, deadlines, stall, wake_at)
            .hash(state);
        for orders in [changes, barriers, unparked] {
            hash_all(orders.keys(), state);
        }
        hash_all(inbox.iter().map(|(op, _)| op), state);
        for parked in [parked, parked_below] {
            hash_all(parked.iter().flat_map(|(id, orders)| orders.keys().map(move |op| (id, op))), state);
        }
        hash_table(waiting_for_work, state);
        hash_table(work_awaited, state);
        hash_table(open, state);
        hash_table(early, state);
        hash_table(own_links, state);
        hash_table(new_links, state);
        registry.hash(state);
        locks.hash(state);
    }
}

impl ControlNode {
    /// The nodes that it knows, by their ids.
    pub fn known(&self) -> Vec<Known> {
        let of_node = |id| {
            let (entry, parent) = (self.registry.get(id)?, self.topology.parent(id)?);
            let slot = self.topology.slot(id).unwrap_or(Slot::Any);
            Some(Known { key: entry.key, parent, slot, uplink: entry.uplink, is_up: entry.life == Life::Up })
        };
        self.topology.ids().filter_map(of_node).collect()
    }

    /// The tree.
    pub fn topology(&self) -> &crate::topology::Topology {
        &self.topology
    }

    /// What is under way, in words; empty at rest.
    pub fn under_way(&self) -> String {
        let words = [
            (self.unanswered > 0).then_some("a command"),
            (!self.locks.is_empty()).then_some("a claim"),
            (!self.changes.is_empty() || !self.creations.is_empty() || !self.relinks.is_empty()).then_some("a change"),
            (!self.parked.is_empty() || !self.parked_below.is_empty() || !self.unparked.is_empty())
                .then_some("a command that waits for a node"),
            (!self.new_links.is_empty()).then_some("a link that is made"),
            (!self.newborn.is_empty()).then_some("a node that is made"),
            (!self.waiting_for_work.is_empty() || !self.work_awaited.is_empty()).then_some("a change that waits"),
            (!self.held_by_barrier.is_empty() || !self.barriers.is_empty()).then_some("a barrier"),
            (!self.strikes.is_empty()).then_some("a strike"),
            (!self.registry.busy.is_empty()).then_some("a busy node"),
            (!self.waves.is_empty() || !self.pings.is_empty()).then_some("a question"),
            (self.own_links.len()
                != self.topology.children(CONTROL).filter(|(_, id)| self.registry.is_up(*id)).count())
            .then_some("a link of its own that leads to nobody"),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
