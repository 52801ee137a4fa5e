//! The judgement: commands in the order of input, each against the state that those before it left.
//!
//! The specification promises that whatever is written at once gives what typing it slowly gives, with one exception:
//! `kill`, `pause` and `resume` overtake. So every command has one state that it must have seen, and as many more as
//! there are sets of kills that may have come before it: its *views*.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Effect};
use super::command::Command;
use super::content::Content;
use super::forest::{Forest, Span};
use super::log::{Log, Record};
use super::pauses::{NOTICED_US, Pauses};
use super::violation::{Invariant, Violation};
use super::{Action, OracleConfig, Summary, notices};

/// With more kills under way than this, not every set of them is looked at.
const MOST_BLOWS: usize = 4;

/// What killed a node: the command at a position, or the harness from outside (its place in the history).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Command(usize),
    Outside(usize),
}

/// A death that a command may or may not have seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blow {
    pub(super) id: i64,
    when: Span,
    source: Source,
}

/// A state that a command may have seen.
pub(super) struct View {
    pub(super) forest: Forest,
    pub(super) blows: Vec<Blow>,
}

/// The forest from some time on; the time is not known exactly.
pub(super) struct Snapshot {
    pub(super) since: Span,
    pub(super) forest: Forest,
}

/// The state of the judgement.
pub(super) struct Judge<'a> {
    pub(super) config: &'a OracleConfig,
    pub(super) log: &'a Log,
    pub(super) pauses: Pauses,
    pub(super) forest: Forest,
    pub(super) contents: BTreeMap<i64, Content>,
    /// Deaths from outside that need not be known yet.
    strikes: Vec<Blow>,
    /// By position: the nodes that the command had to ask, or to ask through.
    pub(super) asked: Vec<BTreeSet<i64>>,
    /// By position: the nodes for which later commands wait until it is answered.
    pub(super) touched: Vec<BTreeSet<i64>>,
    /// Nodes that let a reply timeout pass while nothing but their own pause was in the way, and since when.
    pub(super) known_silent: BTreeMap<i64, u64>,
    /// Nodes of which an exec saw a death that is still to come in the order of input.
    cuts: BTreeMap<i64, Source>,
    /// Nodes of which not even the oracle knows how they are, until the command at that position.
    loose: BTreeMap<i64, usize>,
    snapshots: Vec<Snapshot>,
    pub(super) pids: BTreeSet<u64>,
    /// A command that changes the forest was not answered: nothing after it can be judged.
    is_lost: bool,
    pub(super) summary: Summary,
}

impl<'a> Judge<'a> {
    pub(super) fn new(config: &'a OracleConfig, log: &'a Log) -> Self {
        let forest = Forest::new(config.topology);
        let start = Snapshot { since: Span { from_us: 0, to_us: 0 }, forest: forest.clone() };
        Self {
            config,
            log,
            pauses: Pauses::read(config, log),
            forest,
            contents: BTreeMap::new(),
            strikes: strikes(config, log),
            asked: Vec::new(),
            touched: Vec::new(),
            known_silent: BTreeMap::new(),
            cuts: BTreeMap::new(),
            loose: BTreeMap::new(),
            snapshots: vec![start],
            pids: BTreeSet::new(),
            is_lost: false,
            summary: Summary::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Summary, Violation> {
        let log = self.log;
        for record in &log.records {
            self.strike(|blow| blow.when.to_us < record.read_us);
            self.asked.push(self.asks(&record.command));
            self.touched.push(self.touches(&record.command));
            self.step(record)?;
        }
        self.strike(|_| true);
        check_exec_order(log)?;
        if !self.is_lost {
            notices::check(self.config, log, &self.pauses, &self.snapshots, &mut self.summary)?;
        }
        Ok(self.summary)
    }

    fn step(&mut self, record: &Record) -> Result<(), Violation> {
        if record.reply.is_none() {
            self.unanswered(record);
            return Ok(());
        }
        if self.is_lost || self.is_loose(record) {
            self.summary.not_judged += 1;
            self.accept(record);
            return Ok(());
        }
        let views = self.views(record);
        self.check_promptness(record, &views)?;
        match record.command {
            Command::PingAll => self.pingall(record, &views),
            Command::Tree => self.tree(record, &views),
            _ => self.node_command(record, &views),
        }
    }

    /// A command that was not answered before the history breaks off.
    fn unanswered(&mut self, record: &Record) {
        match &record.command {
            Command::Exec { id, request } => {
                if let Some(content) = self.contents.get_mut(id) {
                    content.perhaps(request, record.read_us);
                }
            }
            Command::Create { .. } | Command::Remove(_) | Command::Kill(_) => self.is_lost = true,
            _ => {}
        }
    }

    fn node_command(&mut self, record: &Record, views: &[View]) -> Result<(), Violation> {
        let mut allowed: Vec<Answer> = Vec::new();
        let mut right: Option<(&View, Answer)> = None;
        for view in views {
            let answers = self.answers(&view.forest, record);
            if right.is_none() {
                right = answers.iter().find(|answer| self.fits(answer, record)).map(|answer| (view, answer.clone()));
            }
            allowed.extend(answers.into_iter().filter(|answer| !allowed.contains(answer)).collect::<Vec<_>>());
        }
        match right {
            Some((view, answer)) => {
                self.count(allowed.len());
                self.commit(record, view, &answer)
            }
            None => Err(self.wrong(record, &allowed)),
        }
    }

    pub(super) fn count(&mut self, allowed: usize) {
        if allowed > 1 {
            self.summary.judged_leniently += 1;
        } else {
            self.summary.judged_exactly += 1;
        }
    }

    /// The deaths that the command may have seen although they come after it, or need not be known.
    fn blows(&self, record: &Record) -> Vec<Blow> {
        let later = &self.log.records[record.position + 1..];
        let kills = later.iter().filter_map(|kill| match kill.command {
            Command::Kill(id) if kill.read_index < record.replied_index() && (kill.is_ok() || kill.reply.is_none()) => {
                let when = Span { from_us: kill.read_us, to_us: kill.replied_us() };
                Some(Blow { id, when, source: Source::Command(kill.position) })
            }
            _ => None,
        });
        let strikes = self.strikes.iter().copied().filter(|blow| blow.when.from_us <= record.replied_us());
        kills.chain(strikes).filter(|blow| self.forest.is_alive(blow.id)).collect()
    }

    fn views(&self, record: &Record) -> Vec<View> {
        let blows = self.blows(record);
        let subsets = if blows.len() <= MOST_BLOWS { all_subsets(&blows) } else { some_subsets(&blows) };
        let seen = record.command.node().and_then(|id| self.cuts.get(&id));
        let is_exec = matches!(record.command, Command::Exec { .. });
        let cut = seen.filter(|source| is_exec && blows.iter().any(|blow| blow.source == **source));
        let fits = |blows: &Vec<Blow>| cut.is_none_or(|source| blows.iter().any(|blow| blow.source == *source));
        subsets.into_iter().filter(fits).map(|blows| self.view(blows)).collect()
    }

    fn view(&self, blows: Vec<Blow>) -> View {
        let mut forest = self.forest.clone();
        for blow in &blows {
            forest.kill(blow.id, blow.when);
        }
        View { forest, blows }
    }

    fn commit(&mut self, record: &Record, view: &View, answer: &Answer) -> Result<(), Violation> {
        self.learn(record, view);
        match answer.effect {
            Effect::Nothing => {}
            Effect::Create => self.created(record)?,
            Effect::Remove(id) => self.removed(record, id),
            Effect::Kill(id) => self.killed(record, id),
            Effect::Exec => self.executed(record)?,
            Effect::Perhaps => self.perhaps_executed(record),
        }
        Ok(())
    }

    /// What a reply that only a death explains tells about that death.
    fn learn(&mut self, record: &Record, view: &View) {
        for blow in &view.blows {
            if let (Command::Exec { id, .. }, Source::Command(_)) = (&record.command, blow.source) {
                self.cuts.insert(*id, blow.source);
            }
            for strike in self.strikes.iter_mut().filter(|strike| strike.source == blow.source) {
                strike.when.to_us = strike.when.to_us.min(record.replied_us());
            }
            if record.command.is_structural() && record.is_ok() {
                self.loosen(record, *blow);
            }
        }
    }

    /// A create or remove saw a death that comes later in the order of input: what stands between is not judged.
    fn loosen(&mut self, record: &Record, blow: Blow) {
        let until = match blow.source {
            Source::Command(_) if record.command.node() == Some(blow.id) => usize::MAX,
            Source::Command(position) => position,
            Source::Outside(_) => record.position,
        };
        for id in self.forest.below(blow.id) {
            self.loose.insert(id, until);
        }
        self.forest.kill(blow.id, blow.when);
    }

    fn is_loose(&self, record: &Record) -> bool {
        let is_loose = |id: &i64| self.loose.get(id).is_some_and(|&until| record.position <= until);
        match record.command {
            Command::PingAll | Command::Tree => self.forest.nodes.keys().any(is_loose),
            Command::Create { id, parent } => {
                let above = self.forest.path(self.forest.spot(id, parent).parent);
                is_loose(&id) || above.iter().any(is_loose)
            }
            Command::Remove(_) => self.forest.nodes.keys().any(is_loose),
            _ => record.command.node().is_some_and(|id| self.forest.path(id).iter().any(is_loose)),
        }
    }

    /// Takes a reply at its word.
    fn accept(&mut self, record: &Record) {
        match record.command {
            Command::Create { id, .. } if record.is_ok() => {
                self.loose.remove(&id);
                let _ = self.created(record);
            }
            Command::Remove(id) if record.is_ok() && self.forest.exists(id) => self.removed(record, id),
            Command::Kill(id) if record.is_ok() => self.killed(record, id),
            Command::Exec { .. } => self.perhaps_executed(record),
            _ => {}
        }
    }

    fn created(&mut self, record: &Record) -> Result<(), Violation> {
        let Command::Create { id, parent } = record.command else { return Ok(()) };
        let pid = self.new_pid(record)?;
        let born = Span { from_us: record.read_us, to_us: record.replied_us() };
        let spot = self.forest.spot(id, parent);
        if self.forest.path(spot.parent).contains(&id) {
            self.is_lost = true;
            return Ok(());
        }
        self.forest.put(id, &spot, pid, born);
        self.contents.insert(id, Content::new());
        self.known_silent.remove(&id);
        self.cuts.remove(&id);
        self.forget_strikes(record, id);
        self.snapshot(born);
        Ok(())
    }

    /// What was done from outside before a node was created again did not hit it; what was done meanwhile may have.
    fn forget_strikes(&mut self, record: &Record, id: i64) {
        let is_before = |blow: &Blow, index| blow.id == id && blow.source < Source::Outside(index);
        if self
            .strikes
            .iter()
            .any(|blow| is_before(blow, record.replied_index()) && !is_before(blow, record.read_index))
        {
            self.loose.insert(id, usize::MAX);
        }
        self.strikes.retain(|blow| !is_before(blow, record.replied_index()));
    }

    fn removed(&mut self, record: &Record, id: i64) {
        self.forest = self.forest.without(id);
        self.contents.remove(&id);
        self.loose.remove(&id);
        self.snapshot(Span { from_us: record.read_us, to_us: record.replied_us() });
    }

    fn killed(&mut self, record: &Record, id: i64) {
        let when = Span { from_us: record.read_us, to_us: record.replied_us() };
        self.forest.kill(id, when);
        self.snapshot(when);
    }

    fn strike(&mut self, is_due: impl Fn(&Blow) -> bool) {
        for blow in self.strikes.extract_if(.., |blow| is_due(blow)).collect::<Vec<_>>() {
            self.forest.kill(blow.id, blow.when);
            self.snapshot(blow.when);
        }
    }

    /// It holds what all commands before have done, so it surely holds only when they have been answered, too.
    fn snapshot(&mut self, since: Span) {
        let before_us = self.snapshots.last().map_or(0, |before| before.since.to_us);
        let since = Span { from_us: since.from_us, to_us: since.to_us.max(before_us) };
        self.snapshots.push(Snapshot { since, forest: self.forest.clone() });
    }
}

fn strikes(config: &OracleConfig, log: &Log) -> Vec<Blow> {
    let kills = log.outside.iter().filter(|moment| moment.what.0 == Action::Kill);
    let blow = |from_us: u64, id, index| {
        let when = Span { from_us, to_us: from_us + NOTICED_US + config.slack_us() };
        Blow { id, when, source: Source::Outside(index) }
    };
    kills.map(|moment| blow(moment.at_us, moment.what.1, moment.index)).collect()
}

/// Every set, the smaller ones first.
fn all_subsets(blows: &[Blow]) -> Vec<Vec<Blow>> {
    let chosen = |mask: u32| {
        let is_in = |&(place, _): &(usize, &Blow)| mask & (1 << place) != 0;
        blows.iter().enumerate().filter(is_in).map(|(_, blow)| *blow).collect()
    };
    let mut subsets: Vec<Vec<Blow>> = (0..1 << blows.len()).map(chosen).collect();
    subsets.sort_by_key(Vec::len);
    subsets
}

/// None, each alone, and the first few together.
fn some_subsets(blows: &[Blow]) -> Vec<Vec<Blow>> {
    let alone = blows.iter().map(|blow| vec![*blow]);
    let together = (2..=blows.len()).map(|count| blows[..count].to_vec());
    std::iter::once(Vec::new()).chain(alone).chain(together).collect()
}

fn check_exec_order(log: &Log) -> Result<(), Violation> {
    let mut last: BTreeMap<i64, &Record> = BTreeMap::new();
    for record in log.records.iter().filter(|record| record.reply.is_some()) {
        let Command::Exec { id, .. } = record.command else { continue };
        if let Some(before) = last.insert(id, record).filter(|before| before.replied_index() > record.replied_index()) {
            let allowed = format!("the reply to command {} before it", before.number);
            return Err(record.violation(Invariant::ExecOrder, allowed));
        }
    }
    Ok(())
}
