//! How many states of small systems are explored in a second, one after the other; and how many random scenarios are run
//! and judged in a second, as many at once as there are cores.

#[allow(dead_code, reason = "each benchmark uses its part of it")]
mod table;

#[allow(dead_code, reason = "each benchmark uses its part of it")]
#[path = "../tests/explore/systems.rs"]
mod systems;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use nodetree::faults::{Fault, FaultKind, FaultPlan};
use nodetree::scenario::Scenario;
use nodetree::testing::explore::explore;
use nodetree::testing::scenario::fault;
use nodetree::testing::script::Step;
use nodetree::{Mode, SystemConfig, TopologyKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use systems::SMALL;
use table::{Goal, Outcome, Row, Unit, in_turns, is_measured, median, rate};

/// What is measured: a change of the tree with a kill at every moment, and commands over links that lose and repeat.
const MEASURED: [&str; 2] = ["remove with two children, kill", "drop, copy, kill"];

fn main() -> Outcome<()> {
    table::print(|_, print| {
        MEASURED.into_iter().try_for_each(|name| Ok::<_, Box<dyn std::error::Error>>(print(measured(name)?)?))?;
        Ok(print(scenarios()?)?)
    })?;
    Ok(())
}

fn measured(name: &str) -> Outcome<Row> {
    let system = SMALL.iter().find(|system| system.name == name).ok_or("there is no such system")?;
    let once = &mut || -> Outcome<f64> {
        let start = Instant::now();
        let explored = explore(&system.setup)?;
        Ok(rate(explored.states as usize, start.elapsed()))
    };
    let [figures] = in_turns(if is_measured() { 9 } else { 1 }, [once])?;
    let row = Row::new(format!("states explored: {name}"), Unit::PerSecond, median(&figures));
    Ok(row.goal(Goal::Least(50_000.0)))
}

/// How large a scenario is.
const NODES: i64 = 15;
const COMMANDS: usize = 30;
const FAULTS: usize = 3;

/// Random scenarios, run in virtual time and judged. With one core less is asked than with two.
fn scenarios() -> Outcome<Row> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let count = if is_measured() { 500 * cores } else { 10 };
    let mut runner = TestRunner::deterministic();
    let drawn = (0..count).map(|_| scenario().new_tree(&mut runner).map(|tree| tree.current()));
    let scenarios = drawn.collect::<Result<Vec<_>, _>>().map_err(|why| why.to_string())?;
    let mut wrong = 0;
    let once = &mut || -> Outcome<f64> {
        let start = Instant::now();
        wrong = run_all(&scenarios, cores);
        Ok(rate(count, start.elapsed()))
    };
    let [figures] = in_turns(if is_measured() { 5 } else { 1 }, [once])?;
    // That is for the property tests to look at, and not to be hidden.
    let seen = if wrong > 0 { format!(" ({wrong} of {count} broke a promise)") } else { String::new() };
    let what = format!("random scenarios: {NODES} nodes, {COMMANDS} commands, {FAULTS} faults{seen}");
    let row = Row::new(what, Unit::PerSecond, median(&figures));
    Ok(if cores > 1 { row.goal(Goal::Least(1_000.0)) } else { row })
}

/// How many of them are not as they may be.
fn run_all(scenarios: &[Scenario], cores: usize) -> usize {
    let (next, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.fetch_add(usize::from(scenario.run().is_err()), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    wrong.into_inner()
}

/// A tree grows, then all kinds of commands come while something goes wrong.
fn scenario() -> impl Strategy<Value = Scenario> {
    let node = || 1..=NODES;
    let line = prop_oneof![
        4 => (node(), 0..100).prop_map(|(id, value)| format!("exec {id} x {value}")),
        4 => node().prop_map(|id| format!("exec {id} x")),
        3 => node().prop_map(|id| format!("ping {id}")),
        2 => Just("pingall".to_owned()),
        1 => node().prop_map(|id| format!("remove {id}")),
        1 => node().prop_map(|id| format!("create {id}")),
        1 => node().prop_map(|id| format!("kill {id}")),
        1 => Just("wait 50".to_owned()),
    ];
    // A damaged frame in a re-link is not judged (see "What is not there yet" in ARCHITECTURE.md).
    let fault = fault().prop_filter("judged", |fault| !matches!(fault.what, FaultKind::Corrupt { .. }));
    let drawn = (vec(line, COMMANDS), vec(fault, FAULTS), vec(any::<u64>(), NODES as usize));
    (select(TopologyKind::ALL.to_vec()), any::<u64>(), drawn).prop_map(|(topology, seed, (lines, faults, below))| {
        let parents = below.iter().zip(1_u64..).map(|(chance, id)| (id, (chance % id) as i64));
        let created = parents
            .map(|(id, parent)| if parent == 0 { format!("create {id}") } else { format!("create {id} {parent}") });
        let system = SystemConfig { topology, mode: Mode::Simulated, seed, ..SystemConfig::default() };
        let faults: Vec<Fault> = faults;
        Scenario {
            script: created.chain(lines).map(Step::from).collect(),
            faults: FaultPlan(faults),
            ..Scenario::new(system)
        }
    })
}
