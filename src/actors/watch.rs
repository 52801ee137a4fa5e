//! `heartbit`: who has not been heard of for four periods, and who is back.

use std::collections::BTreeSet;

use super::control_io::ControlEffect;
use super::control_node::{ControlNode, Due};
use super::message::{ControlDown, Nanos, NodeKey};
use super::outcome::Outcome;
use super::registry::{Entry, Life};
use crate::commands::Notice;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId};

/// A node is reported when nothing has come from it for so many periods.
const PERIODS_OF_QUIET: Nanos = 4;

/// So often in a period the control node looks who is quiet: a notice comes within 4 and 4 1/4 periods.
const LOOKS_IN_A_PERIOD: Nanos = 4;

/// A node that wants to run and is not let is reported when it has been quiet for so many quarters of a period: at the
/// last look within five periods.
const QUARTERS_WHEN_STARVED: Nanos = 19;

#[derive(Clone, Hash)]
pub(super) struct Watch {
    period_ns: Nanos,
    /// All periods are counted from here.
    since: Nanos,
    next_look: Nanos,
    /// After the control node itself stood still nobody is reported for a period.
    forgiven_until: Nanos,
    /// How many answers of the kernel are awaited before the look of now goes on.
    asked: usize,
    /// Nodes that want to run and are not let, as the kernel says.
    starved: BTreeSet<NodeId>,
}

impl Watch {
    fn is_quiet(&self, for_ns: Nanos) -> bool {
        let periods = if is_planted(Bug::NoticeTooEarly) { PERIODS_OF_QUIET - 1 } else { PERIODS_OF_QUIET };
        for_ns >= self.period_ns * periods
    }

    /// For how long nothing has come from a node.
    fn quiet_ns(&self, entry: &Entry, now: Nanos) -> Nanos {
        now - entry.last_sign.max(self.since)
    }

    /// No excuse counts any more.
    fn is_too_quiet(&self, for_ns: Nanos) -> bool {
        for_ns >= self.period_ns / LOOKS_IN_A_PERIOD * QUARTERS_WHEN_STARVED
    }
}

/// What is known of the way down to a node.
#[derive(Clone, Copy)]
struct Seen {
    /// The oldest last sign of life of a node on it.
    heard: Nanos,
    /// One of them was stopped.
    stopped: bool,
    /// One of them is quiet, and nobody is to be reported for that.
    excused: bool,
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
        if let Some(before) = &self.watch {
            self.not_due(before.next_look, Due::Watch);
        }
        self.watch = (period_ns > 0).then(|| {
            let next_look = self.now + period_ns * PERIODS_OF_QUIET;
            Watch { period_ns, since: self.now, next_look, forgiven_until: 0, asked: 0, starved: BTreeSet::new() }
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
        if !forgiven && !self.ask_the_kernel() {
            self.look();
        }
    }

    fn look(&mut self) {
        // Hardly ever there is anything to report: then the nodes are looked at as they are kept, and not as they stand.
        if let Some(watch) = &self.watch
            && self.registry.all(|entry| !entry.reported && !watch.is_quiet(watch.quiet_ns(entry, self.now)))
        {
            return;
        }
        self.report_below(CONTROL, Seen { heard: self.now, stopped: false, excused: false }, Pass::Look);
    }

    /// Before a process is called silent the kernel is asked whether it wants to run; true when answers are awaited.
    fn ask_the_kernel(&mut self) -> bool {
        let now = self.now;
        let Some(watch) = self.watch.as_mut().filter(|_| self.config.asks_kernel) else { return false };
        // Answers that have not come by the next look are not waited for any longer.
        if std::mem::take(&mut watch.asked) > 0 {
            return false;
        }
        watch.starved.clear();
        for id in self.topology.ids() {
            let Some(entry) = self.registry.get(id) else { continue };
            let quiet_ns = watch.quiet_ns(entry, now);
            let may_be_starved = entry.life == Life::Up && !entry.stopped && !entry.reported;
            if may_be_starved && watch.is_quiet(quiet_ns) && !watch.is_too_quiet(quiet_ns) {
                watch.asked += 1;
                self.effects.push(ControlEffect::Examine(entry.key));
            }
        }
        watch.asked > 0
    }

    /// The kernel says whether a process wants to run and is not let.
    pub(super) fn on_examined(&mut self, key: NodeKey, starved: bool) {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.asked > 0) else { return };
        watch.asked -= 1;
        if starved {
            watch.starved.insert(key.id);
        }
        if watch.asked == 0 {
            self.look();
        }
    }

    /// Something has come from a node that was reported: it is back at once, and so may be others below it.
    pub(super) fn has_returned(&mut self, id: NodeId) {
        let Some(since) = self.watch.as_ref().map(|watch| watch.since) else { return };
        let is_reported = |above| self.registry.get(above).is_some_and(|entry| entry.reported);
        // Below a node that is reported nobody is back before that node is.
        let Some(parent) = self.topology.parent(id).filter(|&parent| !is_reported(parent)) else { return };
        let mut above = Seen { heard: self.now, stopped: self.is_below_stopped(parent), excused: false };
        for entry in self.topology.ancestors(id).filter_map(|above| self.registry.get(above)) {
            above.heard = above.heard.min(entry.last_sign.max(since));
        }
        let seen = self.report_node(id, above, Pass::Return);
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
                let seen = self.report_node(id, above, pass);
                // Below a node that stays reported nobody returns.
                if pass == Pass::Look || !self.registry.get(id).is_some_and(|entry| entry.reported) {
                    stack.push((id, seen));
                }
            }
        }
    }

    fn report_node(&mut self, id: NodeId, above: Seen, pass: Pass) -> Seen {
        let now = self.now;
        // Who has become quiet is said at a look where the kernel is to be asked before.
        let may_report = pass == Pass::Look || !self.config.asks_kernel;
        // A beat that was on its way when a node above was stopped does not make this one available.
        let stopped = above.stopped || self.registry.stopped.contains(&id);
        let (Some(watch), Some(entry)) = (&self.watch, self.registry.get_mut(id)) else { return above };
        let heard = entry.last_sign.max(watch.since).min(above.heard);
        let (quiet, too_quiet) = (watch.is_quiet(now - heard), watch.is_too_quiet(now - heard));
        let excused = quiet && !too_quiet && (above.excused || watch.starved.contains(&id));
        let returns = entry.life == Life::Up && !stopped && !is_planted(Bug::ReturnNotNoticed);
        let is_news = if quiet { may_report && !excused } else { returns };
        if quiet != entry.reported && is_news {
            entry.reported = quiet;
            let notice = if quiet { Notice::Unavailable { id } } else { Notice::Available { id } };
            self.effects.push(ControlEffect::Notice(notice));
        }
        Seen { heard, stopped, excused }
    }

    /// The drawing of the `tree` command.
    pub(super) fn draw(&self) -> String {
        let down = self.known_silent();
        self.topology.draw(|id| match self.registry.get(id) {
            Some(entry) if entry.life == Life::Up && !down.contains(&id) => format!("{id} ({})", entry.pid),
            _ => format!("{id} (-) down"),
        })
    }

    /// The nodes that are known to be silent, and all below them.
    pub(super) fn known_silent(&self) -> BTreeSet<NodeId> {
        let mut down = BTreeSet::new();
        for &id in &self.registry.silent {
            if down.insert(id) {
                // What is below one that is down already was found with that one.
                let below = self.topology.descend(id, |node| !down.contains(&node));
                down.extend(below);
            }
        }
        down
    }
}
