//! What the benchmarks print: figures, each beside its baseline, and what they are to reach.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// `cargo bench` measures; without its flag (`cargo test --benches`) everything runs once, for a moment.
pub fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Prints a table with everything on one core, then one with all cores.
pub fn print(mut measure: impl FnMut(&mut dyn FnMut(Row) -> io::Result<()>) -> Outcome<()>) -> Outcome<()> {
    let all = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).ok_or("there is no core to run on")?;
    let mut one = CpuSet::new();
    one.set(first);
    let mut out = io::stdout().lock();
    for (title, cores) in [("one core", one), ("all cores", all)] {
        // Threads and processes that are started from here on run where this one does.
        sched_setaffinity(None, &cores)?;
        writeln!(out, "| {title} | ours | baseline | | ratio | goal |\n|---|---|---|---|---|---|")?;
        measure(&mut |row| writeln!(out, "{row}"))?;
        writeln!(out)?;
    }
    Ok(())
}

/// One line of the table.
pub struct Row {
    pub what: String,
    pub unit: Unit,
    pub ours: f64,
    /// What it is compared with, and its figure.
    pub baseline: Option<(&'static str, f64)>,
    pub goal: Goal,
}

#[derive(Clone, Copy)]
pub enum Goal {
    /// At most so many times the baseline.
    Ratio(f64),
    /// At least so much.
    Least(f64),
    /// At most so much.
    Most(f64),
    None,
}

#[derive(Clone, Copy)]
pub enum Unit {
    /// Measured in seconds.
    Time,
    PerSecond,
    Bytes,
    Count,
}

impl Row {
    /// How many times more ours costs.
    fn ratio(&self) -> Option<f64> {
        let (_, baseline) = self.baseline?;
        // More is better for a rate, less for all else.
        Some(if matches!(self.unit, Unit::PerSecond) { baseline / self.ours } else { self.ours / baseline })
    }

    fn verdict(&self) -> Option<(String, bool)> {
        Some(match self.goal {
            Goal::Ratio(most) => (format!("ratio ≤ {most}"), self.ratio()? <= most),
            Goal::Least(least) => (format!("≥ {}", Figure(least, self.unit)), self.ours >= least),
            Goal::Most(most) => (format!("≤ {}", Figure(most, self.unit)), self.ours <= most),
            Goal::None => return None,
        })
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
        match self.verdict() {
            Some((goal, met)) => write!(f, "{goal}: {} |", if met { "met" } else { "**not met**" }),
            None => write!(f, "|"),
        }
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
            Unit::Time => write!(f, "{:.1} µs", figure * 1e6),
            Unit::PerSecond if figure < 1e4 => write!(f, "{figure:.0}/s"),
            Unit::PerSecond => write!(f, "{:.0} 000/s", figure / 1e3),
            Unit::Bytes => write!(f, "{:.2} MB", figure / 1e6),
            Unit::Count => write!(f, "{figure:.0}"),
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
