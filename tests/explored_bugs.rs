//! Bugs that are planted are found where all states of a small system are explored, on a shortest way.
//!
//! A planted bug is there for the whole process, so these tests have a program of their own, and take turns.

#[allow(dead_code, reason = "each of the two tests uses its part of it")]
#[path = "explore/systems.rs"]
mod systems;

use std::path::Path;

use nodetree::planted::{Bug, plant};
use nodetree::scenario::runner::{Setup, record_scenario};
use nodetree::scenario::{Scenario, check_settled};
use nodetree::testing::explore::explore;
use systems::SMALL;

/// Each bug, in which system it is found, after how many steps at the most, and what is said of it.
const FOUND: &[(Bug, &str, usize, &str)] = &[
    (Bug::AtMostOnceMissing, "copy", 5, "took effect twice"),
    (Bug::PingallWithoutDescendants, "pingall, kill", 9, "4 is below one that is down"),
    (Bug::SubtreeNotMarkedDown, "pingall, kill", 4, "2 is below one that is down"),
    (Bug::RelinkLosesChild, "remove with two children", 42, ""),
    (Bug::StaleIncarnationAccepted, "another life", 11, "in a later life"),
    (Bug::RetiredLinkUsed, "remove, kill", 31, "waits until its time is up"),
    (Bug::OldParentKept, "remove, kill", 28, "node 3 has Table { parent: None"),
    (Bug::UndoLeavesLinks, "remove with two children, kill", 21, "links that are not used"),
    (Bug::EarlyGreetingForgotten, "create, kill", 6, "waits until its time is up"),
    (Bug::UnusedLinkNotMissed, "insert, broken link", 24, ""),
    (Bug::LossNotRepeated, "drop", 3, "waits until its time is up"),
    (Bug::OnlyFirstTaken, "drop", 14, "waits until its time is up"),
];

#[test]
fn planted_bugs_are_found() {
    let mut wrong = String::new();
    for (bug, name, at_most, what) in FOUND {
        let system = SMALL.iter().find(|system| system.name == *name).expect("it has a name");
        let planted = plant(*bug);
        let found = explore(&system.setup);
        drop(planted);
        match found {
            Ok(explored) => wrong += &format!("{bug:?} is not found in {name}: {explored:?}\n"),
            Err(counterexample) => {
                println!("{bug:?}, in \"{name}\": {counterexample}\n");
                if counterexample.path.len() > *at_most || !counterexample.what.contains(what) {
                    wrong += &format!("{bug:?}: {counterexample}\n");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    scenarios_show_that_a_new_link_is_not_missed();
}

/// Where one ends by itself, without the bug all is well in the end, and with it a node is cut off and nobody is told.
fn scenarios_show_that_a_new_link_is_not_missed() {
    let files = ["a_new_link_ends_before_an_insertion_uses_it.ron", "a_new_link_ends_before_a_removal_uses_it.ron"];
    for file in files {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions").join(file);
        let scenario = Scenario::from_file(&path).expect("a scenario");
        let settles = || {
            let recorded = record_scenario(&Setup::of(&scenario.system), &scenario).expect("a run");
            check_settled(&[3, 5, 8, 10], &recorded)
        };
        assert_eq!(settles(), Ok(()), "{file}");
        let planted = plant(Bug::UnusedLinkNotMissed);
        let told = settles().expect_err("the bug is not found");
        drop(planted);
        assert!(told.contains("node 3 answers \"Ok: 0\""), "{file}: {told}");
    }
}

/// For whoever looks for a small system for a bug, it names all that show it:
/// `cargo test --release --test explored_bugs -- --ignored --nocapture`.
#[test]
#[ignore = "it explores every small system with every bug"]
fn where_bugs_are_found() {
    let mut found = Vec::new();
    for bug in Bug::ALL {
        let _planted = plant(bug);
        for system in SMALL {
            if let Err(counterexample) = explore(&system.setup) {
                let steps = counterexample.path.len();
                println!("{bug:?}, in \"{}\": {}, {steps} steps", system.name, counterexample.what);
                found.push(bug);
            }
        }
    }
    let missed: Vec<_> = FOUND.iter().map(|(bug, ..)| bug).filter(|bug| !found.contains(bug)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
