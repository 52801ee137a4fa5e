//! `nodetree simulate`: runs a scenario, with one seed or with many, and has it judged.

mod progress;
mod report;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use nodetree::scenario::oracle::Summary;
use nodetree::scenario::runner::{Recorded, RunError, Setup, judge_scenario, record_scenario};
use nodetree::scenario::{Scenario, shrink};
use nodetree::{Mode, trace};

use super::args::one_of;
use super::{USAGE_CODE, complain, generate, log};
use progress::Progress;
use report::{Failed, Passed};

/// How long a smaller scenario is looked for.
const SHRINK_TIME: Duration = Duration::from_secs(20);

const EXAMPLES: &str = "\
Examples:
  nodetree simulate examples/scenarios/slow_is_not_dead.ron
  nodetree simulate scenario.ron --seeds 0..1000        a thousand runs, on all cores
  nodetree simulate scenario.ron --mode process         the same with real processes
  nodetree simulate scenario.ron --trace trace.ron      and `nodetree trace trace.ron --diagram`

A scenario is a RON file:
  (
      system: (topology: tree, commands: dictionary, reply_timeout: \"1s\"),  // as for --config; simulated
      script: \"
          create 1
          create 2 1
          exec 2 x 5
          #= Ok:2
      \",
      faults: [(when: After(2), what: Drop(links: Above(2), chance: 0.3))],   // as for the command `fault`
  )
What happens is judged by the rules for nodes and replies. A line `#= REPLY` states what the command before it is
answered, `Ok: PID` stands for any process. `typing: AtOnce` does not wait for answers, `typing: Drawn` types at moments
drawn from the seed.

When something is wrong, the smallest scenario that is still wrong in the same way is printed, what happened around it,
and the command that runs it again.

Exit codes: 0 all is as it may be; 1 something is wrong, or the output fails; 2 for wrong arguments or a wrong file.";

/// What is to be run.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// The scenario, a RON file
    file: PathBuf,
    /// From what chance is drawn [default: that of the file]
    #[arg(long)]
    seed: Option<u64>,
    /// One run with each of these seeds, the last one left out
    #[arg(long, value_name = "FROM..TO", conflicts_with = "seed", value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// On what nodes run [default: that of the file, or simulated]
    #[arg(long, value_parser = one_of(Mode::ALL))]
    mode: Option<Mode>,
    /// Where to write what happened, for `nodetree trace` and `nodetree replay`: in the smallest run that fails, or in the
    /// first one
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Where to write the smallest scenario that fails
    #[arg(long, value_name = "FILE")]
    smallest: Option<PathBuf>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = || format!("expected seeds like 0..200, found {text:?}");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    let range = from.parse().map_err(|_| expected())?..to.parse().map_err(|_| expected())?;
    if range.is_empty() { Err(format!("there are no seeds in {text}")) } else { Ok(range) }
}

/// What came of one run.
struct Run {
    scenario: Scenario,
    recorded: Option<Recorded>,
    judged: Result<Summary, RunError>,
}

impl Run {
    fn of(scenario: Scenario) -> Self {
        let setup = Setup::of(&scenario.system);
        match record_scenario(&setup, &scenario) {
            Ok(recorded) => {
                let judged = judge_scenario(&setup, &scenario, &recorded);
                Self { scenario, recorded: Some(recorded), judged }
            }
            Err(error) => Self { scenario, recorded: None, judged: Err(error) },
        }
    }

    fn trace(&self) -> &[trace::Event] {
        self.recorded.as_ref().map_or(&[], |recorded| &recorded.trace)
    }
}

impl Simulate {
    /// Runs it, says what came of it and gives the exit code.
    pub fn run(self) -> ExitCode {
        let level = match log::level(0) {
            Ok(level) => level,
            Err(what) => return refused(&what),
        };
        log::start(level);
        let mut scenario = match Scenario::from_file(&self.file) {
            Ok(scenario) => scenario,
            Err(error) => return refused(&error.to_string()),
        };
        scenario.system.mode = self.mode.unwrap_or(scenario.system.mode);
        let seed = self.seed.unwrap_or(scenario.system.seed);
        // One seed behind the last of all is none, but the last may be run all the same.
        let seeds = self.seeds.clone().map_or_else(|| (seed, 1), |seeds| (seeds.start, seeds.end - seeds.start));
        let began = Instant::now();
        let (passed, failed) = run_all(&scenario, seeds);
        match failed {
            None => self.passed(&scenario.with_seed(seeds.0), &Passed { seeds: seeds.1, began, summary: passed }),
            Some(run) => self.failed(&run),
        }
    }

    fn passed(&self, first: &Scenario, passed: &Passed) -> ExitCode {
        let said = generate::print(passed.to_string().as_bytes());
        let Some(path) = &self.trace else { return said };
        let written = File::create(path).and_then(|mut file| trace::write(&mut file, Run::of(first.clone()).trace()));
        written.map_or_else(|error| failed_to_write(path, &error), |()| said)
    }

    fn failed(&self, run: &Run) -> ExitCode {
        let Err(why) = &run.judged else { return ExitCode::SUCCESS };
        if let RunError::Start(error) = why {
            return refused(&error.to_string());
        }
        let until = Instant::now() + SHRINK_TIME;
        let progress = Progress::new("smaller scenarios tried", None);
        let shrunk = shrink(&run.scenario, |smaller| {
            progress.step();
            let fails = || Run::of(smaller.clone()).judged.is_err_and(|error| error.is_like(why));
            (Instant::now() < until).then(fails)
        });
        drop(progress);
        let smallest = Run::of(shrunk.scenario.clone());
        let replay = self.replay(&run.scenario);
        let report = Failed { run, shrunk: &shrunk, smallest: &smallest, replay }.to_string();
        let _ = generate::print(report.as_bytes());
        for (path, write) in [
            (&self.trace, Self::write_trace as fn(&mut File, &Run) -> io::Result<()>),
            (&self.smallest, Self::write_smallest),
        ] {
            if let Some(path) = path
                && let Err(error) = File::create(path).and_then(|mut file| write(&mut file, &smallest))
            {
                return failed_to_write(path, &error);
            }
        }
        ExitCode::FAILURE
    }

    fn write_trace(file: &mut File, run: &Run) -> io::Result<()> {
        trace::write(file, run.trace())
    }

    fn write_smallest(file: &mut File, run: &Run) -> io::Result<()> {
        io::Write::write_all(file, run.scenario.to_ron().as_bytes())
    }

    /// The command that runs a failing scenario again.
    fn replay(&self, scenario: &Scenario) -> String {
        let mode = self.mode.map_or_else(String::new, |mode| format!(" --mode {mode}"));
        format!("nodetree simulate {} --seed {}{mode}", self.file.display(), scenario.system.seed)
    }
}

fn refused(what: &str) -> ExitCode {
    complain(what);
    ExitCode::from(USAGE_CODE)
}

fn failed_to_write(path: &std::path::Path, error: &io::Error) -> ExitCode {
    complain(&format!("{}: {error}", path.display()));
    ExitCode::FAILURE
}

/// Runs so many seeds from the first one on, as many at once as there are cores, until one fails: what was judged, and
/// the run with the lowest seed that failed.
fn run_all(scenario: &Scenario, (first, count): (u64, u64)) -> (Summary, Option<Run>) {
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None::<Run>));
    let progress = (count > 1).then(|| Progress::new("seeds", Some(count)));
    let has_failed = || failed.lock().map_or(true, |failed| failed.is_some());
    let work = || {
        let mut all = Summary::default();
        while !has_failed() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            let run = Run::of(scenario.clone().with_seed(first + at));
            match &run.judged {
                Ok(summary) => report::add(&mut all, summary),
                Err(_) => keep_lowest(&failed, run),
            }
            progress.iter().for_each(Progress::step);
        }
        all
    };
    let mut all = Summary::default();
    let workers =
        thread::available_parallelism().map_or(1, usize::from).min(usize::try_from(count).unwrap_or(usize::MAX));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            // A panic is a bug of ours, and was reported where it happened.
            report::add(&mut all, &worker.join().unwrap_or_default());
        }
    });
    (all, failed.into_inner().unwrap_or_default())
}

fn keep_lowest(failed: &Mutex<Option<Run>>, run: Run) {
    if let Ok(mut lowest) = failed.lock()
        && lowest.as_ref().is_none_or(|other| run.scenario.system.seed < other.scenario.system.seed)
    {
        *lowest = Some(run);
    }
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn seeds_are_from_the_first_up_to_the_last() {
        assert_eq!(seeds("0..200"), Ok(0..200));
        assert_eq!(seeds("7..18446744073709551615").map(|seeds| seeds.start), Ok(7));
        for wrong in ["", "7", "7..", "..7", "a..b", "-1..3", "7..7", "9..3"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
