//! Bugs that are planted are found where all states of a small system are explored, on a shortest way.
//!
//! A planted bug is there for the whole process, so these tests have a program of their own, and take turns.

#[allow(dead_code, reason = "each of the two tests uses its part of it")]
#[path = "explore/systems.rs"]
mod systems;

use nodetree::planted::{Bug, plant};
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
}

/// For whoever looks for a small system for a bug: `cargo test --test explored_bugs -- --ignored --nocapture`.
#[test]
#[ignore = "it explores every small system with every bug"]
fn where_bugs_are_found() {
    for bug in Bug::ALL {
        let _planted = plant(bug);
        for system in SMALL {
            if let Err(counterexample) = explore(&system.setup) {
                println!(
                    "{bug:?}, in \"{}\": {}, {} steps",
                    system.name,
                    counterexample.what,
                    counterexample.path.len()
                );
            }
        }
    }
}
