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

/// What is known of the way down to a node.
#[derive(Clone, Copy)]
struct Seen {
    /// The oldest last sign of life of a node on it.
    heard: Nanos,
    /// One of them was stopped.
    stopped: bool,
}

/// Why nodes are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// The time has come.
    Look,
    /// Something has come from the node above them.
    Return,
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
        let newborn = self.newborn.values().filter_map(|op| self.creations.get(op)).map(|creation| creation.key);
        let beat = |key| ControlEffect::Control(key, ControlDown::Beat { period_ns });
        self.effects.extend(newborn.map(beat));
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
            self.report_below(CONTROL, Seen { heard: now, stopped: false }, Pass::Look);
        }
    }

    /// Something has come from a node that was reported: it is back at once, and so may be others below it.
    pub(super) fn has_returned(&mut self, id: NodeId) {
        let Some(since) = self.watch.as_ref().map(|watch| watch.since) else { return };
        let is_reported = |above| self.registry.get(above).is_some_and(|entry| entry.reported);
        // Below a node that is reported nobody is back before that node is.
        let Some(parent) = self.topology.parent(id).filter(|&parent| !is_reported(parent)) else { return };
        let mut above = Seen { heard: self.now, stopped: self.is_below_stopped(parent) };
        for entry in self.topology.ancestors(id).filter_map(|above| self.registry.get(above)) {
            above.heard = above.heard.min(entry.last_sign.max(since));
        }
        let seen = self.report_node(id, above);
        if !self.registry.get(id).is_some_and(|entry| entry.reported) {
            self.report_below(id, seen, Pass::Return);
        }
    }

    /// Says who below a node has become quiet, and who is back, when this is what was seen down to the node itself.
    fn report_below(&mut self, top: NodeId, seen: Seen, pass: Pass) {
        let mut stack = vec![(top, seen)];
        let mut children: Vec<NodeId> = Vec::new();
        while let Some((parent, above)) = stack.pop() {
            children.extend(self.topology.children(parent).map(|(_, id)| id));
            for id in children.drain(..) {
                let seen = self.report_node(id, above);
                // Below a node that stays reported nobody returns.
                if pass == Pass::Look || !self.registry.get(id).is_some_and(|entry| entry.reported) {
                    stack.push((id, seen));
                }
            }
        }
    }

    fn report_node(&mut self, id: NodeId, above: Seen) -> Seen {
        let now = self.now;
        // A beat that was on its way when a node above was stopped does not make this one available.
        let stopped = above.stopped || self.registry.stopped.contains(&id);
        let (Some(watch), Some(entry)) = (&self.watch, self.registry.get_mut(id)) else { return above };
        let heard = entry.last_sign.max(watch.since).min(above.heard);
        let quiet = now - heard >= watch.period_ns * PERIODS_OF_QUIET;
        if quiet != entry.reported && (quiet || entry.life == Life::Up && !stopped) {
            entry.reported = quiet;
            let notice = if quiet { Notice::Unavailable { id } } else { Notice::Available { id } };
            self.effects.push(ControlEffect::Notice(notice));
        }
        Seen { heard, stopped }
    }

    /// The drawing of the `tree` command.
    pub(super) fn draw(&self) -> String {
        let mut down = BTreeSet::new();
        for &id in &self.registry.silent {
            if down.insert(id) {
                // What is below one that is down already was found with that one.
                let below = self.topology.descend(id, |node| !down.contains(&node));
                down.extend(below);
            }
        }
        self.topology.draw(|id| match self.registry.get(id) {
            Some(entry) if entry.life == Life::Up && !down.contains(&id) => format!("{id} ({})", entry.pid),
            _ => format!("{id} (-) down"),
        })
    }
}
