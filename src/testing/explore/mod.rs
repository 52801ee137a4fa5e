//! All states that a small system can reach.
//!
//! Nodes are pure state machines, so a system is data: the machines, what is on its way between them, and what may still
//! go wrong. [`explore`] goes from its first state to every one that can be reached, whatever comes when: each step lets
//! one thing happen out of all that can. What must hold is checked in each state, and the shortest way to one where it
//! does not is the [`Counterexample`].
//!
//! **Steps.** The next command is given; the first thing on a way (an end of a link, the control plane to or from a node,
//! the operating system) arrives; a node that has work left goes on; a node is killed, between two of its steps or in the
//! middle of what it sends in one; a packet is lost or comes a second time; time passes.
//!
//! **Time.** It passes only when nothing else can happen, and then to the next deadline: links and nodes are quick, and
//! reply timeouts long. A [`Setup`] may let a deadline come earlier some [times](Setup::hurries). Between two commands
//! with nothing under way it does not matter and does not pass.
//!
//! **States are the same** when they do the same from then on (`actors/explored.rs`). 128 bits stand for each.
//!
//! **What is checked.** Always: no command is answered twice; an exec takes effect at most once, in the order of commands at its
//! node, before a result and never where it was refused; only what was struck, or is below it, is unavailable. At rest:
//! the books of the control node, the tables of the nodes and the links are the same forest, and nothing is left over.
//! At the end: every command is answered, and the answers go with each other.

mod counter;
mod fingerprint;
mod judge;
mod rest;
mod search;
mod setup;
mod steps;
mod ways;
mod world;

pub(crate) use fingerprint::Fingerprint;
pub use search::{Counterexample, Explored};
pub use setup::{Ask, Setup};

use steps::Small;

/// Explores all states of a small system.
///
/// # Errors
/// The shortest way to a state that must not be.
pub fn explore(setup: &Setup) -> Result<Explored, Counterexample> {
    let small = Small(setup);
    let start = small.start().map_err(|what| Counterexample { what, path: Vec::new(), states: 0 })?;
    search::search(&small, || start.clone())
}
