//! The lines that nobody asked for: `Heartbit: node N is unavailable now` and `Heartbit: node N is available again`.

use std::collections::{BTreeMap, BTreeSet};

use super::command::Command;
use super::forest::Span;
use super::judge::Snapshot;
use super::log::{Log, Moment, Record};
use super::pauses::Pauses;
use super::violation::{Invariant, Violation};
use super::{OracleConfig, Summary};

/// A period, from `heartbit` to the next one.
#[derive(Clone, Copy, Debug)]
struct Beat {
    period_us: u64,
    since: Span,
    until: Span,
    index: usize,
}

/// What the last notice about a node said.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Unavailable,
    Available,
    /// It said unavailable, and then a `heartbit` started afresh.
    Either,
}

enum Notice {
    Unavailable(i64),
    Available(i64),
}

struct Watch<'a> {
    config: &'a OracleConfig,
    log: &'a Log,
    pauses: &'a Pauses,
    snapshots: &'a [Snapshot],
    beats: Vec<Beat>,
    /// By snapshot: when a later one surely holds.
    replaced_us: Vec<u64>,
}

/// Checks every notice that came, and that every one came that had to.
pub(super) fn check(
    config: &OracleConfig,
    log: &Log,
    pauses: &Pauses,
    snapshots: &[Snapshot],
    summary: &mut Summary,
) -> Result<(), Violation> {
    let (beats, replaced_us) = (beats(log), replaced(snapshots));
    let watch = Watch { config, log, pauses, snapshots, beats, replaced_us };
    watch.check_came(summary)?;
    watch.check_required(summary)
}

fn replaced(snapshots: &[Snapshot]) -> Vec<u64> {
    let mut earliest = u64::MAX;
    let mut replaced: Vec<u64> = Vec::new();
    for snapshot in snapshots.iter().rev() {
        replaced.push(earliest);
        earliest = earliest.min(snapshot.since.to_us);
    }
    replaced.reverse();
    replaced
}

fn beats(log: &Log) -> Vec<Beat> {
    let started = |record: &Record| match record.command {
        Command::Heartbit(ms) if record.is_ok() => {
            let since = Span { from_us: record.read_us, to_us: record.replied_us() };
            let until = Span { from_us: u64::MAX, to_us: u64::MAX };
            Some(Beat { period_us: ms * 1000, since, until, index: record.read_index })
        }
        _ => None,
    };
    let mut beats: Vec<Beat> = log.records.iter().filter_map(started).collect();
    for at in 1..beats.len() {
        beats[at - 1].until = beats[at].since;
    }
    beats.retain(|beat| beat.period_us > 0);
    beats
}

fn read(text: &str) -> Option<Notice> {
    let rest = text.strip_prefix("Heartbit: node ")?;
    let (id, what) = rest.split_once(' ')?;
    let number: i64 = id.parse().ok().filter(|number: &i64| number.to_string() == id)?;
    match what {
        "is unavailable now" => Some(Notice::Unavailable(number)),
        "is available again" => Some(Notice::Available(number)),
        _ => None,
    }
}

fn is_dead_by(snapshot: &Snapshot, id: i64, at_us: u64) -> bool {
    snapshot.forest.nodes.get(&id).and_then(|node| node.died).is_some_and(|died| died.to_us <= at_us)
}

fn violation(invariant: Invariant, moment: &Moment<String>, allowed: impl Into<String>) -> Violation {
    Violation::general(invariant, moment.at_us, allowed, format!("{:?}", moment.what))
}

impl Watch<'_> {
    /// The snapshots of which one held at some moment of that time.
    fn possible(&self, from_us: u64, to_us: u64) -> impl Iterator<Item = &Snapshot> {
        let is_possible =
            move |at: &usize| self.snapshots[*at].since.from_us <= to_us && self.replaced_us[*at] >= from_us;
        (0..self.snapshots.len()).filter(is_possible).map(|at| &self.snapshots[at])
    }

    /// The same without the moments at which that time begins and ends.
    fn possible_between(&self, from_us: u64, to_us: u64) -> impl Iterator<Item = &Snapshot> {
        let is_possible =
            move |at: &usize| self.snapshots[*at].since.from_us < to_us && self.replaced_us[*at] > from_us;
        (0..self.snapshots.len()).filter(is_possible).map(|at| &self.snapshots[at])
    }

    fn check_came(&self, summary: &mut Summary) -> Result<(), Violation> {
        let mut said: BTreeMap<i64, Said> = BTreeMap::new();
        let mut seen_index = 0;
        for moment in &self.log.notices {
            self.forget(&mut said, seen_index, moment.index);
            seen_index = moment.index;
            match read(&moment.what) {
                Some(Notice::Unavailable(id)) => {
                    self.check_unavailable(moment, id, said.insert(id, Said::Unavailable))?
                }
                Some(Notice::Available(id)) => self.check_available(moment, id, said.insert(id, Said::Available))?,
                None => return Err(violation(Invariant::Text, moment, "one of the two notices")),
            }
            summary.notices += 1;
        }
        Ok(())
    }

    /// What a `heartbit` or a `remove` between two places of the history does to what was said.
    fn forget(&self, said: &mut BTreeMap<i64, Said>, from: usize, to: usize) {
        for record in self.log.records.iter().filter(|record| record.is_ok()) {
            match record.command {
                Command::Heartbit(_) if (from..to).contains(&record.read_index) => {
                    said.values_mut().filter(|it| **it == Said::Unavailable).for_each(|it| *it = Said::Either);
                }
                Command::Remove(id) if (from..to).contains(&record.replied_index()) => {
                    said.remove(&id);
                }
                _ => {}
            }
        }
    }

    fn check_unavailable(&self, moment: &Moment<String>, id: i64, before: Option<Said>) -> Result<(), Violation> {
        let slack_us = self.config.slack_us();
        let from_us = moment.at_us.saturating_sub(slack_us);
        if before == Some(Said::Unavailable) {
            return Err(violation(Invariant::Detection, moment, "one notice, and it came already"));
        }
        if !self.possible(from_us, moment.at_us).any(|snapshot| snapshot.forest.exists(id)) {
            return Err(violation(Invariant::Detection, moment, "no notice for a node that is not there"));
        }
        let mut beats = self.beats.iter().filter(|beat| {
            beat.since.from_us <= moment.at_us && beat.until.to_us.saturating_add(slack_us) >= moment.at_us
        });
        let Some(beat) = beats.next_back() else {
            return Err(violation(Invariant::Detection, moment, "no notice without a heartbit"));
        };
        let beats = beats.chain(std::iter::once(beat));
        match beats.filter_map(|beat| self.earliest_us(id, moment.at_us, beat)).min() {
            Some(earliest_us) if earliest_us > moment.at_us => {
                Err(violation(Invariant::Detection, moment, format!("no notice before {earliest_us} us")))
            }
            None if slack_us < beat.period_us / 2 => {
                Err(violation(Invariant::FalseNotice, moment, "no notice: neither the node nor one above it is down"))
            }
            _ => Ok(()),
        }
    }

    /// The earliest time at which a node that may be down can be reported; none when it surely is not.
    fn earliest_us(&self, id: i64, now_us: u64, beat: &Beat) -> Option<u64> {
        let from_us = now_us.saturating_sub(self.config.slack_us());
        let mut earliest: Option<u64> = None;
        for snapshot in self.possible(from_us, now_us) {
            for above in snapshot.forest.path(id) {
                for quiet_us in self.quiet_since(snapshot, above, now_us, beat) {
                    let at_us = quiet_us + 4 * beat.period_us;
                    earliest = Some(earliest.map_or(at_us, |it| it.min(at_us)));
                }
            }
        }
        earliest
    }

    /// For every reason why nothing may come from a node: the earliest time of its last sign of life.
    fn quiet_since(&self, snapshot: &Snapshot, id: i64, now_us: u64, beat: &Beat) -> Vec<u64> {
        let Some(node) = snapshot.forest.nodes.get(&id) else { return Vec::new() };
        let late_us = beat.period_us + self.config.slack_us();
        let pauses = self.pauses.of_beats(id);
        let is_now = |from_us: u64, to_us: u64| from_us <= now_us && to_us.saturating_add(late_us) >= now_us;
        let stopped = pauses.map(|it| (it.earliest_us(), it.latest_end_us())).filter(|it| is_now(it.0, it.1));
        let died = node.died.or(node.doubted).map(|died| (died.from_us, u64::MAX)).filter(|it| is_now(it.0, it.1));
        let sign_us = self.last_answer_us(id, now_us).max(node.born.from_us).max(beat.since.from_us);
        let since = |(fault_us, _): (u64, u64)| sign_us.max(self.last_beat_us(snapshot, id, fault_us, beat));
        stopped.chain(died).map(since).collect()
    }

    /// A node that was well until then has sent a beat in the period before.
    fn last_beat_us(&self, snapshot: &Snapshot, id: i64, fault_us: u64, beat: &Beat) -> u64 {
        let late_us = beat.period_us + self.config.slack_us();
        let before_us = fault_us.saturating_sub(2 * late_us);
        let path = snapshot.forest.path(id).into_iter();
        let was_stopped = path
            .flat_map(|above| self.pauses.of_beats(above))
            .any(|it| it.earliest_us() < fault_us && it.latest_end_us() >= before_us);
        if was_stopped { 0 } else { fault_us.saturating_sub(late_us) }
    }

    /// When the last command that the node answered was typed: it was alive then.
    fn last_answer_us(&self, id: i64, now_us: u64) -> u64 {
        self.answers(id, now_us).map(|record| record.read_us).max().unwrap_or(0)
    }

    /// What the node has answered by then.
    fn answers(&self, id: i64, now_us: u64) -> impl Iterator<Item = &Record> {
        let is_answer = move |record: &&Record| match record.command {
            Command::Ping(other) => other == id && record.reply_text() == "Ok: 1",
            Command::Exec { id: other, .. } => other == id && record.is_ok(),
            _ => false,
        };
        self.log.records.iter().filter(move |record| record.replied_us() <= now_us).filter(is_answer)
    }

    /// When the last answer of the node came, or may have come. One that was sent before a death is a sign of life when it
    /// comes, also when its command was given up; over a bad link it may come late.
    fn last_sign_us(&self, id: i64, now_us: u64) -> u64 {
        let answered_us = self.answers(id, now_us).map(Record::replied_us).max().unwrap_or(0);
        let is_asked = |record: &&Record| matches!(record.command, Command::Exec { id: other, .. } | Command::Ping(other) if other == id);
        let is_asked = self.log.records.iter().filter(is_asked).any(|record| record.read_us <= now_us);
        let Some(snapshot) = self.snapshots.last().filter(|_| is_asked) else { return answered_us };
        let late_us = snapshot.forest.path(id).into_iter().map(|above| self.pauses.late_until_us(above)).max();
        answered_us.max(late_us.unwrap_or(0))
    }

    fn check_available(&self, moment: &Moment<String>, id: i64, before: Option<Said>) -> Result<(), Violation> {
        if matches!(before, None | Some(Said::Available)) {
            return Err(violation(Invariant::Detection, moment, "no return of a node that was not reported"));
        }
        let from_us = moment.at_us.saturating_sub(self.config.slack_us());
        if !self.possible(from_us, moment.at_us).any(|snapshot| snapshot.forest.exists(id)) {
            return Err(violation(Invariant::Detection, moment, "no notice for a node that is not there"));
        }
        let is_down = self.possible(from_us, moment.at_us).all(|snapshot| {
            let is_quiet = |&above: &i64| {
                is_dead_by(snapshot, above, from_us) || self.pauses.is_stopped_by_clock(above, from_us, moment.at_us)
            };
            snapshot.forest.path(id).iter().any(is_quiet)
        });
        if is_down { Err(violation(Invariant::Detection, moment, "no return: it is still down")) } else { Ok(()) }
    }

    fn check_required(&self, summary: &mut Summary) -> Result<(), Violation> {
        let ids: BTreeSet<i64> = self.snapshots.iter().flat_map(|it| it.forest.nodes.keys().copied()).collect();
        for beat in &self.beats {
            let times_us = self.times_us(beat);
            for &id in &ids {
                self.check_reported(id, beat, &times_us, summary)?;
                if self.config.slack_us() < beat.period_us / 2 {
                    self.check_returned(id, beat, &times_us)?;
                }
            }
        }
        Ok(())
    }

    /// All times within the period at which something may change.
    fn times_us(&self, beat: &Beat) -> Vec<u64> {
        let (from_us, to_us) = (beat.since.to_us, beat.until.from_us.min(self.log.last_us));
        let snapshots = self.snapshots.iter().flat_map(|it| [it.since.from_us, it.since.to_us]);
        let deaths = self.snapshots.iter().flat_map(|it| it.forest.nodes.values()).filter_map(|node| node.died);
        let deaths = deaths.flat_map(|died| [died.from_us, died.to_us]);
        let all = snapshots.chain(deaths).chain(self.pauses.edges_us()).chain([from_us, to_us]);
        let inside: BTreeSet<u64> = all.filter(|at_us| (from_us..=to_us).contains(at_us)).collect();
        inside.into_iter().collect()
    }

    /// A node for which one and the same reason has held for 5t is reported.
    fn check_reported(&self, id: i64, beat: &Beat, times_us: &[u64], summary: &mut Summary) -> Result<(), Violation> {
        let mut since: BTreeMap<i64, u64> = BTreeMap::new();
        for pair in times_us.windows(2) {
            let reasons = self.reasons(id, pair[0], pair[1]);
            since.retain(|above, _| reasons.contains(above));
            for above in reasons {
                let from_us = (*since.entry(above).or_insert(pair[0])).max(self.last_sign_us(above, pair[1]));
                let due_us = from_us.saturating_add(5 * beat.period_us).saturating_add(self.config.slack_us());
                if (pair[0]..pair[1]).contains(&due_us) {
                    self.check_said(id, beat, due_us, true)?;
                    summary.notices_required += 1;
                }
            }
        }
        Ok(())
    }

    /// A node for which nothing has been in the way for 5t is not left as unavailable.
    fn check_returned(&self, id: i64, beat: &Beat, times_us: &[u64]) -> Result<(), Violation> {
        let mut since: Option<u64> = None;
        for pair in times_us.windows(2) {
            since = if self.is_well(id, pair[0], pair[1]) { since.or(Some(pair[0])) } else { None };
            let due_us = since.map(|it| it.saturating_add(5 * beat.period_us).saturating_add(self.config.slack_us()));
            // What is said of a node is forgotten with it: one that comes under its id later is another.
            let is_due = |due_us: &u64| (pair[0]..pair[1]).contains(due_us) && !self.was_removed(id, *due_us);
            if let Some(due_us) = due_us.filter(is_due) {
                self.check_said(id, beat, due_us, false)?;
            }
        }
        Ok(())
    }

    fn was_removed(&self, id: i64, by_us: u64) -> bool {
        let is_removal = |record: &Record| matches!(record.command, Command::Remove(other) if other == id);
        self.log.records.iter().any(|record| is_removal(record) && record.is_ok() && record.replied_us() <= by_us)
    }

    /// The node and all above it are surely there, alive and not stopped.
    fn is_well(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        self.possible_between(from_us, to_us).all(|snapshot| {
            let runs = |&above: &i64| {
                snapshot.forest.is_surely_alive(above) && !self.pauses.may_between(above, from_us, to_us)
            };
            snapshot.forest.exists(id) && snapshot.forest.path(id).iter().all(runs)
        })
    }

    /// The nodes on the way to a node, itself included, that are surely quiet from one time to the other.
    fn reasons(&self, id: i64, from_us: u64, to_us: u64) -> BTreeSet<i64> {
        let quiet = |snapshot: &Snapshot| {
            let path = snapshot.forest.path(id).into_iter();
            let is_quiet =
                |&above: &i64| is_dead_by(snapshot, above, from_us) || self.pauses.must_between(above, from_us, to_us);
            path.filter(is_quiet).collect::<BTreeSet<i64>>()
        };
        let all = self.possible_between(from_us, to_us).map(quiet);
        all.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
    }

    fn check_said(&self, id: i64, beat: &Beat, due_us: u64, is_down: bool) -> Result<(), Violation> {
        let inside = |moment: &&Moment<String>| moment.index > beat.index && moment.at_us <= due_us;
        let mut told = self.log.notices.iter().filter(inside).filter_map(|moment| match read(&moment.what) {
            Some(Notice::Unavailable(other)) if other == id => Some(true),
            Some(Notice::Available(other)) if other == id => Some(false),
            _ => None,
        });
        if (told.next_back() == Some(true)) == is_down {
            return Ok(());
        }
        let what = if is_down { "unavailable now" } else { "available again" };
        let allowed = format!("\"Heartbit: node {id} is {what}\" by then");
        Err(Violation::general(Invariant::Detection, due_us, allowed, "no such notice"))
    }
}
