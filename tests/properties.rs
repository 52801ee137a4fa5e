//! All invariants, over random systems, scripts and faults, and what was found so far.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nodetree::scenario::oracle::Summary;
use nodetree::scenario::runner::{Setup, judge_scenario, record_scenario};
use nodetree::scenario::{Scenario, check_settled};
use nodetree::testing::many::{Many, named_scenario};
use nodetree::testing::scenario::scenario;
use proptest::strategy::Strategy;

/// Whoever answers for everybody when all is over.
const NODES: [i64; 4] = [3, 5, 8, 10];

const REPLAY: &str = "cargo test --test properties a_scenario_of_a_file";

fn many(cases: u32) -> Many {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    Many { at_once: 2, cases, seed: 2026, replay: REPLAY, folder }
}

fn check(setup: &Setup, scenario: &Scenario) -> Result<Summary, String> {
    let recorded = record_scenario(setup, scenario).map_err(|error| error.to_string())?;
    let told = |error: String| {
        format!("{error}\n{}", recorded.history.iter().map(|event| format!("{event:?}\n")).collect::<String>())
    };
    let summary = judge_scenario(setup, scenario, &recorded).map_err(|error| told(error.to_string()))?;
    check_settled(&NODES, &recorded).map_err(told)?;
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

/// More of them, and others: `NODETREE_CASES=100000 cargo test --release --test properties simulated`.
#[test]
fn simulated_systems_keep_every_promise_and_settle() {
    let sum = Mutex::new(Sum::default());
    let checked = many(6_000).check(
        || scenario().prop_map(|scenario| scenario.settled(&NODES)),
        |scenario| {
            let summary = check(&Setup::of(&scenario.system), scenario)?;
            sum.lock().map_err(|error| error.to_string())?.add(&summary);
            Ok(())
        },
    );
    let sum = sum.into_inner().expect("nobody panics with it");
    println!("{sum:?}");
    if let Err(error) = checked {
        panic!("{error}");
    }
}

/// The one that `NODETREE_SCRIPT` names.
#[test]
fn a_scenario_of_a_file_keeps_every_promise() {
    if let Some(scenario) = named_scenario().expect("a scenario") {
        let summary = check(&Setup::of(&scenario.system), &scenario);
        println!("{summary:?}");
        summary.unwrap_or_else(|error| panic!("{error}\n{scenario}"));
    }
}

/// What was wrong once stays right.
#[test]
fn what_was_found_is_right_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ron"));
    paths.sort();
    for path in paths {
        let scenario = Scenario::from_file(&path).expect("a scenario");
        check(&Setup::of(&scenario.system), &scenario)
            .unwrap_or_else(|error| panic!("{}: {error}\n{scenario}", path.display()));
    }
}
