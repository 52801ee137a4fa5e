//! A control node and a tree of computing nodes that survive `kill -9`.
//!
//! A [`NodeTree`] is a *control node* and the *computing nodes* below it. [`Command`]s go in, each gets exactly one
//! [`Reply`]. Requests travel from parent to child along the links of a topology ([`TopologyKind`]), what a node does
//! with them is a [`CommandSet`], and on what it all runs is a [`Mode`]: the same nodes as a simulation in virtual time,
//! as actors in real time, or as processes. Any computing node may be killed at any moment; whatever is not below it
//! keeps working.
//!
//! # A complete example
//!
//! It is `examples/quickstart.rs`.
//!
//! ```
#![doc = include_str!("../examples/quickstart.rs")]
//! ```
//!
//! # What an exec may have done
//!
//! - A result: it was done, exactly once.
//! - An error that says what is wrong with the request, or `Not found`: it was refused, and nothing has changed.
//! - `Node is unavailable`: if it was sent before that was known, it was done at most once, perhaps later. It is never
//!   answered again.
//!
//! # Where things are
//!
//! [`commands`] is what a person types and reads, [`command_sets`] what `exec` does, [`topology`] where a request goes,
//! [`actors`] who does it, [`faults`] what goes wrong, [`modes`] how it travels and on what, [`trace`] what happened. With the feature `testing`
//! there are also random scripts, a judge of what came of them, and bugs that can be planted.
//!
//! A command set of one's own is shown at [`CommandSet`], and compared with a model in `examples/custom_commands.rs`.
//! In the process mode a program of one's own calls [`modes::process::serve_if_node`] first.

pub mod actors;
pub mod command_sets;
pub mod commands;
mod error;
pub mod faults;
pub mod modes;
#[cfg(not(feature = "testing"))]
mod planted;
#[cfg(feature = "testing")]
pub mod planted;
mod random;
mod ron_text;
pub mod scenario;
mod span;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topology;
pub mod trace;

pub use command_sets::{CommandSet, CommandSetKind, Dictionary, Search, Sum, Timer};
pub use commands::{Answer, Command, Notice, Reply, Ticket};
pub use error::{ConfigError, StartError, SubmitError, WaitError};
pub use modes::{Builder, Mode, NodeTree, SystemConfig};
pub use topology::{NodeId, TopologyKind};

#[cfg(test)]
mod tests {
    /// The same program stands at three places; the crate documentation includes it.
    #[test]
    fn the_readme_shows_the_quickstart() {
        let (readme, quickstart) = (include_str!("../README.md"), include_str!("../examples/quickstart.rs"));
        assert!(readme.contains(&format!("```rust\n{quickstart}```")), "README.md and examples/quickstart.rs differ");
    }
}
