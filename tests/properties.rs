//! All invariants, over random systems, scripts and faults; and what was found so far.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use nodetree::faults::FaultPlan;
use nodetree::modes::{Mode, Span};
use nodetree::scenario::oracle::Summary;
use nodetree::scenario::runner::{Setup, judge_scenario, record_scenario};
use nodetree::scenario::{Scenario, check_settled};
use nodetree::testing::many::{Many, named_scenario};
use nodetree::testing::scenario::{lossy_pair, scenario};
use proptest::strategy::Strategy;

#[cfg(target_os = "linux")]
#[path = "common/sandbox.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod sandbox;

/// Whoever answers for everybody when all is over.
const NODES: [i64; 4] = [3, 5, 8, 10];

fn many(at_once: u32, cases: u32, replay: &'static str) -> Many {
    Many { at_once, cases, seed: 2026, replay, folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")) }
}

const REPLAY: &str = "cargo test --test properties a_scenario_of_a_file";

fn setup(scenario: &Scenario) -> Setup {
    let node_program = (scenario.system.mode == Mode::Process).then(|| env!("CARGO_BIN_EXE_nodetree").into());
    Setup { node_program, ..Setup::of(&scenario.system) }
}

fn check(scenario: &Scenario) -> Result<Summary, String> {
    let setup = setup(scenario);
    let recorded = record_scenario(&setup, scenario).map_err(|error| error.to_string())?;
    let told = |error: String| {
        format!("{error}\n{}", recorded.history.iter().map(|event| format!("{event:?}\n")).collect::<String>())
    };
    let summary = judge_scenario(&setup, scenario, &recorded).map_err(|error| told(error.to_string()))?;
    if scenario.script.len() > 4 + 2 * NODES.len() {
        check_settled(&NODES, &recorded).map_err(told)?;
    }
    Ok(summary)
}

/// What a number of runs rest on.
#[derive(Debug, Default)]
struct Sum {
    scenarios: u64,
    exactly: u64,
    leniently: u64,
    not_judged: u64,
}

impl Sum {
    fn add(&mut self, summary: &Summary) {
        self.scenarios += 1;
        self.exactly += summary.judged_exactly;
        self.leniently += summary.judged_leniently;
        self.not_judged += summary.not_judged;
    }
}

/// Each keeps every promise, and when all faults are healed, settles.
fn check_all(many: &Many, change: impl Fn(Scenario) -> Scenario + Copy + Sync) -> Sum {
    let sum = Mutex::new(Sum::default());
    let scenarios = || scenario().prop_map(move |scenario| change(scenario).settled(&NODES));
    let checked = many.check(scenarios, |scenario| {
        let summary = check(scenario)?;
        sum.lock().map_err(|error| error.to_string())?.add(&summary);
        Ok(())
    });
    let sum = sum.into_inner().expect("nobody panics with it");
    println!("{sum:?}");
    if let Err(error) = checked {
        panic!("{error}\n{sum:?}");
    }
    sum
}

/// More of them, and others: `NODETREE_CASES=100000 cargo test --release --test properties simulated`.
#[test]
fn simulated_systems_keep_every_promise_and_settle() {
    let sum = check_all(&many(2, 6_000, REPLAY), |scenario| scenario);
    // An oracle that looks away would find nothing.
    assert!(sum.exactly > 5 * (sum.leniently + sum.not_judged), "{sum:?}");
}

/// The same in real time: `NODETREE_CASES=500 cargo test --test properties threads`.
#[test]
fn systems_on_threads_keep_every_promise_and_settle() {
    check_all(&many(48, 48, REPLAY), |scenario| in_real_time(scenario, Mode::Threads));
}

/// And with real processes: `NODETREE_CASES=200 cargo test --test properties processes`.
#[cfg(target_os = "linux")]
#[test]
fn systems_of_processes_keep_every_promise_and_settle() {
    sandbox::sandboxed!({
        check_all(&many(24, 24, REPLAY), |scenario| in_real_time(scenario, Mode::Process));
    });
}

fn in_real_time(scenario: Scenario, mode: Mode) -> Scenario {
    let mut scenario = scenario.in_mode(mode);
    scenario.system.reply_timeout = Span(Duration::from_secs(1));
    scenario
}

/// The same replies, whatever the links do: `NODETREE_CASES=50000 cargo test --release --test properties lossy`.
#[test]
fn lossy_links_change_nothing_but_time() {
    let replay = "cargo test --test properties a_scenario_of_a_file_gets_the_same_replies";
    let checked = many(2, 400, replay).check(lossy_pair, |(scenario, plan)| compare(scenario, plan));
    checked.unwrap_or_else(|error| panic!("{error}"));
}

fn compare(scenario: &Scenario, plan: &FaultPlan) -> Result<(), String> {
    let patient = |faults: &FaultPlan| {
        let mut scenario = Scenario { faults: faults.clone(), ..scenario.clone() };
        scenario.system.reply_timeout = Span(Duration::from_secs(60));
        record_scenario(&setup(&scenario), &scenario).map_err(|error| error.to_string())
    };
    let (without, with) = (patient(&FaultPlan::default())?, patient(plan)?);
    let (without, with) = (without.replies(), with.replies());
    match without.iter().zip(&with).position(|(without, with)| without_pids(without) != without_pids(with)) {
        Some(at) => Err(format!("reply {at}\n  without faults: {}\n  with faults:    {}", without[at], with[at])),
        None if without.len() != with.len() => Err("not as many replies".to_owned()),
        None => Ok(()),
    }
}

/// Which node gets which pid is a matter of time.
fn without_pids(reply: &str) -> String {
    let is_pid = |text: &str| text.parse::<u64>().is_ok_and(|pid| pid >= 1000);
    match reply.strip_prefix("Ok: ") {
        Some(pid) if is_pid(pid) => "Ok: PID".to_owned(),
        _ => reply
            .split_inclusive(['(', ')'])
            .map(|part| if is_pid(part.trim_end_matches(')')) { "PID)" } else { part })
            .collect(),
    }
}

/// The one that `NODETREE_SCRIPT` names.
#[test]
fn a_scenario_of_a_file_keeps_every_promise() {
    if let Some(scenario) = named_scenario().expect("a scenario") {
        let summary = check(&scenario);
        println!("{summary:?}");
        summary.unwrap_or_else(|error| panic!("{error}\n{scenario}"));
    }
}

#[test]
fn a_scenario_of_a_file_gets_the_same_replies() {
    if let Some(scenario) = named_scenario().expect("a scenario") {
        let plan = scenario.faults.clone();
        compare(&scenario, &plan).unwrap_or_else(|error| panic!("{error}\n{scenario}"));
    }
}

/// What was wrong once stays right.
#[test]
fn what_was_found_is_right_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ron"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let scenario = Scenario::from_file(&path).expect("a scenario");
        check(&scenario).unwrap_or_else(|error| panic!("{}: {error}\n{scenario}", path.display()));
    }
}
