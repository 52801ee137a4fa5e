//! When which node was stopped or could not be reached, as far as the history tells: from the replies, from what was
//! done from outside, and from the faults that held.

use std::collections::BTreeMap;

use super::command::Command;
use super::log::{Log, Moment, Record};
use super::{Action, OracleConfig, Told, Trouble};

/// A change that happened somewhen between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    from_us: u64,
    to_us: u64,
    /// The place of the command that did it; none when it was done from outside.
    position: Option<usize>,
    /// The command waited for the creation of its node: others may have been answered meanwhile.
    waited: bool,
}

/// A node is stopped from one edge to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    on: Edge,
    off: Option<Edge>,
    /// How much longer than its end the node may be taken for silent.
    linger_us: u64,
    why: Why,
}

/// What keeps a node from answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Its process is stopped.
    Stopped,
    /// The way up from it is cut. It goes on, and beats.
    Cut,
    /// The way up from it may take too long.
    Hindered,
    /// It may take too long.
    Slow,
}

impl Why {
    /// Whether it surely does not answer.
    fn is_sure(self) -> bool {
        matches!(self, Self::Stopped | Self::Cut)
    }

    /// Whether its beats may not come.
    fn is_of_beats(self) -> bool {
        matches!(self, Self::Stopped | Self::Slow)
    }
}

/// The time in which a command was under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) position: usize,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
}

/// All pauses, by node.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    by_node: BTreeMap<i64, Vec<Pause>>,
    /// Those of every node.
    of_all: Vec<Pause>,
}

/// A SIGCONT from outside, as a death from outside, is noticed within this time.
pub(super) const NOTICED_US: u64 = 100_000;

enum Turn {
    On,
    Off { linger_us: u64 },
}

impl Record {
    /// From the time that it was read to its reply.
    pub(super) fn window(&self) -> Window {
        Window { position: self.position, from_us: self.read_us, to_us: self.replied_us() }
    }
}

impl Pauses {
    pub(super) fn read(config: &OracleConfig, log: &Log) -> Self {
        let commands = log.records.iter().filter_map(|record| {
            let (id, turn) = turned_by(record)?;
            let waited = waits_for_creation(log, record, id);
            let edge =
                Edge { from_us: record.read_us, to_us: record.replied_us(), position: Some(record.position), waited };
            Some((record.read_index, record.position, id, turn, edge))
        });
        let outside = log.outside.iter().filter_map(|moment| {
            let (action, id) = moment.what;
            let edge = Edge::outside(moment.at_us, moment.at_us + config.slack_us());
            let linger_us = config.reply_timeout_us().max(NOTICED_US);
            let turn = match action {
                Action::Stop => Turn::On,
                Action::Continue => Turn::Off { linger_us },
                Action::Kill => return None,
            };
            Some((moment.index, usize::MAX, id, turn, edge))
        });
        let mut turns: Vec<_> = commands.chain(outside).collect();
        turns.sort_by_key(|&(index, position, ..)| (index, position));
        let mut pauses = Self::default();
        for (index, _, id, turn, edge) in turns {
            pauses.add(id, &turn, edge);
            if edge.position.is_none() && matches!(turn, Turn::On) {
                pauses.end_with_that_life(log, id, index, edge.from_us);
            }
        }
        pauses.add_troubles(config, log);
        pauses
    }

    /// A create that was typed before a blow from outside, and is answered after it, begins a life that was not struck; and
    /// one that failed after it has ended the life that was.
    fn end_with_that_life(&mut self, log: &Log, id: i64, index: usize, from_us: u64) {
        let is_create = |record: &&Record| {
            record.is_ok() && matches!(record.command, Command::Create { id: other, .. } if other == id)
        };
        let failed = log.records.iter().find(|record| {
            let is_ours = matches!(record.command, Command::Create { id: other, .. } if other == id);
            is_ours && is_stillborn(record) && record.read_index < index && record.replied_index() > index
        });
        if let Some(record) = failed {
            let edge = Edge::outside(from_us, record.replied_us());
            return self.add(id, &Turn::Off { linger_us: 0 }, edge);
        }
        let mut creates = log.records.iter().filter(is_create);
        // Without a life before, it was the new one that was struck.
        let is_turn = |record: &&Record| {
            let is_end = matches!(record.command, Command::Remove(other) | Command::Kill(other) if other == id);
            record.is_ok() && record.replied_index() < index && (is_end || is_create(record))
        };
        let had_a_life = log.records.iter().filter(is_turn).max_by_key(|record| record.replied_index());
        let had_a_life = had_a_life.is_some_and(|last| is_create(&last));
        let overlaps = |record: &&Record| record.read_index < index && record.replied_index() > index;
        if let Some(record) = creates.find(overlaps).filter(|_| had_a_life) {
            self.add(id, &Turn::Off { linger_us: 0 }, Edge::outside(from_us, record.replied_us()));
        }
    }

    fn add(&mut self, id: i64, turn: &Turn, edge: Edge) {
        let pauses = self.by_node.entry(id).or_default();
        match (turn, pauses.last_mut().filter(|pause| pause.off.is_none())) {
            (Turn::On, None) => pauses.push(Pause { on: edge, off: None, linger_us: 0, why: Why::Stopped }),
            (Turn::Off { linger_us }, Some(open)) => {
                open.off = Some(edge);
                open.linger_us = *linger_us;
            }
            (Turn::On, Some(_)) | (Turn::Off { .. }, None) => {}
        }
    }

    fn add_troubles(&mut self, config: &OracleConfig, log: &Log) {
        for (place, moment) in log.told.iter().enumerate() {
            let Told::Begun { number, trouble: Some(trouble) } = moment.what else { continue };
            let edge_at = |at_us: u64| Edge::outside(at_us, at_us + config.slack_us());
            let is_end = |later: &&Moment<Told>| later.what == Told::Over { number };
            let off = log.told[place..].iter().find(is_end).map(|end| edge_at(end.at_us));
            let (node, why) = match trouble {
                Trouble::Cut(node) => (node, Why::Cut),
                Trouble::Hinder(node) => (node, Why::Hindered),
                Trouble::Slow(node) => (Some(node), Why::Slow),
            };
            let pause = Pause { on: edge_at(moment.at_us), off, linger_us: config.linger_us(), why };
            match node {
                Some(node) => self.by_node.entry(node).or_default().push(pause),
                None => self.of_all.push(pause),
            }
        }
    }

    pub(super) fn of(&self, id: i64) -> impl Iterator<Item = &Pause> {
        self.by_node.get(&id).into_iter().flatten().chain(&self.of_all)
    }

    /// Until when something that was sent over the way up from a node may come late; 0 where nothing was in its way.
    pub(super) fn late_until_us(&self, id: i64) -> u64 {
        let of_links = self.of(id).filter(|pause| matches!(pause.why, Why::Cut | Why::Hindered));
        let end_us = |pause: &Pause| pause.off.map_or(u64::MAX, |off| off.to_us.saturating_add(pause.linger_us));
        of_links.map(end_us).max().unwrap_or(0)
    }

    /// Those that may keep its beats from coming.
    pub(super) fn of_beats(&self, id: i64) -> impl Iterator<Item = &Pause> {
        self.of(id).filter(|pause| pause.why.is_of_beats())
    }

    /// All times at which something may change.
    pub(super) fn edges_us(&self) -> Vec<u64> {
        let edges =
            |pause: &Pause| std::iter::once(pause.on).chain(pause.off).flat_map(|edge| [edge.from_us, edge.to_us]);
        self.by_node.values().flatten().chain(&self.of_all).flat_map(edges).collect()
    }

    /// Whether the node surely does not answer during the whole window.
    pub(super) fn must(&self, id: i64, window: Window) -> bool {
        self.of(id).any(|pause| pause.must(window))
    }

    /// Whether something may keep the node from answering at some moment of the window.
    pub(super) fn may(&self, id: i64, window: Window) -> bool {
        self.of(id).any(|pause| pause.may(window))
    }

    /// Whether the node surely does not answer from one time to the other, by the clock alone.
    pub(super) fn must_by_clock(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        let is_later = |off: Edge| off.from_us > to_us;
        self.of(id).any(|pause| pause.why.is_sure() && pause.on.to_us <= from_us && pause.off.is_none_or(is_later))
    }

    /// The same for a node that is stopped.
    pub(super) fn is_stopped_by_clock(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        let is_later = |off: Edge| off.from_us > to_us;
        self.stops_of(id).any(|pause| pause.on.to_us <= from_us && pause.off.is_none_or(is_later))
    }

    /// Whether the node is surely stopped during the whole window.
    pub(super) fn must_be_stopped(&self, id: i64, window: Window) -> bool {
        self.stops_of(id).any(|pause| pause.must(window))
    }

    /// Whether something else than a stop may keep the node from answering at some moment of the window.
    pub(super) fn may_be_cut(&self, id: i64, window: Window) -> bool {
        self.of(id).any(|pause| pause.why != Why::Stopped && pause.may(window))
    }

    fn stops_of(&self, id: i64) -> impl Iterator<Item = &Pause> {
        self.of(id).filter(|pause| pause.why == Why::Stopped)
    }

    /// The same for the open interval: the node may be continued at its end.
    pub(super) fn must_between(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        let is_later = |off: Edge| off.from_us >= to_us;
        self.stops_of(id).any(|pause| pause.on.to_us <= from_us && pause.off.is_none_or(is_later))
    }

    /// Whether its beats may not come at some moment of the open interval, by the clock alone.
    pub(super) fn may_between(&self, id: i64, from_us: u64, to_us: u64) -> bool {
        self.of_beats(id).any(|pause| pause.on.from_us < to_us && pause.latest_end_us() > from_us)
    }
}

/// Whether `kill`, `pause` or `resume` has waited for the creation of its node.
pub(super) fn waits_for_creation(log: &Log, record: &Record, id: i64) -> bool {
    log.records[..record.position].iter().any(|other| {
        matches!(other.command, Command::Create { id: created, .. } if created == id)
            && other.replied_index() > record.read_index
    })
}

impl Edge {
    /// The command in that window did not wait for this one, which waited itself.
    fn is_behind(&self, window: Window) -> bool {
        self.waited && window.to_us <= self.to_us
    }

    fn outside(from_us: u64, to_us: u64) -> Self {
        Self { from_us, to_us, position: None, waited: false }
    }
}

/// A create that failed when its node had been started already.
fn is_stillborn(record: &Record) -> bool {
    let text = record.reply_text();
    text.starts_with("Error: the new node ") || text == "Error: Parent is unavailable"
}

fn turned_by(record: &Record) -> Option<(i64, Turn)> {
    let off = Turn::Off { linger_us: 0 };
    match record.command {
        _ if !record.is_ok() => None,
        Command::Pause(id) => Some((id, Turn::On)),
        Command::Resume(id) | Command::Kill(id) | Command::Remove(id) | Command::Create { id, .. } => Some((id, off)),
        _ => None,
    }
}

impl Pause {
    /// The earliest time at which it can have begun.
    pub(super) fn earliest_us(&self) -> u64 {
        self.on.from_us
    }

    /// The latest time at which it can have ended.
    pub(super) fn latest_end_us(&self) -> u64 {
        self.off.map_or(u64::MAX, |off| off.to_us.saturating_add(self.after_us()))
    }

    /// What was late when it ended comes late.
    fn after_us(&self) -> u64 {
        if matches!(self.why, Why::Slow | Why::Hindered) { self.linger_us } else { 0 }
    }

    /// The same, as seen by a command: a `resume` before it is over.
    fn end_us(&self, window: Window) -> u64 {
        match self.off {
            Some(off) if off.position.is_some_and(|position| position < window.position) && !off.is_behind(window) => 0,
            Some(off) => off.to_us.saturating_add(self.after_us()),
            None => u64::MAX,
        }
    }

    fn begins_after(&self, window: Window) -> bool {
        self.on.from_us > window.to_us
    }

    pub(super) fn may(&self, window: Window) -> bool {
        !self.begins_after(window) && self.end_us(window) >= window.from_us
    }

    fn must(&self, window: Window) -> bool {
        let has_begun = match self.on.position {
            Some(position) => position < window.position && !self.on.is_behind(window),
            None => self.on.to_us < window.from_us,
        };
        let is_over = self.off.is_some_and(|off| {
            off.from_us <= window.to_us || off.position.is_some_and(|position| position < window.position)
        });
        self.why.is_sure() && has_begun && !self.begins_after(window) && !is_over
    }

    /// Whether the node may be silent, for a question that goes to it, at the end of the window.
    pub(super) fn may_be_silent_when_asked(&self, window: Window, slack_us: u64) -> bool {
        !self.begins_after(window) && self.end_us(window).saturating_add(slack_us) >= window.to_us
    }

    /// Whether the node may be taken for silent, unasked, at the end of the window.
    pub(super) fn may_be_known_silent(&self, window: Window, slack_us: u64) -> bool {
        let end_us = match self.end_us(window) {
            0 => return false,
            end_us => end_us.saturating_add(self.linger_us),
        };
        !self.begins_after(window) && end_us.saturating_add(slack_us) >= window.to_us
    }
}
