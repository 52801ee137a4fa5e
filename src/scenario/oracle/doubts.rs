//! What happened when a kill and something else overlapped, and nobody can say which came first.
//!
//! A removal moves nodes at some moment between its submission and its answer. A kill that struck one of those above
//! them meanwhile hit them or did not: every node that was moved away is in doubt until a reply tells. And `kill`,
//! `pause` and `resume` do not wait for the commands before them, so they may have found a node alive of whose death
//! one of those commands told.

use super::command::Command;
use super::forest::{Forest, Span};
use super::judge::{Blow, Judge, Source, View};
use super::log::Record;

/// Until when a dead node may be found alive: both must still be to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    until_us: u64,
    /// A place in the history.
    until_index: usize,
}

impl View {
    fn has(&self, blow: &Blow) -> bool {
        self.blows.iter().any(|other| other.is(blow))
    }
}

impl Blow {
    fn is(&self, other: &Self) -> bool {
        (self.id, self.source) == (other.id, other.source)
    }
}

impl Judge<'_> {
    /// A removal has just been done, and these kills struck while it was under way, or may have.
    pub(super) fn doubt_moved(&mut self, before: &Forest, blows: &[Blow]) {
        for blow in blows {
            for id in before.moved_out(&self.forest, blow.id) {
                let doubt = Blow { id, is_doubtful: true, ..*blow };
                if !self.strikes.iter().any(|strike| strike.is(&doubt)) {
                    self.strikes.push(doubt);
                }
            }
        }
        self.mark_doubts();
    }

    pub(super) fn mark_doubts(&mut self) {
        let doubts = self.strikes.iter().filter(|strike| strike.is_doubtful);
        let doubts: Vec<_> = doubts.map(|doubt| (doubt.id, doubt.when)).collect();
        self.forest.doubt(&doubts);
    }

    /// What a reply that only a death explains tells about that death.
    pub(super) fn learn(&mut self, record: &Record, views: &[View], fitting: &[&View]) {
        self.settle(record, views, fitting);
        let fewest = fitting.iter().map(|view| view.blows.len()).min().unwrap_or(0);
        let explaining = fitting.iter().filter(|view| view.blows.len() == fewest).flat_map(|view| &view.blows);
        let explaining: Vec<Blow> = explaining.copied().collect();
        let is_to_come = |blow: &Blow| matches!(blow.source, Source::Command(at) if at > record.position);
        match &record.command {
            Command::Exec { id, .. } if fewest > 0 && explaining.iter().all(is_to_come) => {
                self.cuts.insert(*id, explaining.iter().map(|blow| blow.source).collect());
            }
            Command::Exec { id, .. } | Command::Ping(id) if fewest > 0 && !explaining.iter().any(is_to_come) => {
                self.died_of_one(record, *id, &explaining);
            }
            _ => {}
        }
    }

    /// The node is dead, whichever of several blows it was.
    fn died_of_one(&mut self, record: &Record, id: i64, blows: &[Blow]) {
        let Some(first) = blows.first().filter(|_| self.forest.is_alive(id)) else { return };
        let from_us = blows.iter().map(|blow| blow.when.from_us).min().unwrap_or(0);
        let death = Blow { id, when: Span { from_us, to_us: record.replied_us() }, is_doubtful: false, ..*first };
        self.strikes.retain(|strike| !strike.is(&death));
        self.strikes.push(death);
        self.mark_doubts();
    }

    /// A reply fits some of the views: a death in all of them has happened, and a doubtful one in none has not.
    fn settle(&mut self, record: &Record, views: &[View], fitting: &[&View]) {
        for strike in self.strikes.clone() {
            self.settle_one(record, &strike, views, fitting);
        }
    }

    fn settle_one(&mut self, record: &Record, strike: &Blow, views: &[View], fitting: &[&View]) {
        let of_all = views.iter().filter(|view| view.has(strike)).count();
        let of_fitting = fitting.iter().filter(|view| view.has(strike)).count();
        if fitting.is_empty() || of_all == 0 {
            return;
        }
        match of_fitting {
            0 => self.has_not_happened(record, strike),
            count if count == fitting.len() => self.happened(record, strike),
            _ => {}
        }
    }

    /// The same for a reply that shows who is `down`, and who of them for no other reason than being `dead`; not all of
    /// it need have been seen at one moment.
    pub(super) fn settle_seen(&mut self, record: &Record, views: &[View], down: &[i64], dead: &[i64]) {
        for doubt in self.strikes.clone().iter().filter(|strike| strike.is_doubtful) {
            let fits = |view: &&View| match view.forest.is_dead(doubt.id) {
                true => down.contains(&doubt.id),
                false => !dead.contains(&doubt.id),
            };
            let fitting: Vec<&View> = views.iter().filter(fits).collect();
            self.settle_one(record, doubt, views, &fitting);
        }
    }

    fn happened(&mut self, record: &Record, blow: &Blow) {
        for strike in self.strikes.iter_mut().filter(|strike| strike.is(blow)) {
            strike.when.to_us = strike.when.to_us.min(record.replied_us());
            strike.is_doubtful = false;
        }
        if blow.is_doubtful && is_before(blow, record) {
            self.forest.kill(blow.id, blow.when);
            self.strikes.retain(|strike| !strike.is(blow));
        }
        if blow.is_doubtful {
            self.mark_doubts();
            self.snapshot(record.span());
        }
    }

    /// A strike from outside may also just not be known yet.
    fn has_not_happened(&mut self, record: &Record, blow: &Blow) {
        let is_over = match blow.source {
            Source::Command(_) => is_before(blow, record),
            Source::Outside(_) => blow.when.to_us < record.read_us,
        };
        if blow.is_doubtful && is_over {
            self.strikes.retain(|strike| !strike.is(blow));
            self.mark_doubts();
            self.snapshot(record.span());
        }
    }

    /// A create or remove tells of a death, so it is one from then on; what overtakes that command may not know it.
    pub(super) fn kill_behind(&mut self, record: &Record, blow: &Blow) {
        let late = Late { until_us: blow.when.to_us, until_index: record.replied_index() };
        let dying = self.forest.below(blow.id).into_iter().filter(|&id| self.forest.is_alive(id));
        if !is_before(blow, record) {
            self.late.extend(dying.map(|id| (id, late)));
        }
        let when = Span { to_us: blow.when.to_us.min(record.replied_us().max(blow.when.from_us)), ..blow.when };
        self.forest.kill(blow.id, when);
        self.snapshot(when);
    }

    /// Whoever of those that a kill hits was struck before died of that, at the latest now.
    pub(super) fn die_of_earlier_strikes(&mut self, record: &Record, killed: i64) {
        let dying = self.forest.below(killed);
        let is_struck = |blow: &Blow| !blow.is_doubtful && dying.contains(&blow.id) && blow.has_begun_by(record);
        for blow in self.strikes.extract_if(.., |blow| is_struck(blow)).collect::<Vec<_>>() {
            let when = Span { to_us: blow.when.to_us.min(record.replied_us()), ..blow.when };
            self.forest.kill(blow.id, when);
            self.snapshot(when);
        }
    }

    /// A `kill` waits for the creation of its node; what is for the nodes below does not.
    pub(super) fn let_live_on(&mut self, record: &Record, killed: i64) {
        let is_creation = |other: &&Record| {
            matches!(other.command, Command::Create { id, .. } if id == killed)
                && other.replied_index() > record.read_index
        };
        let earlier = self.log.records[..record.position].iter();
        let held_back = earlier.filter(is_creation).map(Record::replied_index).max();
        for id in self.forest.below(killed) {
            match held_back.filter(|_| id != killed && self.forest.is_alive(id)) {
                Some(until_index) => self.late.insert(id, Late { until_us: u64::MAX, until_index }),
                None => self.late.remove(&id),
            };
        }
    }

    /// Whether a `kill`, `pause` or `resume` may have found a node alive that is dead in the order of input.
    pub(super) fn may_live_on(&self, record: &Record, id: i64) -> bool {
        let is_early = |late: &Late| record.read_us <= late.until_us && record.read_index < late.until_index;
        self.late.get(&id).is_some_and(is_early)
    }
}

/// A command sees what every kill before it in the order of input did.
fn is_before(blow: &Blow, record: &Record) -> bool {
    matches!(blow.source, Source::Command(position) if position < record.position)
}
