//! What the oracle is told of faults: read from the system's trace, and from the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Scenario;
use super::oracle::{Action, Event, Happened, Told, Trouble};
use crate::faults::{Fault, FaultKind, Links, Spread};
use crate::modes::Mode;
use crate::topology::{CONTROL, NodeId};
use crate::trace::{Passage, What};

/// What is lost at most, in all, if it is to be a matter of time only.
const LOSS: f64 = 0.35;

/// Which share of the reply timeout all delays of links may have together.
const DELAYS: f64 = 1.0 / 50.0;

/// The same for what nodes take longer each time.
const SLOWNESS: f64 = 1.0 / 4000.0;

/// On a machine the end of a process is seen within this time, however busy it is. In the simulation it is seen at once.
const SHOWS_WITHIN_US: u64 = 20_000_000;

/// A node whose link was damaged.
#[derive(Clone, Copy, Default)]
struct Doom {
    damaged_us: u64,
    /// When the control node heard from the node above that it is gone.
    heard_us: Option<u64>,
}

/// Reads a trace, event by event.
pub(super) struct Teller {
    reply_timeout: Duration,
    /// By number: those of the plan, and those that were typed.
    faults: BTreeMap<u64, Fault>,
    /// Those that have taken effect.
    begun: BTreeSet<u64>,
    live: BTreeSet<NodeId>,
    /// Whose newest link is one to the control node.
    top: BTreeSet<NodeId>,
    /// Who was struck, how, and when: it is told when it shows, for a node that is not there is not struck.
    struck: BTreeMap<NodeId, (Action, u64)>,
    /// How long that takes.
    shows_within_us: u64,
    /// Whose link was damaged, and when.
    doomed: BTreeMap<NodeId, Doom>,
    /// Together they are more than a matter of time.
    is_much: bool,
}

impl Teller {
    pub(super) fn new(scenario: &Scenario, reply_timeout: Duration) -> Self {
        let typed = scenario.script.iter().filter_map(|step| fault_of(&step.text));
        let all: Vec<Fault> = scenario.faults.0.iter().cloned().chain(typed).collect();
        let load: f64 = all.iter().map(|fault| load(&fault.what, reply_timeout)).sum();
        let faults = (1..).zip(scenario.faults.0.iter().cloned()).collect();
        let (begun, live, top, struck, doomed) = Default::default();
        let is_real = scenario.system.mode != Mode::Simulated;
        let shows_within_us = if is_real { SHOWS_WITHIN_US } else { 0 };
        let is_much = load > 1.0;
        Self { reply_timeout, faults, begun, live, top, struck, shows_within_us, doomed, is_much }
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
    pub(super) fn happened(&mut self, at_us: u64, what: &What) -> Vec<Event> {
        let shows = match what {
            What::Ended { node, .. } => self.shows(at_us, Action::Kill, *node).or_else(|| self.ended(at_us, *node)),
            What::Stopped { node } => self.shows(at_us, Action::Stop, *node),
            What::Continued { node } => self.shows(at_us, Action::Continue, *node),
            _ => return self.changed(at_us, what).into_iter().map(|what| Event { at_us, what }).collect(),
        };
        shows.into_iter().collect()
    }

    /// The effect of a strike.
    fn shows(&mut self, at_us: u64, action: Action, id: NodeId) -> Option<Event> {
        let &(struck, from_us) = self.struck.get(&id)?;
        let is_it = struck == action && at_us - from_us <= self.shows_within_us;
        if !is_it {
            return None;
        }
        self.struck.remove(&id);
        if action == Action::Kill {
            self.live.remove(&id);
            self.doomed.remove(&id);
        }
        Some(Event { at_us: from_us, what: Happened::Outside { action, id } })
    }

    fn changed(&mut self, at_us: u64, what: &What) -> Vec<Happened> {
        match what {
            What::Started { node, .. } => {
                self.live.insert(*node);
                self.doomed.remove(node);
                self.struck.remove(node);
            }
            What::Linked { upper: CONTROL, lower, .. } => drop(self.top.insert(*lower)),
            What::Linked { lower, .. } => drop(self.top.remove(lower)),
            What::Delivered(passage) if self.shows_within_us > 0 && passage.to == Some(CONTROL) => {
                self.heard(at_us, passage);
            }
            What::Fault { number, node, .. } => return self.begun(at_us, *number, *node),
            What::Healed { number } => return self.healed(at_us, *number),
            _ => {}
        }
        Vec::new()
    }

    /// The control node is told of a child that is gone.
    fn heard(&mut self, at_us: u64, passage: &Passage) {
        let gone = passage.envelope.strip_prefix("child ").and_then(|rest| rest.split_once(" gone "));
        let node = gone.and_then(|(node, _)| node.parse().ok());
        if let Some(doom) = node.and_then(|node: NodeId| self.doomed.get_mut(&node)) {
            // It had happened before: a reply of the same moment knows of it.
            doom.heard_us.get_or_insert(at_us.saturating_sub(1));
        }
    }

    /// What a damaged link does is seen from then on; the death that comes of it is known when it is heard of.
    fn ended(&mut self, at_us: u64, node: NodeId) -> Option<Event> {
        self.live.remove(&node);
        let doom = self.doomed.remove(&node)?;
        let at_us = doom.heard_us.unwrap_or(at_us.saturating_sub(self.shows_within_us)).max(doom.damaged_us);
        Some(Event { at_us, what: Happened::Outside { action: Action::Kill, id: node } })
    }

    fn begun(&mut self, at_us: u64, number: u64, node: Option<NodeId>) -> Vec<Happened> {
        let Some(what) = self.faults.get(&number).map(|fault| fault.what.clone()) else { return Vec::new() };
        let what = &what;
        self.begun.insert(number);
        if let (FaultKind::Corrupt { .. }, Some(node)) = (what, node) {
            // The link is lost at once. Its node dies when that has been heard of: later where the way up is bad or
            // somebody is stopped, and not at all where the link was one that was only being made.
            self.doomed.insert(node, Doom { damaged_us: at_us, heard_us: None });
            return vec![Happened::Fault(Told::Begun { number, trouble: Some(Trouble::Hinder(Some(node))) })];
        }
        let begun = Happened::Fault(Told::Begun { number, trouble: self.trouble(what) });
        self.strike(at_us, what);
        vec![begun]
    }

    fn healed(&mut self, at_us: u64, number: u64) -> Vec<Happened> {
        let is_pause = |what: &FaultKind| matches!(what, FaultKind::Pause(_));
        let paused = self.faults.get(&number).filter(|fault| is_pause(&fault.what)).and_then(|it| it.what.node());
        if let Some(node) = paused.filter(|_| self.begun.contains(&number)) {
            self.struck.insert(node, (Action::Continue, at_us));
        }
        vec![Happened::Fault(Told::Over { number })]
    }

    /// The system has ended. The last deaths may not have been seen, but what was heard of them was.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        // Where there are processes, the end of one is seen later than what its link has said.
        let is_real = self.shows_within_us > 0;
        let known_us = |(id, doom): (NodeId, Doom)| {
            let at_once = (is_real && self.top.contains(&id)).then_some(doom.damaged_us);
            Some((id, doom.heard_us.or(at_once)?.max(doom.damaged_us)))
        };
        let kill = |(id, at_us)| Event { at_us, what: Happened::Outside { action: Action::Kill, id } };
        std::mem::take(&mut self.doomed).into_iter().filter_map(known_us).map(kill).collect()
    }

    /// What it does to a process, if there is one.
    fn strike(&mut self, at_us: u64, what: &FaultKind) {
        let (action, id) = match *what {
            FaultKind::Kill(node) => (Action::Kill, node),
            FaultKind::Pause(node) => (Action::Stop, node),
            FaultKind::Resume(node) => (Action::Continue, node),
            _ => return,
        };
        self.struck.insert(id, (action, at_us));
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
