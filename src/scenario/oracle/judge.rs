//! The judgement: commands in the order of input, each against the state that those before it left.
//!
//! The specification promises that whatever is written at once gives what typing it slowly gives, with one exception:
//! `kill`, `pause` and `resume` overtake. So every command has one state that it must have seen, and as many more as
//! there are sets of kills that may have come before it: its *views*.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Effect};
use super::command::Command;
use super::content::Content;
use super::doubts::Late;
use super::forest::{Forest, Span};
use super::log::{Log, Record};
use super::pauses::{NOTICED_US, Pauses};
use super::troubles::Faults;
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
    pub(super) when: Span,
    pub(super) source: Source,
    /// Whether it hit that node at all is not known: it struck another one, and this one was being moved away.
    pub(super) is_doubtful: bool,
}

impl Blow {
    /// Whether it was done, or may have been, before the reply came.
    pub(super) fn has_begun_by(&self, record: &Record) -> bool {
        match self.source {
            Source::Outside(index) => index < record.replied_index(),
            Source::Command(_) => self.when.from_us <= record.replied_us(),
        }
    }
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
    pub(super) faults: Faults,
    pub(super) forest: Forest,
    pub(super) contents: BTreeMap<i64, Content>,
    /// Deaths from outside that need not be known yet, and those that are in doubt.
    pub(super) strikes: Vec<Blow>,
    /// By position: the nodes that the command had to ask, or to ask through.
    pub(super) asked: Vec<BTreeSet<i64>>,
    /// By position: the nodes for which later commands wait until it is answered.
    pub(super) touched: Vec<BTreeSet<i64>>,
    /// Nodes that let a reply timeout pass while nothing but their own pause was in the way, and since when.
    pub(super) known_silent: BTreeMap<i64, u64>,
    /// Nodes of which an exec saw a death that is still to come in the order of input: one of these.
    pub(super) cuts: BTreeMap<i64, BTreeSet<Source>>,
    /// Dead nodes that a `kill`, `pause` or `resume` may have found alive.
    pub(super) late: BTreeMap<i64, Late>,
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
            faults: Faults::read(config, log),
            forest,
            contents: BTreeMap::new(),
            strikes: strikes(config, log),
            asked: Vec::new(),
            touched: Vec::new(),
            known_silent: BTreeMap::new(),
            cuts: BTreeMap::new(),
            late: BTreeMap::new(),
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
        if self.is_lost || self.is_loose(record) || self.is_older_than_a_death(record) || self.is_overtaken(record) {
            return self.pass_over(record);
        }
        let views = self.views(record);
        self.check_promptness(record, &views)?;
        match record.command {
            Command::PingAll => self.pingall(record, &views),
            Command::Tree => self.tree(record, &views),
            Command::Faults => self.list_faults(record),
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
        let mut right: Vec<(&View, Answer)> = Vec::new();
        for view in views {
            let answers = self.answers(&view.forest, record);
            right.extend(answers.iter().find(|answer| self.fits(answer, record)).map(|answer| (view, answer.clone())));
            allowed.extend(answers.into_iter().filter(|answer| !allowed.contains(answer)).collect::<Vec<_>>());
        }
        let is_all = self.blows(record).len() <= MOST_BLOWS;
        let Some((view, answer)) = right.first() else {
            return if is_all { Err(self.wrong(record, &allowed)) } else { self.pass_over(record) };
        };
        self.count(allowed.len());
        if is_all {
            self.learn(record, views, &right.iter().map(|(view, _)| *view).collect::<Vec<_>>());
        }
        self.commit(record, view, answer)
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
                Some(Blow { id, when, source: Source::Command(kill.position), is_doubtful: false })
            }
            _ => None,
        });
        let strikes = self.strikes.iter().copied().filter(|blow| blow.has_begun_by(record));
        let blows: Vec<Blow> = kills.chain(strikes).filter(|blow| self.forest.is_alive(blow.id)).collect();
        match record.command {
            Command::PingAll | Command::Tree | Command::Create { .. } | Command::Remove(_) => blows,
            _ => self.relevant(record, blows),
        }
    }

    /// Who is asked for one node learns nothing of a blow that is not above it.
    fn relevant(&self, record: &Record, mut blows: Vec<Blow>) -> Vec<Blow> {
        let path = record.command.node().map_or_else(Vec::new, |id| self.forest.path(id));
        let are_many = blows.len() > MOST_BLOWS;
        blows.retain(|blow| path.contains(&blow.id) || !(blow.is_doubtful || are_many));
        blows
    }

    fn views(&self, record: &Record) -> Vec<View> {
        let blows = self.blows(record);
        let subsets = if blows.len() <= MOST_BLOWS { all_subsets(&blows) } else { some_subsets(&blows) };
        let seen = record.command.node().and_then(|id| self.cuts.get(&id));
        let is_exec = matches!(record.command, Command::Exec { .. });
        let is_to_come = |source: &Source| blows.iter().any(|blow| blow.source == *source);
        let cut = seen.filter(|sources| is_exec && sources.iter().all(is_to_come));
        let fits = |blows: &Vec<Blow>| cut.is_none_or(|cut| blows.iter().any(|blow| cut.contains(&blow.source)));
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
        match answer.effect {
            Effect::Nothing => {}
            Effect::Create => {
                view.blows.iter().for_each(|blow| self.loosen(record, *blow));
                self.created(record)?;
            }
            Effect::Remove(id) => {
                self.removed(record, id);
                view.blows.iter().for_each(|blow| self.loosen(record, *blow));
            }
            Effect::Kill(id) => self.killed(record, id),
            Effect::Exec => self.executed(record)?,
            Effect::Perhaps => self.perhaps_executed(record),
        }
        Ok(())
    }

    /// A create or remove saw a death that comes later in the order of input: what stands between is not judged.
    fn loosen(&mut self, record: &Record, blow: Blow) {
        let until = match blow.source {
            Source::Command(at) if record.command.node() == Some(blow.id) && at > record.position => usize::MAX,
            Source::Command(position) => position,
            Source::Outside(_) => record.position,
        };
        for id in self.forest.below(blow.id) {
            self.loose.insert(id, until);
        }
        self.kill_behind(record, &blow);
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

    fn pass_over(&mut self, record: &Record) -> Result<(), Violation> {
        self.summary.not_judged += 1;
        self.accept(record);
        Ok(())
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
        let born = record.span();
        let spot = self.forest.spot(id, parent);
        if self.forest.path(spot.parent).contains(&id) {
            self.is_lost = true;
            return Ok(());
        }
        self.forest.put(id, &spot, pid, born);
        self.contents.insert(id, Content::new());
        self.known_silent.remove(&id);
        self.cuts.remove(&id);
        self.late.remove(&id);
        self.forget_strikes(record, id);
        self.snapshot(born);
        Ok(())
    }

    /// What was done from outside before a node was created again did not hit it; what was done meanwhile may have.
    fn forget_strikes(&mut self, record: &Record, id: i64) {
        let is_before = |blow: &Blow, index| blow.id == id && blow.source < Source::Outside(index);
        self.strikes.retain(|blow| !is_before(blow, record.read_index));
        for blow in self.strikes.iter_mut().filter(|blow| is_before(blow, record.replied_index())) {
            blow.is_doubtful = true;
        }
        self.mark_doubts();
    }

    fn removed(&mut self, record: &Record, id: i64) {
        let (blows, before) = (self.blows(record), self.forest.clone());
        self.forest = self.forest.without(id);
        self.doubt_moved(&before, &blows);
        self.contents.remove(&id);
        self.loose.remove(&id);
        self.snapshot(record.span());
    }

    fn killed(&mut self, record: &Record, id: i64) {
        let when = record.span();
        self.let_live_on(record, id);
        self.die_of_earlier_strikes(record, id);
        self.forest.kill(id, when);
        self.snapshot(when);
    }

    fn strike(&mut self, is_due: impl Fn(&Blow) -> bool) {
        for blow in self.strikes.extract_if(.., |blow| !blow.is_doubtful && is_due(blow)).collect::<Vec<_>>() {
            self.forest.kill(blow.id, blow.when);
            self.snapshot(blow.when);
        }
    }

    /// It holds what all commands before have done, so it surely holds only when they have been answered, too.
    pub(super) fn snapshot(&mut self, since: Span) {
        let before_us = self.snapshots.last().map_or(0, |before| before.since.to_us);
        let since = Span { from_us: since.from_us, to_us: since.to_us.max(before_us) };
        self.snapshots.push(Snapshot { since, forest: self.forest.clone() });
    }
}

fn strikes(config: &OracleConfig, log: &Log) -> Vec<Blow> {
    let kills = log.outside.iter().filter(|moment| moment.what.0 == Action::Kill);
    let blow = |from_us: u64, id, index| {
        let when = Span { from_us, to_us: from_us + NOTICED_US + config.slack_us() };
        Blow { id, when, source: Source::Outside(index), is_doubtful: false }
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
