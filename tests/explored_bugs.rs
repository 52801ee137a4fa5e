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
    (Bug::AtMostOnceMissing, "copy", 99, ""),
    (Bug::PingallWithoutDescendants, "pingall, kill", 99, ""),
    (Bug::SearchTreeDelete, "remove with two children", 99, ""),
    (Bug::UndoLeavesLinks, "remove, kill", 99, ""),
    (Bug::EarlyGreetingForgotten, "create, kill", 99, ""),
    (Bug::SwitchTogether, "remove with two children", 99, ""),
    (Bug::LossNotRepeated, "drop", 99, ""),
    (Bug::EndedLinkAwaited, "remove, kill", 99, ""),
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
                println!("{bug:?}, in {name}: {counterexample}\n");
                if counterexample.path.len() > *at_most || !counterexample.what.contains(what) {
                    wrong += &format!("{bug:?}: {counterexample}\n");
                }
            }
        }
        explore(&system.setup).unwrap_or_else(|other| panic!("not because of {bug:?}: {other}"));
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
