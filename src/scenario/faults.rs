//! What the oracle is told of faults: read from the system's trace, and from the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Scenario;
use super::oracle::{Action, Happened, Told, Trouble};
use crate::faults::{Fault, FaultKind, Links, Spread};
use crate::topology::NodeId;
use crate::trace::What;

/// What is lost at most, in all, if it is to be a matter of time only.
const LOSS: f64 = 0.35;

/// Which share of the reply timeout all delays of links may have together.
const DELAYS: f64 = 1.0 / 50.0;

/// The same for what nodes take longer each time.
const SLOWNESS: f64 = 1.0 / 4000.0;

/// Reads a trace, event by event.
pub(super) struct Teller {
    reply_timeout: Duration,
    /// By number: those of the plan, and those that were typed.
    faults: BTreeMap<u64, Fault>,
    live: BTreeSet<NodeId>,
    stopped: BTreeSet<NodeId>,
    /// How many links to a parent a node has had in this life.
    links: BTreeMap<NodeId, u32>,
    /// Whose link was damaged, and who may live on: only when it ends, it is told.
    doomed: BTreeSet<NodeId>,
    /// Together they are more than a matter of time.
    is_much: bool,
}

impl Teller {
    pub(super) fn new(scenario: &Scenario, reply_timeout: Duration) -> Self {
        let typed = scenario.script.iter().filter_map(|step| fault_of(&step.text));
        let all: Vec<Fault> = scenario.faults.0.iter().cloned().chain(typed).collect();
        let load: f64 = all.iter().map(|fault| load(&fault.what, reply_timeout)).sum();
        let faults = (1..).zip(scenario.faults.0.iter().cloned()).collect();
        let (live, stopped, links, doomed) = Default::default();
        Self { reply_timeout, faults, live, stopped, links, doomed, is_much: load > 1.0 }
    }

    /// The plan, before anything happens.
    pub(super) fn plan(&self) -> Vec<Happened> {
        self.faults.iter().map(|(number, fault)| armed(*number, fault)).collect()
    }

    /// A line was typed. Faults are numbered in the order of input.
    pub(super) fn typed(&mut self, line: &str) -> Option<Happened> {
        let fault = fault_of(line)?;
        let number = self.faults.len() as u64 + 1;
        let told = armed(number, &fault);
        self.faults.insert(number, fault);
        Some(told)
    }

    /// Something else happened.
    pub(super) fn happened(&mut self, what: &What) -> Vec<Happened> {
        match what {
            What::Started { node, .. } => {
                self.live.insert(*node);
                self.stopped.remove(node);
                self.links.remove(node);
            }
            What::Ended { node, .. } => return self.ended(*node),
            What::Stopped { node } => drop(self.stopped.insert(*node)),
            What::Continued { node } => drop(self.stopped.remove(node)),
            What::Linked { lower, .. } => *self.links.entry(*lower).or_default() += 1,
            What::Fault { number, node, .. } => return self.begun(*number, *node),
            What::Healed { number } => return self.healed(*number),
            _ => {}
        }
        Vec::new()
    }

    fn ended(&mut self, node: NodeId) -> Vec<Happened> {
        self.live.remove(&node);
        let death = self.doomed.remove(&node).then_some(Happened::Outside { action: Action::Kill, id: node });
        death.into_iter().collect()
    }

    fn begun(&mut self, number: u64, node: Option<NodeId>) -> Vec<Happened> {
        let Some(what) = self.faults.get(&number).map(|fault| fault.what.clone()) else { return Vec::new() };
        let what = &what;
        let is_damage = matches!(what, FaultKind::Corrupt { .. });
        // A stopped node does not see that its link has ended, and one that is being moved has another link.
        let may_live_on = |node: &NodeId| self.stopped.contains(node) || self.links.get(node).is_some_and(|it| *it > 1);
        if let Some(node) = node.filter(|node| is_damage && may_live_on(node)) {
            self.doomed.insert(node);
            return vec![Happened::Fault(Told::Begun { number, trouble: None })];
        }
        let begun = Happened::Fault(Told::Begun { number, trouble: self.trouble(what) });
        std::iter::once(begun).chain(self.strike(what, node)).collect()
    }

    fn healed(&self, number: u64) -> Vec<Happened> {
        let is_pause = |what: &FaultKind| matches!(what, FaultKind::Pause(_));
        let paused = self.faults.get(&number).filter(|fault| is_pause(&fault.what)).and_then(|it| it.what.node());
        let resumed = paused.filter(|node| self.live.contains(node));
        let goes_on = resumed.map(|id| Happened::Outside { action: Action::Continue, id });
        std::iter::once(Happened::Fault(Told::Over { number })).chain(goes_on).collect()
    }

    /// What it does to a process, if there is one.
    fn strike(&self, what: &FaultKind, below: Option<NodeId>) -> Option<Happened> {
        let (action, id) = match *what {
            FaultKind::Kill(node) => (Action::Kill, node),
            FaultKind::Corrupt { .. } => (Action::Kill, below?),
            FaultKind::Pause(node) => (Action::Stop, node),
            FaultKind::Resume(node) => (Action::Continue, node),
            _ => return None,
        };
        self.live.contains(&id).then_some(Happened::Outside { action, id })
    }

    fn trouble(&self, what: &FaultKind) -> Option<Trouble> {
        let above = what.links().map(|(links, _)| match links {
            Links::All => None,
            Links::Above(node) => Some(node),
        });
        match (what, above) {
            (FaultKind::Cut { .. }, Some(above)) => Some(Trouble::Cut(above)),
            (FaultKind::Slow { node, .. }, _) => Some(Trouble::Slow(*node)),
            (_, Some(above)) if self.is_much && load(what, self.reply_timeout) > 0.0 => Some(Trouble::Hinder(above)),
            _ => None,
        }
    }
}

fn armed(number: u64, fault: &Fault) -> Happened {
    Happened::Fault(Told::Armed { number, text: fault.to_string(), ends_itself: fault.what.is_an_event() })
}

fn fault_of(line: &str) -> Option<Fault> {
    let (word, rest) = line.trim_start_matches([' ', '\t']).split_once([' ', '\t'])?;
    (word == "fault").then(|| rest.parse().ok()).flatten()
}

/// Which part of what can be borne without anybody being taken for silent.
fn load(what: &FaultKind, reply_timeout: Duration) -> f64 {
    let share = |time: Duration, most: f64| time.as_secs_f64() / (reply_timeout.as_secs_f64() * most);
    match what {
        FaultKind::Drop { chance, .. } => chance.probability() / LOSS,
        FaultKind::Reorder { .. } => share(Duration::from_millis(4), DELAYS),
        FaultKind::Slow { by, .. } => share(by.0, SLOWNESS),
        FaultKind::Delay { by: Spread::Exactly(by) | Spread::Between(_, by), .. } => share(by.0, DELAYS),
        FaultKind::Delay { by: Spread::Exponential(mean), .. } => share(10 * mean.0, DELAYS),
        _ => 0.0,
    }
}
