//! How many states of small systems are explored in a second, one after the other.

#[allow(dead_code, reason = "each benchmark uses its part of it")]
mod table;

#[allow(dead_code, reason = "each benchmark uses its part of it")]
#[path = "../tests/explore/systems.rs"]
mod systems;

use std::time::Instant;

use nodetree::testing::explore::explore;
use systems::SMALL;
use table::{Goal, Outcome, Row, Unit, in_turns, is_measured, median, rate};

/// What is measured: a change of the tree with a kill at every moment, and commands over links that lose and repeat.
const MEASURED: [&str; 2] = ["remove with two children, kill", "drop, copy, kill"];

fn main() -> Outcome<()> {
    table::print(|_, print| MEASURED.into_iter().try_for_each(|name| Ok(print(measured(name)?)?)))?;
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
