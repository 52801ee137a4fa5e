//! All states that a small system can reach.
//!
//! Nodes are pure state machines, so a system is data: the machines, what is on its way between them, and what may still
//! go wrong. [`explore`] goes from its first state to every one that can be reached, whatever comes when: each step lets
//! one thing happen out of all that can. What must hold is checked in each state, and a shortest way to one where it
//! does not hold is the [`Counterexample`].
//!
//! ```
//! use nodetree::TopologyKind;
//! use nodetree::testing::explore::{Ask, Setup, explore};
//! let pair = Setup::new(TopologyKind::List, &[(1, None), (2, Some(1))]);
//! let explored = explore(&Setup { asks: &[Ask::Exec(2), Ask::Ping(1)], kills: 1, ..pair })?;
//! assert!(explored.states > 100 && explored.ends > 1, "{explored:?}");
//! # Ok::<(), nodetree::testing::explore::Counterexample>(())
//! ```
//!
//! **Steps.** The next command is given. The first thing on a way arrives; the ways are the two directions of each link,
//! the control plane to and from each node, and what the operating system says. A node that has work left goes on. A node
//! is killed, between two of its steps or in the middle of what it sends in one. A packet is lost, or comes a second time.
//! Time passes.
//!
//! **Time** passes only when nothing else can happen, and then to the next deadline: links and nodes are quick, and reply
//! timeouts are long. A [`Setup`] may let a deadline come while something is on its way, so many
//! [times](Setup::hurries). While nothing is under way and a command is still to come no time passes: it would change
//! nothing.
//!
//! **Two states are one** when they do the same from then on, see `actors/explored.rs`. 128 bits stand for each. Nothing
//! else is left out: no order of steps is taken for another one.
//!
//! **Memory.** Of a state that was looked at, 24 bytes are kept: its fingerprint, and by which step it was reached from
//! which other one. Those that still have to be looked at are whole. They are taken in the order in which they were found
//! while they are fewer than half a million, so that a way to what is wrong is a shortest one; beyond that the latest is
//! taken first, behind which there are few, and a way may be longer. All states are seen in either order. What a machine
//! does in a state is worked out once, as far as it is remembered: a system has very many states, and the machines in it
//! few.
//!
//! **What is checked.** In each state: no command is answered twice; an exec takes effect at most once, in the order of
//! the commands for its node, once before a result, and never in a later life of a node or where it was refused; only who
//! was struck, or stands below somebody who was, is unavailable; nobody waits for a reply timeout while everybody is
//! quick. At rest: the books of the control node, the tables of the nodes and the links are the same forest, whoever was
//! not struck is in it, and nothing is left over. At the end: every command is answered, and the answers go with each
//! other.

mod counter;
mod fingerprint;
mod judge;
mod kills;
mod machines;
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
/// A way to a state that must not be, in small systems a shortest one; without steps when the setup itself is wrong.
pub fn explore(setup: &Setup) -> Result<Explored, Counterexample> {
    let small = Small(setup);
    let unfit = |what| Counterexample { what, path: Vec::new(), states: 0 };
    if setup.links_repeat() && setup.asks.iter().any(|ask| matches!(ask, Ask::Pause(_))) {
        return Err(unfit("to a node that is stopped a link repeats for ever: there is no end of states".to_owned()));
    }
    let start = small.start().map_err(unfit)?;
    search::search(&small, || start.clone())
}
