//! What the control node answers, before the types of a command set are put on it.

use crate::commands::{ExecError, Refusal};
use crate::topology::NodeId;

/// How an exec came out.
pub type ExecOutcome = Result<Collected, ExecError>;

/// The answer to one command.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The node runs.
    Created {
        /// Its process id.
        pid: u64,
    },
    /// An exec was answered.
    Exec {
        /// The node that was asked.
        id: NodeId,
        /// The result, or why there is none.
        result: ExecOutcome,
    },
    /// Whether the node is available, or why it was not asked.
    Ping {
        /// The node that was asked.
        id: NodeId,
        /// Whether it is available.
        result: Result<bool, Refusal>,
    },
    /// The nodes that are down, ascending.
    PingAll(Vec<NodeId>),
    /// It was done.
    Done,
    /// All nodes, ascending.
    All(Vec<NodeId>),
    /// A drawing of the topology.
    Tree(String),
    /// A fault is armed.
    Armed(u64),
    /// The faults that are armed or under way, by their numbers.
    Faults(Vec<(u64, String)>),
    /// A text.
    Help(String),
    /// It was refused and changed nothing.
    Refused(Refusal),
}

impl Outcome {
    /// The node whose credit the command has held.
    pub fn asked(&self) -> Option<NodeId> {
        match self {
            Self::Exec { id, .. } | Self::Ping { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// The encoded messages of a result, in order, each behind its length (4 bytes, little-endian).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Collected {
    /// What is kept in memory: all, or what came behind the part that was spooled.
    pub bytes: Vec<u8>,
    /// So many bytes of it were spooled before.
    pub spooled: u64,
    fragment_at: Option<usize>,
}

impl Collected {
    /// A piece of a message has come.
    pub(super) fn add(&mut self, bytes: &[u8], more: bool) {
        let at = match self.fragment_at {
            Some(at) => at,
            None => {
                self.bytes.extend_from_slice(&[0; 4]);
                self.bytes.len() - 4
            }
        };
        self.bytes.extend_from_slice(bytes);
        self.fragment_at = more.then_some(at);
        if !more {
            let length = (self.bytes.len() - at - 4) as u32;
            self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Whether every message that has begun is complete.
    pub(super) fn is_whole(&self) -> bool {
        self.fragment_at.is_none()
    }

    /// The text of an error that came instead of a result.
    pub(super) fn last_message(&self) -> &[u8] {
        let mut rest = &self.bytes[..];
        let mut last = rest;
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((message, tail)) = tail.split_at_checked(length) else { break };
            (last, rest) = (message, tail);
        }
        last
    }
}
