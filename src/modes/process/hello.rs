//! What a node and the control node say to each other first, and how a node's program is called.

use serde::{Deserialize, Serialize};

use crate::actors::message::NodeSpec;
use crate::modes::wire;

/// The first argument of a program that is to be a node; then come the id, for those who look at processes, and the
/// name of the command set.
pub(super) const NODE_ARGUMENT: &str = "__node";

/// In place of the id, of a process that will learn from the `Hello` which node it is.
pub(super) const SPARE: &str = "-";

/// From the control node.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) build: String,
    /// The process that is the control node.
    pub(super) parent: i32,
    /// When the system's clock showed 0, on the machine's monotonic clock: all processes of a system read the same time.
    /// Earlier for a node whose clock is ahead.
    pub(super) clock_began_ns: i64,
    pub(super) spec: NodeSpec,
    /// From what the chance of faults is drawn.
    pub(super) seed: u64,
}

/// From the node.
#[derive(Serialize, Deserialize)]
pub(super) struct HelloBack {
    pub(super) build: String,
}

/// The machine's monotonic clock, which is the same in all processes.
pub(super) fn machine_clock_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// What both sides must have in common: the library, the format of frames, the command set.
pub(super) fn build(command_set: &str) -> String {
    format!("nodetree {} wire {} {command_set}", env!("CARGO_PKG_VERSION"), wire::VERSION)
}
