//! Small systems, all of whose states are explored: how many they are, and that nothing is wrong in any of them.
//!
//! The larger ones take minutes: `cargo test --release --test explore -- --ignored --nocapture`. With
//! `NODETREE_EXPLORE=text` only those are explored whose name has that text in it.

#[path = "explore/systems.rs"]
mod systems;

use std::fmt::Write;
use std::time::Instant;

use nodetree::testing::explore::explore;
use systems::{LARGE, Named, SMALL};

/// Explores them one after the other, and says of all what is not as expected.
#[track_caller]
fn check(systems: &[Named]) {
    let only = std::env::var("NODETREE_EXPLORE").unwrap_or_default();
    let mut wrong = String::new();
    for Named { name, setup, states } in systems.iter().filter(|system| system.name.contains(&only)) {
        let start = Instant::now();
        let found = match explore(setup) {
            Ok(explored) => {
                let per_second = explored.states as f64 / start.elapsed().as_secs_f64();
                println!("{name}: {explored:?}, {per_second:.0} states/s, {:.1} s", start.elapsed().as_secs_f64());
                if explored.states == *states {
                    continue;
                }
                format!("{} states, not {states}", explored.states)
            }
            Err(counterexample) => counterexample.to_string(),
        };
        println!("{name}: {found}");
        writeln!(wrong, "{name}: {found}").expect("a string takes everything");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn small_systems() {
    check(SMALL);
}

#[test]
#[ignore = "minutes: see above"]
fn larger_systems() {
    check(LARGE);
}
