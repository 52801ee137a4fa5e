//! WHO does it: the nodes as pure state machines, and the thin actix actors that perform what they want done.

mod changes;
mod computing_node;
mod control_actor;
mod control_io;
mod control_node;
mod create;
mod deadlines;
mod envelope;
mod exec;
mod execution;
#[cfg(feature = "testing")]
mod explored;
mod faults;
mod hearing;
mod life;
mod link_end;
mod locks;
pub mod message;
mod node_actor;
mod node_life;
mod node_links;
mod node_marker;
mod node_wave;
mod outcome;
mod ping;
mod registry;
mod relink;
pub mod session;
mod small_map;
mod standby;
mod switchover;
mod watch;

pub use computing_node::{ComputingNode, NodeEffect, NodeInput};
pub use control_actor::{ControlActor, ControlMail, Describe, Fabric, Sink, Submission, Submissions, turn_of_others};
pub use control_io::{ControlConfig, ControlEffect, ControlInput, Order};
pub use control_node::ControlNode;
pub use execution::{LongJob, LongResult};
#[cfg(feature = "testing")]
pub use explored::{Known, Table};
pub use link_end::{LinkEnd, LinkFrame};
pub use node_actor::{Address, Door, End, Frame, FromNode, Gate, LinkEvent, NodeActor, NodeHost, NodeMail};
pub use node_life::{NodeContext, NodeLife};
pub use outcome::{Collected, ExecOutcome, Outcome};
pub(crate) use small_map::SmallMap;
