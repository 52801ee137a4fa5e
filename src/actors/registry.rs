//! What the control node knows of each computing node.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::message::{LinkId, Nanos, NodeKey, ReplyPiece, RequestPiece};
use super::outcome::{Collected, ExecOutcome};
use super::session::{Session, SessionConfig};
use crate::topology::{IdHash, NodeId};

/// What has become of a created node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Up,
    Dead,
}

#[derive(Clone, Hash)]
pub(super) struct Entry {
    pub(super) key: NodeKey,
    pub(super) pid: u64,
    pub(super) life: Life,
    /// It was stopped as by SIGSTOP.
    pub(super) stopped: bool,
    /// The link to its parent; its old one while it is re-linked.
    pub(super) uplink: LinkId,
    /// When something came from it for the last time.
    pub(super) last_sign: Nanos,
    /// A notice has said that it is unavailable.
    pub(super) reported: bool,
    /// What is under way for it; made with the first exec or ping.
    pub(super) work: Option<Box<Work>>,
}

/// What is under way for a node.
#[derive(Clone, Hash)]
pub(super) struct Work {
    pub(super) session: Session<RequestPiece, ReplyPiece>,
    /// In the order of their commands.
    pub(super) execs: VecDeque<PendingExec>,
    /// How many of `execs` have been handed to the session completely.
    pub(super) handed_over: usize,
    /// The pings that wait for an answer.
    pub(super) pings: BTreeSet<u64>,
    /// A deadline for its silence is set.
    pub(super) watched: bool,
    /// When it was asked for a sign of life that has not come.
    pub(super) probed_at: Option<Nanos>,
}

impl Work {
    pub(super) fn new(config: SessionConfig) -> Self {
        Self {
            session: Session::new(config),
            execs: VecDeque::new(),
            handed_over: 0,
            pings: BTreeSet::new(),
            watched: false,
            probed_at: None,
        }
    }

    pub(super) fn exec(&mut self, op: u64) -> Option<&mut PendingExec> {
        // Replies come in order, so it is nearly always the first.
        let at = match self.execs.front() {
            Some(first) if first.op == op => 0,
            _ => self.execs.binary_search_by_key(&op, |exec| exec.op).ok()?,
        };
        self.execs.get_mut(at)
    }

    /// The first command that is not answered.
    pub(super) fn first(&self) -> Option<u64> {
        let exec = self.execs.front().map(|exec| exec.op);
        exec.into_iter().chain(self.pings.first().copied()).min()
    }
}

#[derive(Clone, Hash)]
pub(super) struct PendingExec {
    pub(super) op: u64,
    /// What has not been handed to the session.
    pub(super) first: Option<RequestPiece>,
    pub(super) rest: VecDeque<RequestPiece>,
    /// No more pieces come from the source.
    pub(super) complete: bool,
    pub(super) reply: Collected,
    /// The answer, which waits for those before it.
    pub(super) answer: Option<ExecOutcome>,
}

/// The nodes that were created and not removed.
#[derive(Clone, Default)]
pub(super) struct Registry {
    entries: HashMap<NodeId, Entry, IdHash>,
    /// Alive, as far as anyone knows, but they let a reply timeout pass.
    pub(super) silent: BTreeSet<NodeId>,
    pub(super) stopped: BTreeSet<NodeId>,
    /// Those of the stopped ones that are a reason for somebody's silence: themselves, or somebody below.
    pub(super) reasons: BTreeSet<NodeId>,
    /// Those that have ended otherwise than by a removal: whoever asks for them need not look at all.
    dead: BTreeSet<NodeId>,
    /// Nodes with execs that are not answered.
    pub(super) busy: BTreeSet<NodeId>,
}

#[cfg(feature = "testing")]
impl std::hash::Hash for Registry {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let Self { entries, silent, stopped, reasons, busy, dead } = self;
        super::explored::hash_table(entries, state);
        (silent, stopped, reasons, busy, dead).hash(state);
    }
}

impl Registry {
    pub(super) fn get(&self, id: NodeId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The entry of this very incarnation.
    pub(super) fn of(&mut self, key: NodeKey) -> Option<&mut Entry> {
        self.entries.get_mut(&key.id).filter(|entry| entry.key == key)
    }

    /// Whether it is so for all of them; they are asked in no order.
    pub(super) fn all(&self, is_so: impl Fn(&Entry) -> bool) -> bool {
        self.entries.values().all(is_so)
    }

    pub(super) fn is_up(&self, id: NodeId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.life == Life::Up)
    }

    pub(super) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        self.forget_marks(entry.key.id);
        self.dead.remove(&entry.key.id);
        self.entries.insert(entry.key.id, entry)
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Option<Entry> {
        self.forget_marks(id);
        self.dead.remove(&id);
        self.busy.remove(&id);
        self.entries.remove(&id)
    }

    /// The node has died; nothing, when it was dead already. The dead are [counted](Self::count_dead) afterwards.
    pub(super) fn bury(&mut self, id: NodeId) -> Option<&Entry> {
        self.forget_marks(id);
        let entry = self.entries.get_mut(&id).filter(|entry| entry.life == Life::Up)?;
        entry.life = Life::Dead;
        entry.stopped = false;
        Some(entry)
    }

    /// These have died. Where they are many, they are sorted and merged, and not looked up one after the other.
    pub(super) fn count_dead(&mut self, ids: &[NodeId]) {
        if ids.len() > self.dead.len() / 8 {
            self.dead.append(&mut ids.iter().copied().collect());
        } else {
            self.dead.extend(ids);
        }
    }

    /// The dead ones, ascending.
    pub(super) fn dead(&self) -> impl Iterator<Item = NodeId> {
        self.dead.iter().copied()
    }

    pub(super) fn forget_marks(&mut self, id: NodeId) {
        self.silent.remove(&id);
        self.stopped.remove(&id);
        self.reasons.remove(&id);
    }
}
