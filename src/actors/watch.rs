//! `heartbit`: who has not been heard of for four periods, and who is back.

use std::collections::BTreeSet;

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{ControlDown, Nanos};
use super::outcome::Outcome;
use super::registry::Life;
use crate::commands::Notice;
use crate::topology::{CONTROL, NodeId};

/// A node is reported when nothing has come from it for so many periods.
const PERIODS_OF_QUIET: Nanos = 4;

/// So often in a period the control node looks who is quiet: a notice comes within 4 and 4 1/4 periods.
const LOOKS_IN_A_PERIOD: Nanos = 4;

pub(super) struct Watch {
    period_ns: Nanos,
    /// All periods are counted from here.
    since: Nanos,
    next_look: Nanos,
    /// After the control node itself stood still nobody is reported for a period.
    forgiven_until: Nanos,
}

impl ControlNode {
    pub(super) fn beat_period_ns(&self) -> Nanos {
        self.watch.as_ref().map_or(0, |watch| watch.period_ns)
    }

    pub(super) fn heartbit(&mut self, op: u64, period_ns: Nanos) {
        let nodes: Vec<NodeId> = self.topology.ids().collect();
        for id in nodes {
            if let Some(entry) = self.registry.get_mut(id) {
                entry.reported = false;
                if entry.life == Life::Up {
                    let key = entry.key;
                    self.effects.push(ControlEffect::Control(key, ControlDown::Beat { period_ns }));
                }
            }
        }
        let newborn: Vec<_> = self.newborn.values().copied().collect();
        let beat = |key| ControlEffect::Control(key, ControlDown::Beat { period_ns });
        self.effects.extend(newborn.into_iter().map(beat));
        self.watch = (period_ns > 0).then(|| {
            let next_look = self.now + period_ns * PERIODS_OF_QUIET;
            Watch { period_ns, since: self.now, next_look, forgiven_until: 0 }
        });
        if let Some(watch) = &self.watch {
            self.due(watch.next_look, Due::Watch);
        }
        self.answer(op, Outcome::Done);
    }

    /// Looks at all nodes, parents first: the quiet of a node above is the quiet of all below it.
    pub(super) fn look_around(&mut self) {
        let now = self.now;
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.next_look <= now) else { return };
        if now > watch.next_look + watch.period_ns {
            watch.forgiven_until = now + watch.period_ns;
        }
        watch.next_look = now + watch.period_ns / LOOKS_IN_A_PERIOD;
        let (next_look, forgiven) = (watch.next_look, now < watch.forgiven_until);
        self.due(next_look, Due::Watch);
        if !forgiven {
            self.report(CONTROL, now);
        }
    }

    /// Something has come from a node that was reported: it is back at once, and so may be others below it.
    pub(super) fn has_returned(&mut self, id: NodeId) {
        let Some(since) = self.watch.as_ref().map(|watch| watch.since) else { return };
        if !self.topology.contains(id) {
            return;
        }
        let above = self.topology.ancestors(id).filter_map(|above| self.registry.get(above));
        let heard_above = above.map(|entry| entry.last_sign.max(since)).min().unwrap_or(self.now);
        self.report_node(id, heard_above);
        let heard = self.registry.get(id).map_or(heard_above, |entry| entry.last_sign.max(since).min(heard_above));
        self.report(id, heard);
    }

    /// Says who below a node has become quiet, and who is back, when something was heard of the node itself then.
    fn report(&mut self, top: NodeId, heard: Nanos) {
        let mut stack = vec![(top, heard)];
        while let Some((parent, heard_above)) = stack.pop() {
            let children: Vec<NodeId> = self.topology.children(parent).map(|(_, id)| id).collect();
            stack.extend(children.into_iter().map(|id| (id, self.report_node(id, heard_above))));
        }
    }

    fn report_node(&mut self, id: NodeId, heard_above: Nanos) -> Nanos {
        let now = self.now;
        // A beat that was on its way when a node above was stopped does not make this one available.
        let stopped = !self.registry.stopped.is_empty() && self.is_below_stopped(id);
        let (Some(watch), Some(entry)) = (&self.watch, self.registry.get_mut(id)) else { return heard_above };
        let heard = entry.last_sign.max(watch.since).min(heard_above);
        let quiet = now - heard >= watch.period_ns * PERIODS_OF_QUIET;
        if quiet != entry.reported && (quiet || entry.life == Life::Up && !stopped) {
            entry.reported = quiet;
            let notice = if quiet { Notice::Unavailable { id } } else { Notice::Available { id } };
            self.effects.push(ControlEffect::Notice(notice));
        }
        heard
    }

    /// The drawing of the `tree` command.
    pub(super) fn draw(&self) -> String {
        let mut down: BTreeSet<NodeId> = self.registry.silent.clone();
        down.extend(self.registry.silent.iter().flat_map(|&id| self.topology.descendants(id)));
        self.topology.draw(|id| match self.registry.get(id) {
            Some(entry) if entry.life == Life::Up && !down.contains(&id) => format!("{id} ({})", entry.pid),
            _ => format!("{id} (-) down"),
        })
    }
}
