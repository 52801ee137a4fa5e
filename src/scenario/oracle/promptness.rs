//! When replies come: `wait` exactly, what is known at once, what is silent at the reply timeout.

use std::collections::BTreeSet;

use super::Action;
use super::answers::is_refusal;
use super::command::Command;
use super::judge::{Judge, View};
use super::log::Record;
use super::pauses::waits_for_creation;
use super::violation::{Invariant, Violation};

/// How long the replies that were sent before a death are waited for.
const LAST_REPLIES_US: u64 = 50_000;

impl Judge<'_> {
    pub(super) fn check_promptness(&mut self, record: &Record, views: &[View]) -> Result<(), Violation> {
        match record.command {
            Command::WaitMs(ms) => return self.check_wait_ms(record, ms),
            Command::WaitAll => return self.check_wait_all(record),
            _ => {}
        }
        let Some(latest_us) = self.latest_us(record, views) else { return Ok(()) };
        if record.replied_us() > latest_us.saturating_add(self.config.slack_us()) {
            let allowed = format!("a reply by {latest_us} us and {} ms of slack", self.config.slack_ms);
            return Err(record.violation(Invariant::Promptness, allowed));
        }
        self.summary.deadlines += 1;
        Ok(())
    }

    fn check_wait_ms(&mut self, record: &Record, ms: u64) -> Result<(), Violation> {
        let due_us = record.read_us + ms * 1000;
        if record.replied_us() < due_us || record.replied_us() > due_us + self.config.slack_us() {
            let allowed = format!("a reply at {due_us} us, with {} ms of slack", self.config.slack_ms);
            return Err(record.violation(Invariant::Wait, allowed));
        }
        self.summary.deadlines += 1;
        Ok(())
    }

    fn check_wait_all(&mut self, record: &Record) -> Result<(), Violation> {
        let earlier = &self.log.records[..record.position];
        let last_us = earlier.iter().map(Record::replied_us).fold(record.read_us, u64::max);
        let open = earlier.iter().find(|other| other.replied_index() > record.replied_index());
        if let Some(open) = open {
            let allowed = format!("the reply to command {} before it", open.number);
            return Err(record.violation(Invariant::Wait, allowed));
        }
        if record.replied_us() > last_us.saturating_add(self.config.slack_us()) {
            return Err(record.violation(Invariant::Wait, format!("a reply at {last_us} us")));
        }
        self.summary.deadlines += 1;
        Ok(())
    }

    /// The latest time of a reply, where the specification gives one.
    fn latest_us(&self, record: &Record, views: &[View]) -> Option<u64> {
        let start_us = self.start_us(record);
        let timed_out_us = start_us.saturating_add(self.config.reply_timeout_us());
        let is_known_dead = |id: i64| views.len() == 1 && self.forest.is_dead(id);
        match record.command {
            Command::Ping(id) if is_known_dead(id) => Some(start_us.max(self.struck_us(record, id))),
            Command::Exec { id, .. } if is_known_dead(id) => Some(start_us.max(self.struck_us(record, id))),
            Command::Exec { id, .. } if self.is_known_silent(record, id) => Some(start_us),
            Command::Exec { id, .. } if self.forest.exists(id) => {
                let silent_us = self.is_silent_throughout(id, start_us, timed_out_us).then_some(timed_out_us);
                self.killed_us(record, id, start_us).into_iter().chain(silent_us).min()
            }
            Command::Create { .. } | Command::Remove(_) => {
                // A death meanwhile has everybody asked once more.
                let from_us = self.last_death_us(record).max(start_us);
                let twice_us = from_us.saturating_add(2 * self.config.reply_timeout_us());
                is_refusal(record.reply_text()).then_some(twice_us)
            }
            _ => Some(timed_out_us),
        }
    }

    /// A command before it in the order of input has seen a death from outside that had not come when this one was answered:
    /// the state that it saw is known no more.
    pub(super) fn is_older_than_a_death(&self, record: &Record) -> bool {
        let (Command::Exec { id, .. } | Command::Ping(id) | Command::Create { id, .. }) = record.command else {
            return false;
        };
        let path = self.forest.path(id);
        let kills = self.log.outside.iter().filter(|moment| moment.what.0 == Action::Kill);
        let later = kills.filter(|kill| kill.index > record.replied_index());
        self.forest.is_dead(id) && later.map(|kill| kill.what.1).any(|killed| path.contains(&killed))
    }

    /// It has waited while commands behind it were done: a change of the tree, and then a kill of somebody who may have stood
    /// above its node by then; or a kill before it has waited for its own node, which this one had not to.
    pub(super) fn is_overtaken(&self, record: &Record) -> bool {
        let (Command::Exec { id, .. } | Command::Ping(id) | Command::Create { id, .. }) = record.command else {
            return false;
        };
        let is_early = |other: &&Record| other.is_ok() && other.read_index < record.replied_index();
        let (earlier, later) = self.log.records.split_at(record.position);
        let path = self.forest.path(id);
        let is_held_back = |other: &Record| match other.command {
            Command::Kill(killed) => path.contains(&killed) && waits_for_creation(self.log, other, killed),
            _ => false,
        };
        // What was done before the kill may be told a moment after it.
        let moment_us = if matches!(record.command, Command::Exec { .. }) { LAST_REPLIES_US } else { 0 };
        let is_as_late = |kill: &Record| {
            kill.replied_index() > record.replied_index()
                || (moment_us > 0 && kill.replied_us().saturating_add(moment_us) >= record.replied_us())
        };
        if earlier.iter().filter(is_early).any(|kill| is_as_late(kill) && is_held_back(kill)) {
            return true;
        }
        let is_change = |other: &&Record| matches!(other.command, Command::Create { .. } | Command::Remove(_));
        if is_change(&record) {
            return false;
        }
        let Some(change) = later.iter().filter(is_change).find(is_early) else { return false };
        let outside = self.log.outside.iter().filter(|moment| moment.what.0 == Action::Kill).map(|kill| kill.index);
        let typed = later.iter().filter(is_early).filter(|other| matches!(other.command, Command::Kill(_)));
        let kills = outside.chain(typed.map(|kill| kill.read_index));
        let mut of_then = kills.filter(|index| (change.read_index..record.replied_index()).contains(index));
        record.replied_index() > change.replied_index() && of_then.next().is_some()
    }

    /// When somebody was killed last before the reply.
    fn last_death_us(&self, record: &Record) -> u64 {
        let outside = self.log.outside.iter().filter(|moment| moment.what.0 == Action::Kill).map(|kill| kill.at_us);
        let is_kill = |other: &&Record| matches!(other.command, Command::Kill(_)) && other.is_ok();
        let typed = self.log.records.iter().filter(is_kill).map(|kill| kill.read_us);
        outside.chain(typed).filter(|at_us| *at_us <= record.replied_us()).max().unwrap_or(0)
    }

    /// When a death from outside, of the node or of one above it, must be known. It may come while the command is under way.
    fn struck_us(&self, record: &Record, id: i64) -> u64 {
        let path = self.forest.path(id);
        let kills = self.log.outside.iter().filter(|moment| moment.what.0 == Action::Kill);
        let ours = kills.filter(|kill| path.contains(&kill.what.1) && kill.at_us <= record.replied_us());
        ours.map(|kill| kill.at_us.saturating_add(LAST_REPLIES_US)).max().unwrap_or(0)
    }

    /// When an exec must have failed because the node, or one above it, is killed while it is under way.
    fn killed_us(&self, record: &Record, id: i64, start_us: u64) -> Option<u64> {
        let path = self.forest.path(id);
        let later = self.log.records[record.position + 1..].iter();
        // What changes the tree may take the node away from under the blow.
        let mut later = later.take_while(|other| !matches!(other.command, Command::Create { .. } | Command::Remove(_)));
        let kill =
            later.find(|kill| matches!(kill.command, Command::Kill(id) if path.contains(&id)) && kill.is_ok())?;
        Some(kill.replied_us().max(start_us).saturating_add(LAST_REPLIES_US))
    }

    fn is_silent_throughout(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        self.forest.path(id).iter().any(|&above| self.pauses.must_by_clock(above, from_us, to_us))
    }

    /// When nothing that the command may wait for was in its way any more.
    fn start_us(&self, record: &Record) -> u64 {
        let near: BTreeSet<i64> =
            record.command.node().into_iter().flat_map(|id| self.forest.path(id).into_iter().chain([id])).collect();
        let earlier = self.log.records[..record.position].iter();
        earlier.filter(|other| self.waits(record, &near, other)).map(Record::replied_us).fold(record.read_us, u64::max)
    }

    fn waits(&self, record: &Record, near: &BTreeSet<i64>, other: &Record) -> bool {
        match record.command {
            Command::Create { .. } | Command::Remove(_) => true,
            Command::PingAll | Command::All | Command::Tree => other.command.is_structural(),
            Command::Exec { id, .. } if matches!(other.command, Command::Exec { id: before, .. } if before == id) => {
                true
            }
            _ => self.touched[other.position].iter().any(|id| near.contains(id)),
        }
    }
}
