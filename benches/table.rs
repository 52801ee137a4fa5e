//! What the benchmarks print: figures, each beside its baseline, and what they are to reach.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Everything once, for a moment: `cargo test --benches`.
    Trial,
    /// `cargo bench`.
    Quick,
    /// `cargo bench -- --full`.
    Full,
}

impl Scale {
    /// What the arguments ask for.
    pub fn asked() -> Self {
        let has = |flag: &str| std::env::args().any(|argument| argument == flag);
        match (has("--bench"), has("--full")) {
            (false, _) => Self::Trial,
            (true, false) => Self::Quick,
            (true, true) => Self::Full,
        }
    }

    pub fn pick<T>(self, trial: T, quick: T, full: T) -> T {
        match self {
            Self::Trial => trial,
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// `cargo bench` measures; without its flag (`cargo test --benches`) everything runs once, for a moment.
pub fn is_measured() -> bool {
    Scale::asked() != Scale::Trial
}

/// Where everything runs: threads and processes that are started run where the one does that starts them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    One,
    All,
}

impl Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::One => "one",
            Self::All => "all",
        })
    }
}

/// Takes a line of the table.
pub type Print<'a> = &'a mut dyn FnMut(Row) -> io::Result<()>;

/// Prints one table: first everything on one core, then with all cores. Gives back its lines.
pub fn print(mut measure: impl FnMut(Cores, Print<'_>) -> Outcome<()>) -> Outcome<Vec<(Cores, Row)>> {
    let (mut out, mut rows) = (io::stdout().lock(), Vec::new());
    writeln!(out, "| cores | what | ours | baseline | | ratio | goal |\n|---|---|---|---|---|---|---|")?;
    for cores in [Cores::One, Cores::All] {
        on(cores, || {
            measure(cores, &mut |mut row| {
                // A goal counts where it was set.
                if row.counts_on != cores {
                    row.goals.clear();
                }
                writeln!(out, "| {cores} {row}")?;
                rows.push((cores, row));
                out.flush()
            })
        })?;
    }
    Ok(rows)
}

/// Runs something on one core or on all that there are.
fn on(cores: Cores, work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let all = sched_getaffinity(None)?;
    if cores == Cores::One {
        let first = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).ok_or("there is no core to run on")?;
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one)?;
    }
    let outcome = work();
    sched_setaffinity(None, &all)?;
    outcome
}

/// One line of the table.
#[derive(Clone)]
pub struct Row {
    /// What was measured, and from where to where.
    pub what: String,
    pub unit: Unit,
    pub ours: f64,
    /// What it is compared with, and its figure.
    pub baseline: Option<(&'static str, f64)>,
    pub goals: Vec<Goal>,
    /// Where the goals count.
    pub counts_on: Cores,
}

#[derive(Clone, Copy)]
pub enum Goal {
    /// At most so many times the baseline.
    Ratio(f64),
    /// At least so much.
    Least(f64),
    /// At most so much.
    Most(f64),
}

#[derive(Clone, Copy)]
pub enum Unit {
    /// Measured in seconds.
    Time,
    PerSecond,
    Bytes,
    Count,
    /// Of the time of one core.
    Share,
}

impl Unit {
    /// What a figure counts, as it is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "seconds",
            Self::PerSecond => "a second",
            Self::Bytes => "bytes",
            Self::Count => "times",
            Self::Share => "cores",
        }
    }
}

impl Row {
    /// A figure with neither baseline nor goal.
    pub fn new(what: impl Into<String>, unit: Unit, ours: f64) -> Self {
        Self { what: what.into(), unit, ours, baseline: None, goals: Vec::new(), counts_on: Cores::One }
    }

    pub fn beside(self, name: &'static str, figure: f64) -> Self {
        Self { baseline: Some((name, figure)), ..self }
    }

    pub fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    pub fn on_all_cores(self) -> Self {
        Self { counts_on: Cores::All, ..self }
    }

    /// How many times more ours costs.
    pub fn ratio(&self) -> Option<f64> {
        let (_, baseline) = self.baseline?;
        // More is better for a rate, less for all else.
        Some(if matches!(self.unit, Unit::PerSecond) { baseline / self.ours } else { self.ours / baseline })
    }

    fn is_met(&self, goal: Goal) -> bool {
        match goal {
            Goal::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Goal::Least(least) => self.ours >= least,
            Goal::Most(most) => self.ours <= most,
        }
    }

    /// What is to be reached, and whether it was: nothing where there is no goal.
    pub fn verdict(&self) -> String {
        let say = |goal: &Goal| {
            let verdict = if self.is_met(*goal) { "met" } else { "**not met**" };
            match *goal {
                Goal::Ratio(most) => format!("ratio ≤ {most}: {verdict}"),
                Goal::Least(least) => format!("≥ {}: {verdict}", Figure(least, self.unit)),
                Goal::Most(most) => format!("≤ {}: {verdict}", Figure(most, self.unit)),
            }
        };
        self.goals.iter().map(say).collect::<Vec<_>>().join("; ")
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | ", self.what, Figure(self.ours, self.unit))?;
        match self.baseline {
            Some((name, baseline)) => write!(f, "{} | {name} | ", Figure(baseline, self.unit))?,
            None => write!(f, "| | ")?,
        }
        match self.ratio() {
            Some(ratio) => write!(f, "{ratio:.2} | ")?,
            None => write!(f, "| ")?,
        }
        write!(f, "{} |", self.verdict())
    }
}

/// A number with its unit, as a person reads it.
struct Figure(f64, Unit);

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(figure, unit) = *self;
        match unit {
            Unit::Time if figure >= 1.0 => write!(f, "{figure:.2} s"),
            Unit::Time if figure >= 1e-3 => write!(f, "{:.2} ms", figure * 1e3),
            Unit::Time if figure >= 1e-6 => write!(f, "{:.1} µs", figure * 1e6),
            Unit::Time => write!(f, "{:.0} ns", figure * 1e9),
            Unit::PerSecond if figure < 1e4 => write!(f, "{figure:.0}/s"),
            Unit::PerSecond => write!(f, "{:.0} 000/s", figure / 1e3),
            Unit::Bytes if figure < 1e5 => write!(f, "{figure:.0} B"),
            Unit::Bytes => write!(f, "{:.2} MB", figure / 1e6),
            Unit::Count => write!(f, "{figure:.0}"),
            Unit::Share => write!(f, "{:.1} % of a core", figure * 100.0),
        }
    }
}

/// One way of measuring something.
pub type Measure<'a> = &'a mut dyn FnMut() -> Outcome<f64>;

/// The figures of each of them, sorted. They take turns; the first round only warms up.
pub fn in_turns<const N: usize>(rounds: usize, mut measures: [Measure<'_>; N]) -> Outcome<[Vec<f64>; N]> {
    let mut figures = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (measure, figures) in measures.iter_mut().zip(&mut figures) {
            let figure = measure()?;
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    figures.iter_mut().for_each(|figures| figures.sort_by(f64::total_cmp));
    Ok(figures)
}

/// The figure in the middle of those that are sorted.
pub fn median(figures: &[f64]) -> f64 {
    percentile(figures, 50)
}

/// The figure that so many of a hundred do not exceed.
pub fn percentile(figures: &[f64], percent: usize) -> f64 {
    figures[(figures.len() * percent / 100).min(figures.len() - 1)]
}

/// How many a second that is.
pub fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
