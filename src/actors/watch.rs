//! `heartbit`: who has not been heard of for four periods, and who is back.

use std::collections::BTreeSet;

use super::control_node::{ControlEffect, ControlNode, Due};
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
        let (next_look, since, forgiven) = (watch.next_look, watch.since, now < watch.forgiven_until);
        let quiet_after = watch.period_ns * PERIODS_OF_QUIET;
        self.due(next_look, Due::Watch);
        if forgiven {
            return;
        }
        let mut notices = Vec::new();
        let mut stack: Vec<(NodeId, Nanos)> = vec![(CONTROL, now)];
        while let Some((parent, heard_above)) = stack.pop() {
            for (_, id) in self.topology.children(parent) {
                let Some(entry) = self.registry.get_mut(id) else { continue };
                let heard = entry.last_sign.max(since).min(heard_above);
                let quiet = now - heard >= quiet_after;
                if quiet != entry.reported && (quiet || entry.life == Life::Up) {
                    entry.reported = quiet;
                    notices.push(if quiet { Notice::Unavailable { id } } else { Notice::Available { id } });
                }
                stack.push((id, heard));
            }
        }
        self.effects.extend(notices.into_iter().map(ControlEffect::Notice));
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
