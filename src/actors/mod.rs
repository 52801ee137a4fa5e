//! WHO does it: the nodes as pure state machines, and the thin actix actors that perform what they want done.

mod changes;
mod computing_node;
mod control_actor;
mod control_io;
mod control_node;
mod create;
mod envelope;
mod exec;
mod execution;
mod hearing;
mod life;
mod locks;
pub mod message;
mod node_actor;
mod node_links;
mod node_marker;
mod node_wave;
mod outcome;
mod ping;
mod registry;
mod relink;
pub mod session;
mod small_map;
mod switchover;
mod watch;

pub use computing_node::{ComputingNode, NodeEffect, NodeInput};
pub use control_actor::{ControlActor, ControlMail, Describe, Fabric, Sink, Submission, Submissions};
pub use control_io::{ControlConfig, ControlEffect, ControlInput, Order};
pub use control_node::ControlNode;
pub use execution::{LongJob, LongResult};
pub use node_actor::{Address, End, Frame, FromNode, Gate, LinkEvent, NodeActor, NodeHost, NodeMail};
pub use outcome::{Collected, ExecOutcome, Outcome};

use session::SessionConfig;

/// How long a segment without an acknowledgement is waited for before it is sent again, at first; only where links lose.
const RESEND_AFTER_NS: u64 = 200 * message::MILLISECOND;

/// How both ends of a session behave.
fn session_config(lossy: bool) -> SessionConfig {
    SessionConfig { resend_after_ns: lossy.then_some(RESEND_AFTER_NS), ..SessionConfig::default() }
}
