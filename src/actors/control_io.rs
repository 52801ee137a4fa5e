//! What goes into the control node and what comes out of it: its configuration, commands, inputs and effects.

use super::message::{ControlDown, ControlUp, Envelope, LinkId, Nanos, NodeKey, NodeSpec, RequestPiece};
use super::outcome::Outcome;
use crate::commands::Notice;
use crate::faults::{Fault, FaultKind};
use crate::topology::{NodeId, Slot, TopologyKind};

/// What the control node must know.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// How nodes are placed.
    pub topology: TopologyKind,
    /// How long an answer is waited for.
    pub reply_timeout_ns: Nanos,
    /// Whether nodes are processes: then the kernel is asked ([`ControlEffect::Examine`]) before one is called silent.
    pub asks_kernel: bool,
    /// What goes wrong by plan. It is numbered from 1 and armed at the start.
    pub faults: Vec<Fault>,
}

/// A command without the types of a command set.
#[derive(Clone, Debug)]
pub enum Order {
    /// See [`Command::Create`](crate::commands::Command::Create).
    Create {
        /// The new node.
        id: NodeId,
        /// The typed parent.
        parent: Option<NodeId>,
    },
    /// See [`Command::Exec`](crate::commands::Command::Exec).
    Exec {
        /// The node that is asked.
        id: NodeId,
        /// The first piece of the request.
        first: RequestPiece,
        /// No more pieces come; otherwise they follow as [`ControlInput::Piece`].
        complete: bool,
    },
    /// Is the node available?
    Ping(NodeId),
    /// Who is down?
    PingAll,
    /// Let all nodes report with this period; 0 stops it.
    Heartbit(Nanos),
    /// Take the node out of the tree.
    Remove(NodeId),
    /// End it as by SIGKILL.
    Kill(NodeId),
    /// Stop it as by SIGSTOP.
    Pause(NodeId),
    /// Let it go on as by SIGCONT.
    Resume(NodeId),
    /// Name all nodes.
    All,
    /// Draw the topology.
    Tree,
    /// Let time pass (or, without a time, every earlier command be answered) before the next command is looked at.
    Wait(Option<Nanos>),
    /// Arm a fault.
    Fault(Box<Fault>),
    /// End the fault with this number.
    Heal(u64),
    /// Name all faults that are armed or under way.
    Faults,
    /// Give this answer when its turn comes.
    Answer(Outcome),
}

impl Order {
    /// The node that is asked for something, through the tree. Such a command holds a part of the node's credit, and is
    /// answered with an outcome that [names the node](Outcome::asked) too.
    pub fn asks(&self) -> Option<NodeId> {
        match self {
            Self::Exec { id, .. } | Self::Ping(id) => Some(*id),
            _ => None,
        }
    }

    /// The node that it is for, if it is for one.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Create { id, .. } | Self::Exec { id, .. } => Some(*id),
            Self::Ping(id) | Self::Remove(id) | Self::Kill(id) | Self::Pause(id) | Self::Resume(id) => Some(*id),
            Self::PingAll | Self::Heartbit(_) | Self::All | Self::Tree | Self::Wait(_) | Self::Answer(_) => None,
            Self::Fault(_) | Self::Heal(_) | Self::Faults => None,
        }
    }
}

/// What happens to the control node.
#[derive(Debug)]
pub enum ControlInput {
    /// A command; numbers grow.
    Submit(u64, Order),
    /// A further piece of the request of an exec.
    Piece(u64, RequestPiece),
    /// An envelope has come from a top-level node.
    Envelope(LinkId, Envelope),
    /// The link to a top-level node has ended.
    Closed(LinkId),
    /// A node says something on the control plane.
    FromNode(NodeKey, ControlUp),
    /// A node's process (or actor) runs.
    Started(NodeKey, u64),
    /// A node could not be started.
    StartFailed(NodeKey, String),
    /// A link could not be made, and why: the operating system has refused it.
    LinkFailed(LinkId, String),
    /// A node's process (or actor) has ended, in order or not.
    Died(NodeKey),
    /// It was stopped, by us or from outside.
    Stopped(NodeKey),
    /// It goes on, because of us or from outside.
    Continued(NodeKey),
    /// What the kernel says of a node's process: whether it wants to run and is not let.
    Examined(NodeKey, bool),
    /// Everybody who has a part in this fault knows that it has begun, or that it is over.
    FaultTaken(u64),
    /// A fault that an envelope sets off has happened, or one that happens once.
    FaultHappened(u64),
    /// The end is near: no more waiting.
    Interrupt,
    /// The end is here: everything that is not answered is answered now.
    GiveUp,
    /// A moment that was asked for has come.
    Wake,
}

/// What the control node wants done.
#[derive(Clone, Debug)]
pub enum ControlEffect {
    /// A command is answered.
    Answer(u64, Outcome),
    /// Something to be said unasked.
    Notice(Notice),
    /// So many bytes of the request of a streamed exec have been taken; the source may send as many.
    Taken(u64, usize),
    /// These bytes of a result are too many for the memory: keep them elsewhere, in order.
    Spool(u64, Vec<u8>),
    /// Send an envelope to a top-level node.
    Send(LinkId, Envelope),
    /// Say something to a node on the control plane.
    Control(NodeKey, ControlDown),
    /// Start a node.
    Start(NodeSpec),
    /// Make a link and give each side its end, on the control plane.
    Connect {
        /// Its number.
        link: LinkId,
        /// The parent.
        upper: NodeKey,
        /// The child.
        lower: NodeKey,
        /// The child's place.
        slot: Slot,
        /// It is to be used at once.
        active: bool,
    },
    /// Close the control node's own end of a link.
    Close(LinkId),
    /// As by SIGKILL.
    Kill(NodeKey),
    /// As by SIGSTOP.
    Pause(NodeKey),
    /// As by SIGCONT.
    Resume(NodeKey),
    /// Ask the kernel whether its process wants to run; answered by [`ControlInput::Examined`].
    Examine(NodeKey),
    /// A fault takes effect. What is about a node's process follows as an effect of its own; the mode does the rest, and
    /// then hands in [`ControlInput::FaultTaken`].
    BeginFault(u64, FaultKind),
    /// Look for what sets this fault off, in this life of its node or, without one, in its next; answered by [`ControlInput::FaultTaken`], and when it has happened by
    /// [`ControlInput::FaultHappened`].
    WatchForFault(u64, Fault, Option<NodeKey>),
    /// The fault is over, or not looked for any more; answered by [`ControlInput::FaultTaken`].
    EndFault(u64),
    /// Call again at this time.
    WakeAt(Nanos),
}
