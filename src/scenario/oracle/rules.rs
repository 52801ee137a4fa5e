//! The rules of section 2: which replies a command may get in a given state.

use std::collections::BTreeSet;

use super::Action;
use super::answers::{Answer, Effect, Want};
use super::command::Command;
use super::forest::{CONTROL, Forest};
use super::judge::Judge;
use super::log::Record;
use super::troubles::{Held, next_number};

const NOT_FOUND: &str = "Error: Not found";
const UNAVAILABLE: &str = "Error: Node is unavailable";
const DIED: &str = "Error: the new node ended before it was linked";
const QUIET: &str = "Error: the new node does not answer";
const PARENT_UNAVAILABLE: &str = "Error: Parent is unavailable";

impl Judge<'_> {
    pub(super) fn answers(&self, forest: &Forest, record: &Record) -> Vec<Answer> {
        match &record.command {
            Command::Create { id, parent } => self.create(forest, record, *id, *parent),
            Command::Exec { id, .. } => self.exec(forest, record, *id),
            Command::Ping(id) => self.ping(forest, record, *id),
            Command::Remove(id) => self.remove(forest, record, *id),
            Command::Kill(id) => self.signal(forest, record, *id, Effect::Kill(*id)),
            Command::Pause(id) | Command::Resume(id) => self.signal(forest, record, *id, Effect::Nothing),
            Command::All => vec![Answer::text(all(forest))],
            Command::Heartbit(_) | Command::WaitMs(_) | Command::WaitAll => vec![Answer::text("Ok")],
            Command::Help(topic) => vec![Answer { want: Want::Help(topic.clone()), effect: Effect::Nothing }],
            Command::Malformed(reply) => vec![Answer::text(reply)],
            Command::Fault => vec![Answer::text(format!("Ok: {}", next_number(self.log, record))), wrong_fault()],
            Command::Heal(number) => self.heal(record, *number),
            Command::PingAll | Command::Tree | Command::Faults | Command::Exit | Command::Nothing => Vec::new(),
        }
    }

    fn heal(&self, record: &Record, number: u64) -> Vec<Answer> {
        let held = self.faults.is_held(self.log, record, number);
        either(Answer::text("Ok"), held != Held::No, Answer::text(NOT_FOUND), held != Held::Yes)
    }

    fn exec(&self, forest: &Forest, record: &Record, id: i64) -> Vec<Answer> {
        let unavailable = format!("Error:{id}: Node is unavailable");
        if !forest.exists(id) {
            return vec![Answer::text(format!("Error:{id}: Not found"))];
        }
        if forest.is_dead(id) {
            return vec![Answer::text(unavailable)];
        }
        let done = Answer { want: Want::Content, effect: Effect::Exec };
        let silent = Answer::exact(unavailable, Effect::Perhaps);
        let may = self.may_be_known_silent(forest, record, id);
        either(done, !self.must_be_silent(forest, record, id), silent, may)
    }

    fn ping(&self, forest: &Forest, record: &Record, id: i64) -> Vec<Answer> {
        if !forest.exists(id) {
            return vec![Answer::text(NOT_FOUND)];
        }
        if forest.is_dead(id) {
            return vec![Answer::text("Ok: 0")];
        }
        let silent = Answer::exact("Ok: 0", Effect::Perhaps);
        let may = self.may_be_silent_when_asked(forest, record, id);
        either(Answer::text("Ok: 1"), !self.must_be_silent(forest, record, id), silent, may)
    }

    /// `kill`, `pause` and `resume`. They do not wait for a `remove`, so one that is under way leaves both ways open;
    /// nor for what told the commands before them of a death.
    fn signal(&self, forest: &Forest, record: &Record, id: i64, effect: Effect) -> Vec<Answer> {
        if forest.is_alive(id) {
            return vec![Answer::exact("Ok", effect)];
        }
        let refusal = Answer::text(if forest.exists(id) { UNAVAILABLE } else { NOT_FOUND });
        if self.may_live_on(record, id) {
            return vec![refusal, Answer::exact("Ok", effect)];
        }
        let earlier = &self.log.records[..record.position];
        let is_going = earlier.iter().any(|remove| {
            remove.command == Command::Remove(id) && remove.replied_index() > record.read_index && remove.is_ok()
        });
        if is_going { vec![refusal, Answer::text("Ok"), Answer::text(UNAVAILABLE)] } else { vec![refusal] }
    }

    fn create(&self, forest: &Forest, record: &Record, id: i64, typed: Option<i64>) -> Vec<Answer> {
        if id == CONTROL || forest.is_alive(id) {
            return vec![Answer::text("Error: Already exists")];
        }
        let is_missing = |parent: i64| parent == id || (parent != CONTROL && !forest.exists(parent));
        if !forest.has_sides() && typed.is_some_and(is_missing) {
            return vec![Answer::text("Error: Parent not found")];
        }
        let spot = forest.spot(id, typed);
        if forest.is_dead(spot.parent) {
            return vec![Answer::text(PARENT_UNAVAILABLE)];
        }
        let live_follower = spot.follower.filter(|&follower| forest.is_alive(follower));
        let mut answers = Vec::new();
        if !self.must_be_stopped(forest, record, live_follower.unwrap_or(spot.parent)) {
            answers.push(Answer { want: Want::Pid, effect: Effect::Create });
        }
        answers.extend(self.stillbirths(record, id).map(Answer::text));
        if self.may_be_known_silent(forest, record, spot.parent) || self.stillbirths(record, id).next().is_some() {
            answers.push(Answer::text(PARENT_UNAVAILABLE));
        }
        if let Some(follower) = live_follower.filter(|&it| self.may_be_known_silent(forest, record, it)) {
            answers.push(Answer::text(in_the_way(follower)));
        }
        answers
    }

    /// What is said of a new node that is struck before it is there.
    fn stillbirths(&self, record: &Record, id: i64) -> impl Iterator<Item = &'static str> {
        let is_meanwhile = |index: usize| (record.read_index..record.replied_index()).contains(&index);
        let strikes = self.log.outside.iter().filter(move |it| it.what.1 == id && is_meanwhile(it.index));
        let is_killed = strikes.clone().any(|it| it.what.0 == Action::Kill);
        let is_stopped = strikes.clone().any(|it| it.what.0 == Action::Stop);
        let is_quiet = is_stopped || self.pauses.may_be_cut(id, record.window());
        [(DIED, is_killed), (QUIET, is_quiet)].into_iter().filter(|(_, may)| *may).map(|(text, _)| text)
    }

    fn remove(&self, forest: &Forest, record: &Record, id: i64) -> Vec<Answer> {
        if !forest.exists(id) {
            return vec![Answer::text(NOT_FOUND)];
        }
        if forest.is_dead(id) {
            return vec![Answer::text(UNAVAILABLE)];
        }
        let mut answers = Vec::new();
        if self.may_be_known_silent(forest, record, id) {
            answers.push(Answer::text(UNAVAILABLE));
        }
        if self.must_be_stopped(forest, record, id) {
            return answers;
        }
        let after = forest.without(id);
        let dead = after.dead_above_live();
        let live: Vec<i64> = forest.relinked(&after, id).into_iter().filter(|&it| forest.is_alive(it)).collect();
        answers.extend(self.refusals(forest, record, &dead, &live));
        // Who is only below a silent node is not silent itself, and answers on the control plane.
        if dead.is_empty() && !live.iter().any(|&it| self.must_be_stopped_itself(record, it)) {
            answers.push(Answer::exact("Ok", Effect::Remove(id)));
        }
        answers
    }

    /// `Error: node N is unavailable`, for every N that may be the smallest of those in the way.
    fn refusals(&self, forest: &Forest, record: &Record, dead: &BTreeSet<i64>, live: &[i64]) -> Vec<Answer> {
        let silent = live.iter().copied().filter(|&id| self.may_be_known_silent(forest, record, id));
        let named: BTreeSet<i64> = dead.iter().copied().chain(silent).collect();
        let surely = live.iter().copied().filter(|&id| self.must_be_stopped_itself(record, id));
        let least = dead.iter().copied().chain(surely).min().unwrap_or(i64::MAX);
        named.into_iter().filter(|&id| id <= least).map(|id| Answer::text(in_the_way(id))).collect()
    }

    /// The nodes that a command asks, or asks through.
    pub(super) fn asks(&self, command: &Command) -> BTreeSet<i64> {
        match *command {
            Command::Exec { id, .. } | Command::Ping(id) => self.forest.path(id).into_iter().collect(),
            Command::Create { id, parent } => {
                let spot = self.forest.spot(id, parent);
                self.forest.path(spot.parent).into_iter().chain(spot.follower).collect()
            }
            Command::PingAll | Command::Remove(_) => self.forest.nodes.keys().copied().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The nodes for which others wait until the command is answered.
    pub(super) fn touches(&self, command: &Command) -> BTreeSet<i64> {
        match *command {
            Command::Create { id, parent } => {
                self.forest.spot(id, parent).follower.into_iter().chain(std::iter::once(id)).collect()
            }
            Command::Remove(id) if self.forest.exists(id) => {
                self.forest.moved(&self.forest.without(id)).into_iter().chain(std::iter::once(id)).collect()
            }
            Command::Remove(id) | Command::Kill(id) | Command::Pause(id) | Command::Resume(id) => BTreeSet::from([id]),
            _ => BTreeSet::new(),
        }
    }
}

fn wrong_fault() -> Answer {
    Answer { want: Want::Begins("Error: Wrong fault: "), effect: Effect::Nothing }
}

fn either(first: Answer, may_first: bool, second: Answer, may_second: bool) -> Vec<Answer> {
    let answers = [(first, may_first), (second, may_second)];
    answers.into_iter().filter(|(_, may)| *may).map(|(answer, _)| answer).collect()
}

fn in_the_way(id: i64) -> String {
    format!("Error: node {id} is unavailable")
}

fn all(forest: &Forest) -> String {
    let ids: String = forest.nodes.keys().map(|id| format!(" {id}")).collect();
    format!("Ok:{ids}")
}
