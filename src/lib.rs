//! A control node and a tree of computing nodes that survive `kill -9`.
#![doc = ""]

pub mod actors;
pub mod command_sets;
pub mod commands;
mod error;
pub mod modes;
#[cfg(feature = "testing")]
pub mod planted;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topology;
pub mod trace;

pub use command_sets::{CommandSet, CommandSetKind, Dictionary, Search, Sum, Timer};
pub use commands::{Answer, Command, Notice, Reply, Ticket};
pub use error::{ConfigError, StartError, SubmitError, WaitError};
pub use modes::{Builder, Mode, NodeTree, SystemConfig};
pub use topology::{NodeId, TopologyKind};
