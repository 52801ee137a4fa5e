//! What a node holds, as far as the replies tell: a set of candidates wherever the outcome of an exec is unknown.
//!
//! Execs of one node take effect in their order. So one that was answered `Node is unavailable` took effect before the
//! next that is answered otherwise, or never; and whatever that next one reads settles it.

use std::collections::BTreeMap;

use super::forest::Span;
use super::request::Request;

const ROUNDING_US: u64 = 2;
/// With more candidates than this nothing is checked any more.
const MOST_CANDIDATES: usize = 64;

/// A timer: never started, running since some time, or stopped with some time on it. In microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Timer {
    Fresh,
    Running(Span),
    Stopped(Span),
}

/// The dictionary and the timer of one node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    names: BTreeMap<String, Vec<Option<i64>>>,
    timers: Vec<Timer>,
}

impl Content {
    pub(super) fn new() -> Self {
        Self { names: BTreeMap::new(), timers: vec![Timer::Fresh] }
    }

    fn candidates(&self, name: &str) -> Vec<Option<i64>> {
        self.names.get(name).cloned().unwrap_or_else(|| vec![None])
    }

    /// The request was answered with `text`, somewhen in `when`: what the node holds now, or what it could have said.
    pub(super) fn answered(&self, id: i64, request: &Request, when: Span, text: &str) -> Result<Self, String> {
        match request {
            Request::Save { name, value } => self.silent_ok(id, text, |new| new.set(name, vec![Some(*value)])),
            Request::Load { name } => self.loaded(id, name, text),
            Request::Start => self.silent_ok(id, text, |new| new.timers = vec![Timer::Running(when)]),
            Request::Stop => self.silent_ok(id, text, |new| new.timers.iter_mut().for_each(|timer| timer.stop(when))),
            Request::Time => self.read(id, when, text),
            Request::Result(result) => exactly(text, &format!("Ok:{id}: {result}")).map(|()| self.clone()),
            Request::Wrong => wrong(id, text).map(|()| self.clone()),
        }
    }

    fn silent_ok(&self, id: i64, text: &str, change: impl FnOnce(&mut Self)) -> Result<Self, String> {
        exactly(text, &format!("Ok:{id}"))?;
        let mut new = self.clone();
        change(&mut new);
        Ok(new)
    }

    fn set(&mut self, name: &str, candidates: Vec<Option<i64>>) {
        self.names.insert(name.to_owned(), candidates);
    }

    fn loaded(&self, id: i64, name: &str, text: &str) -> Result<Self, String> {
        let reply = |value: Option<i64>| match value {
            Some(value) => format!("Ok:{id}: {value}"),
            None => format!("Ok:{id}: '{name}' not found"),
        };
        let candidates = self.candidates(name);
        let Some(&read) = candidates.iter().find(|&&value| reply(value) == text) else {
            return Err(candidates.into_iter().map(reply).collect::<Vec<_>>().join(" or "));
        };
        let mut new = self.clone();
        new.set(name, vec![read]);
        Ok(new)
    }

    fn read(&self, id: i64, when: Span, text: &str) -> Result<Self, String> {
        let milliseconds = text.strip_prefix(&format!("Ok:{id}: ")).and_then(shortest_number);
        let timers: Vec<Timer> = match milliseconds {
            Some(ms) => self.timers.iter().filter_map(|timer| timer.showing(when, ms)).collect(),
            None => Vec::new(),
        };
        if timers.is_empty() && (milliseconds.is_none() || self.timers.len() < MOST_CANDIDATES) {
            let allowed: Vec<String> = self.timers.iter().map(|timer| timer.describe(id, when)).collect();
            return Err(allowed.join(" or "));
        }
        Ok(Self { names: self.names.clone(), timers: if timers.is_empty() { self.timers.clone() } else { timers } })
    }

    /// The request was sent from `since` on, and whether it took effect is not known.
    pub(super) fn perhaps(&mut self, request: &Request, since_us: u64) {
        let later = Span { from_us: since_us, to_us: u64::MAX };
        match request {
            Request::Save { name, value } => self.perhaps_saved(name, *value),
            Request::Start => self.perhaps_timers(vec![Timer::Running(later)]),
            Request::Stop => self.perhaps_timers(self.timers.iter().map(|timer| timer.stopped(later)).collect()),
            Request::Load { .. } | Request::Time | Request::Result(_) | Request::Wrong => {}
        }
    }

    fn perhaps_saved(&mut self, name: &str, value: i64) {
        let mut candidates = self.candidates(name);
        if !candidates.contains(&Some(value)) {
            candidates.push(Some(value));
        }
        self.set(name, candidates);
    }

    fn perhaps_timers(&mut self, timers: Vec<Timer>) {
        for timer in timers {
            if !self.timers.contains(&timer) && self.timers.len() < MOST_CANDIDATES {
                self.timers.push(timer);
            }
        }
    }
}

impl Timer {
    fn elapsed(self, now: Span) -> Span {
        match self {
            Self::Fresh => Span { from_us: 0, to_us: 0 },
            Self::Running(start) => Span {
                from_us: now.from_us.saturating_sub(start.to_us),
                to_us: now.to_us.saturating_sub(start.from_us),
            },
            Self::Stopped(elapsed) => elapsed,
        }
    }

    fn stopped(self, now: Span) -> Self {
        match self {
            Self::Running(_) => Self::Stopped(self.elapsed(now)),
            Self::Fresh | Self::Stopped(_) => self,
        }
    }

    fn stop(&mut self, now: Span) {
        *self = self.stopped(now);
    }

    /// This timer, known more exactly, if it can show that many milliseconds now.
    fn showing(self, now: Span, ms: u64) -> Option<Self> {
        let elapsed = self.elapsed(now);
        let (least, most) = (ms.saturating_mul(1000), ms.saturating_mul(1000).saturating_add(999));
        let from_us = elapsed.from_us.max(least);
        let to_us = elapsed.to_us.saturating_add(ROUNDING_US).min(most.saturating_sub(2 * ROUNDING_US));
        if elapsed.from_us > most.saturating_add(ROUNDING_US) || least > elapsed.to_us.saturating_add(ROUNDING_US) {
            return None;
        }
        Some(match self {
            Self::Stopped(_) => Self::Stopped(Span { from_us: from_us.min(to_us), to_us }),
            Self::Fresh | Self::Running(_) => self,
        })
    }

    fn describe(self, id: i64, now: Span) -> String {
        let elapsed = self.elapsed(now);
        format!("Ok:{id}: from {} to {}", elapsed.from_us / 1000, elapsed.to_us / 1000)
    }
}

fn shortest_number(word: &str) -> Option<u64> {
    let number: u64 = word.parse().ok()?;
    (number.to_string() == word).then_some(number)
}

fn exactly(text: &str, expected: &str) -> Result<(), String> {
    if text == expected { Ok(()) } else { Err(expected.to_owned()) }
}

/// The reply to a request that is wrong: an error that says so, and not one of those that mean something else.
fn wrong(id: i64, text: &str) -> Result<(), String> {
    let others = ["Not found", "Node is unavailable", ""];
    match text.strip_prefix(&format!("Error:{id}: ")) {
        Some(what) if !others.contains(&what) && !what.contains('\n') => Ok(()),
        _ => Err(format!("Error:{id}: <what is wrong with the request>")),
    }
}
