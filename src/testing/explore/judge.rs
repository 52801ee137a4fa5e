//! What must hold in each state, whatever has happened.

use std::collections::BTreeSet;

use super::setup::{Ask, Setup};
use crate::actors::message::NodeKey;
use crate::actors::{ControlNode, Outcome};
use crate::commands::{ExecError, Refusal};
use crate::topology::NodeId;

/// How a command was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verdict {
    Done,
    Created,
    Result,
    Wrong,
    Unavailable,
    NotFound,
    Available(bool),
    Down(Vec<NodeId>),
    Refused(String),
}

/// What has come out so far, and what must not come any more.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Judge {
    asks: &'static [Ask],
    /// The number of the first command.
    first: u64,
    pub(super) verdicts: Vec<Option<Verdict>>,
    /// What has taken effect in each life of a node, in order. It outlives the node.
    ledger: Vec<(NodeKey, Vec<u8>)>,
    killed: Vec<NodeKey>,
    /// The latest life that anybody had when an exec was given up: later ones must not know of it.
    given_up: Vec<(u64, u64)>,
    /// Whoever was struck, or stood below somebody who was.
    excused: BTreeSet<NodeId>,
    /// A deadline came early: anybody may be taken for silent.
    pub(super) hurried: bool,
}

impl Judge {
    /// From here on these commands come.
    pub(super) fn begin(&mut self, setup: &Setup, first: u64) {
        *self = Self { asks: setup.asks, first, verdicts: vec![None; setup.asks.len()], ..Self::default() };
    }

    /// The number of a command.
    pub(super) fn op(&self, at: usize) -> u64 {
        self.first + at as u64
    }

    pub(super) fn unanswered(&self, asked: usize) -> usize {
        self.verdicts.iter().take(asked).filter(|verdict| verdict.is_none()).count()
    }

    /// A node is killed, or stopped.
    pub(super) fn struck(&mut self, key: NodeKey, control: &ControlNode) {
        self.killed.push(key);
        self.killed.sort_unstable();
        self.excuse(key.id, control);
    }

    pub(super) fn excuse(&mut self, id: NodeId, control: &ControlNode) {
        self.excused.insert(id);
        if control.topology().contains(id) {
            self.excused.extend(control.topology().descendants(id));
        }
    }

    /// Whether anything was struck, so that changes of the tree may fail.
    fn is_calm(&self) -> bool {
        self.excused.is_empty() && !self.hurried
    }

    /// Whether the node may be unavailable: it, or one above it at any time, was struck.
    pub(super) fn is_excused(&self, id: NodeId, control: &ControlNode) -> bool {
        let is_struck = |id: &NodeId| self.excused.contains(id);
        self.hurried || is_struck(&id) || control.topology().ancestors(id).any(|above| is_struck(&above))
    }

    fn done_by(&self, key: NodeKey) -> &[u8] {
        self.ledger.iter().find(|(other, _)| *other == key).map_or(&[], |(_, done)| done)
    }

    /// Whether a node in this state has done what it is known to have done.
    pub(super) fn knows(&self, key: NodeKey, state: &[u8]) -> bool {
        self.done_by(key) == done(state)
    }

    /// A node has come to this state.
    pub(super) fn took_effect(&mut self, key: NodeKey, state: &[u8]) -> Result<(), String> {
        let (known, done) = (self.done_by(key), done(state));
        let Some(new) = done.strip_prefix(known) else {
            return Err(format!("node {} has lost what it had: {known:?} became {done:?}", key.id));
        };
        for number in new {
            let at = u64::from(*number).checked_sub(self.first).map(|at| at as usize);
            let ask = at.and_then(|at| self.asks.get(at));
            if ask != Some(&Ask::Exec(key.id)) {
                return Err(format!("command {number} took effect at node {}, where it must not", key.id));
            }
            if self.effects_of(*number) > 0 {
                return Err(format!("command {number} took effect twice"));
            }
            if self.given_up.iter().any(|(op, life)| *op == u64::from(*number) && key.incarnation > *life) {
                return Err(format!("command {number} took effect in a later life of node {}", key.id));
            }
            if at.and_then(|at| self.verdicts[at].as_ref()).is_some_and(|verdict| *verdict != Verdict::Unavailable) {
                return Err(format!("command {number} took effect after its answer"));
            }
        }
        if !done.is_sorted_by(|one, other| one < other) {
            return Err(format!("node {} was asked in the order of numbers and did {done:?}", key.id));
        }
        match self.ledger.iter_mut().find(|(other, _)| *other == key) {
            Some((_, known)) => *known = done.to_vec(),
            None => {
                self.ledger.push((key, done.to_vec()));
                self.ledger.sort_unstable();
            }
        }
        Ok(())
    }

    fn effects_of(&self, number: u8) -> usize {
        self.ledger.iter().flat_map(|(_, done)| done).filter(|done| **done == number).count()
    }

    /// A command is answered.
    pub(super) fn answered(&mut self, op: u64, outcome: Outcome, control: &ControlNode) -> Result<(), String> {
        let Some(at) = op.checked_sub(self.first).map(|at| at as usize).filter(|at| *at < self.verdicts.len()) else {
            // The creations with which everything begins.
            return if self.asks.is_empty() { Ok(()) } else { Err(format!("an answer to a command {op}")) };
        };
        let ask = self.asks[at];
        if self.verdicts[at].is_some() {
            return Err(format!("{ask:?} is answered twice"));
        }
        let verdict = verdict(outcome);
        self.check_verdict(at, ask, &verdict, control)?;
        if verdict == Verdict::Unavailable {
            let lives = control.known().into_iter().map(|node| node.key.incarnation);
            self.given_up.push((op, lives.max().unwrap_or(0)));
        }
        if let (Ask::Create(id, _), Verdict::Created) = (ask, &verdict)
            && !control.known().iter().any(|node| node.key.id == id && self.killed.contains(&node.key))
        {
            self.excused.remove(&id);
        }
        self.verdicts[at] = Some(verdict);
        Ok(())
    }

    fn check_verdict(&self, at: usize, ask: Ask, verdict: &Verdict, control: &ControlNode) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{ask:?} is answered with {verdict:?}: {why}"));
        match (ask, verdict) {
            (Ask::Exec(id) | Ask::Wrong(id), _) if self.is_early(at, id) => wrong("one before it is not answered"),
            (Ask::Exec(_), Verdict::Result) if self.effects_of(self.op(at) as u8) != 1 => wrong("it took no effect"),
            (Ask::Exec(id) | Ask::Wrong(id), Verdict::Unavailable) | (Ask::Ping(id), Verdict::Available(false))
                if !self.is_excused(id, control) =>
            {
                wrong("nothing has happened to it or above it")
            }
            (Ask::PingAll, Verdict::Down(down)) => self.check_pingall(down, control).or_else(|why| wrong(&why)),
            (Ask::Create(..) | Ask::Remove(_), Verdict::Refused(_)) if self.is_calm() => wrong("nothing has happened"),
            (Ask::Exec(_), Verdict::Result | Verdict::Unavailable | Verdict::NotFound)
            | (Ask::Wrong(_), Verdict::Wrong | Verdict::Unavailable | Verdict::NotFound)
            | (Ask::Ping(_), Verdict::Available(_) | Verdict::NotFound)
            | (Ask::Create(..), Verdict::Created | Verdict::Refused(_) | Verdict::NotFound)
            | (_, Verdict::Done | Verdict::Refused(_) | Verdict::NotFound | Verdict::Unavailable) => Ok(()),
            _ => wrong("that is no answer to it"),
        }
    }

    /// Whether an exec that came before this one, for the same node, is not answered.
    fn is_early(&self, at: usize, id: NodeId) -> bool {
        let before = self.asks[..at].iter().zip(&self.verdicts);
        before
            .filter(|(_, verdict)| verdict.is_none())
            .any(|(ask, _)| matches!(ask, Ask::Exec(other) | Ask::Wrong(other) if *other == id))
    }

    /// Only who is excused, and with everybody all that are below.
    fn check_pingall(&self, down: &[NodeId], control: &ControlNode) -> Result<(), String> {
        if let Some(id) = down.iter().find(|id| !self.is_excused(**id, control)) {
            return Err(format!("nothing has happened to {id} or above it"));
        }
        for id in down {
            let below = control.topology().descendants(*id);
            if let Some(id) = below.iter().find(|id| !down.contains(id)) {
                return Err(format!("{id} is below one that is down"));
            }
        }
        Ok(())
    }

    /// Whether each answer goes with those before it: what exists, and what does not.
    pub(super) fn check_all(&self, setup: &Setup) -> Result<(), String> {
        let mut ids: BTreeSet<NodeId> = setup.nodes.iter().map(|(id, _)| *id).collect();
        for (ask, verdict) in self.asks.iter().zip(&self.verdicts) {
            let Some(verdict) = verdict else { return Err(format!("{ask:?} is never answered")) };
            // Who is struck is struck at once, whatever is under way.
            let (Ask::Exec(id) | Ask::Wrong(id) | Ask::Ping(id) | Ask::Create(id, _) | Ask::Remove(id)) = *ask else {
                continue;
            };
            let exists = ids.contains(&id);
            let is_new = matches!(ask, Ask::Create(..));
            if !is_new && exists == (*verdict == Verdict::NotFound) {
                return Err(format!("{ask:?} is answered with {verdict:?}, and {id} {}", existence(exists)));
            }
            match verdict {
                Verdict::Created => drop(ids.insert(id)),
                Verdict::Done if matches!(ask, Ask::Remove(_)) => drop(ids.remove(&id)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What has begun and not ended is left out.
fn done(state: &[u8]) -> &[u8] {
    state.iter().position(|number| *number == u8::MAX).map_or(state, |end| &state[..end])
}

fn existence(exists: bool) -> &'static str {
    if exists { "exists" } else { "does not exist" }
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Created { .. } => Verdict::Created,
        Outcome::Exec { result: Ok(_), .. } => Verdict::Result,
        Outcome::Exec { result: Err(ExecError::NotFound), .. } => Verdict::NotFound,
        Outcome::Exec { result: Err(ExecError::Unavailable), .. } => Verdict::Unavailable,
        Outcome::Exec { result: Err(ExecError::Request(_)), .. } => Verdict::Wrong,
        Outcome::Ping { result: Ok(available), .. } => Verdict::Available(available),
        Outcome::Ping { result: Err(Refusal::NotFound), .. } | Outcome::Refused(Refusal::NotFound) => Verdict::NotFound,
        Outcome::Ping { result: Err(refusal), .. } | Outcome::Refused(refusal) => Verdict::Refused(refusal.to_string()),
        Outcome::PingAll(down) => Verdict::Down(down),
        _ => Verdict::Done,
    }
}
