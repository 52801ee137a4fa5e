//! What is said of runs that were judged.

use std::fmt::{self, Display};
use std::time::Instant;

use nodetree::scenario::Shrunk;
use nodetree::scenario::oracle::Summary;
use nodetree::scenario::runner::RunError;
use nodetree::trace::{self, Event, Filter, What};

use super::Run;

/// How many events are shown before what is wrong, and behind it.
const AROUND: (usize, usize) = (24, 4);

/// Everything was as it may be.
pub struct Passed {
    /// How many seeds.
    pub seeds: u64,
    /// Since when.
    pub began: Instant,
    /// What was judged.
    pub summary: Summary,
}

/// Adds what another run was judged by.
pub fn add(all: &mut Summary, one: &Summary) {
    all.judged_exactly += one.judged_exactly;
    all.judged_leniently += one.judged_leniently;
    all.not_judged += one.not_judged;
    all.results += one.results;
    all.pingalls += one.pingalls;
    all.drawings += one.drawings;
    all.deadlines += one.deadlines;
    all.notices += one.notices;
    all.notices_required += one.notices_required;
}

impl Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { judged_exactly: exactly, judged_leniently: leniently, not_judged, notices, .. } = self.summary;
        let seeds = if self.seeds == 1 { "1 run".to_owned() } else { format!("{} runs", self.seeds) };
        let replies = exactly + leniently + not_judged;
        write!(f, "{seeds}, nothing wrong: {replies} replies ({exactly} of which only one was right")?;
        write!(f, ", {leniently} of which several were, {not_judged} of which anything was), {notices} notices; ")?;
        writeln!(f, "{:.3} s", self.began.elapsed().as_secs_f64())
    }
}

/// Something was wrong.
pub struct Failed<'r> {
    /// The run.
    pub run: &'r Run,
    /// What is left of its scenario.
    pub shrunk: &'r Shrunk,
    /// The run of what is left.
    pub smallest: &'r Run,
    /// The command that runs it again.
    pub replay: String,
}

impl Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |run: &Run| (run.scenario.script.len(), run.scenario.faults.0.len());
        let ((lines, faults), (all_lines, all_faults)) = (size(self.smallest), size(self.run));
        if let Err(why) = &self.run.judged {
            writeln!(f, "seed {}: {why}\n", self.run.scenario.system.seed)?;
        }
        write!(
            f,
            "the smallest that is wrong in the same way: {lines} of {all_lines} lines, {faults} of {all_faults} "
        )?;
        write!(f, "faults; {} tried", self.shrunk.tries)?;
        writeln!(f, "{}", if self.shrunk.is_smallest { "" } else { ", and there was no time for more" })?;
        write!(f, "{}", self.shrunk.scenario.to_ron())?;
        match &self.smallest.judged {
            Err(why) => self.around(why, f)?,
            Ok(_) => writeln!(f, "\nonce more it was not wrong: it does not happen each time")?,
        }
        writeln!(f, "\nrun it again with:\n  {}", self.replay)
    }
}

impl Failed<'_> {
    fn around(&self, why: &RunError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{why}")?;
        let events = self.smallest.trace();
        let Some(at) = place(why, events) else { return Ok(()) };
        let shown = at.saturating_sub(AROUND.0)..events.len().min(at + 1 + AROUND.1);
        let mut table = Vec::new();
        trace::table(&mut table, events[shown].iter().cloned(), &mut Filter::default()).map_err(|_| fmt::Error)?;
        writeln!(f, "\nwhat happened around it:\n{}", String::from_utf8_lossy(&table).trim_end())
    }
}

/// The event that shows what is wrong, or the last one before it.
fn place(why: &RunError, events: &[Event]) -> Option<usize> {
    let answer = |number: u64| {
        let is_it = |event: &Event| matches!(event.what, What::Answered { command, .. } if command == number);
        events.iter().position(is_it)
    };
    let before = |at_us: u64| events.iter().rposition(|event| event.at_ns / 1000 <= at_us);
    match why {
        RunError::Violation(violation) => violation.command.and_then(answer).or_else(|| before(violation.at_us)),
        RunError::Unexpected { number, .. } => answer(*number as u64).or(events.len().checked_sub(1)),
        _ => None,
    }
}
