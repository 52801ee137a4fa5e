//! The waves of `pingall` that have passed a node and whose answers it collects.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Nanos;
use crate::topology::NodeId;

/// The most ids in one answer; more go in several pieces, so that no envelope outgrows a frame.
const IDS_IN_A_PIECE: usize = 4096;

/// The most ids that a node keeps for one wave: more than any system has nodes.
const IDS_MAX: usize = 1 << 20;

#[derive(Clone, Hash)]
pub(super) struct Waves {
    pending: BTreeMap<u64, Pending>,
    /// No deadline is earlier.
    earliest: Nanos,
}

impl Default for Waves {
    fn default() -> Self {
        Self { pending: BTreeMap::new(), earliest: Nanos::MAX }
    }
}

#[derive(Clone, Hash)]
struct Pending {
    deadline: Nanos,
    awaited: BTreeSet<NodeId>,
    missing: Vec<NodeId>,
}

impl Waves {
    /// A wave comes by. False when it is known already.
    pub(super) fn start(&mut self, wave: u64, deadline: Nanos, children: impl Iterator<Item = NodeId>) -> bool {
        if self.pending.contains_key(&wave) {
            return false;
        }
        self.earliest = self.earliest.min(deadline);
        self.pending.insert(wave, Pending { deadline, awaited: children.collect(), missing: Vec::new() });
        true
    }

    /// Whether so many more ids would be more than anybody can mean.
    pub(super) fn is_too_much(&self, wave: u64, ids: usize) -> bool {
        self.pending.get(&wave).is_some_and(|pending| pending.missing.len() + ids > IDS_MAX)
    }

    /// A child has answered; what is to be passed on, when it was the last one.
    pub(super) fn answered(
        &mut self,
        wave: u64,
        child: NodeId,
        missing: Vec<NodeId>,
        last: bool,
    ) -> Option<(u64, Vec<NodeId>)> {
        let pending = self.pending.get_mut(&wave)?;
        if !pending.awaited.contains(&child) {
            return None;
        }
        pending.missing.extend(missing);
        if last {
            pending.awaited.remove(&child);
        }
        let complete = pending.awaited.is_empty();
        complete.then(|| self.remove(wave)).flatten().map(|pending| (wave, pending.missing))
    }

    fn remove(&mut self, wave: u64) -> Option<Pending> {
        let pending = self.pending.remove(&wave);
        if self.pending.is_empty() {
            // An empty map keeps its memory: that of all nodes of a tree would be much.
            *self = Self::default();
        }
        pending
    }

    /// A child has ended: it is missing in every wave that still waits for it.
    pub(super) fn gone(&mut self, child: NodeId) -> Vec<(u64, Vec<NodeId>)> {
        let waiting: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.awaited.contains(&child))
            .map(|(&wave, _)| wave)
            .collect();
        waiting.into_iter().filter_map(|wave| self.answered(wave, child, vec![child], true)).collect()
    }

    /// The waves whose time is up, with everybody missing who has not answered.
    pub(super) fn overdue(&mut self, now: Nanos) -> Vec<(u64, Vec<NodeId>)> {
        if now < self.earliest {
            return Vec::new();
        }
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| pending.deadline <= now).map(|(&wave, _)| wave).collect();
        let mut answers = Vec::with_capacity(late.len());
        for wave in late {
            if let Some(mut pending) = self.remove(wave) {
                pending.missing.extend(pending.awaited);
                answers.push((wave, pending.missing));
            }
        }
        self.earliest = self.pending.values().map(|pending| pending.deadline).min().unwrap_or(Nanos::MAX);
        answers
    }

    /// When [`overdue`](Self::overdue) may have something to say.
    pub(super) fn deadline(&self) -> Nanos {
        self.earliest
    }

    /// Cuts an answer into pieces; the last one is marked.
    pub(super) fn in_pieces(missing: Vec<NodeId>) -> Vec<(Vec<NodeId>, bool)> {
        if missing.len() <= IDS_IN_A_PIECE {
            return vec![(missing, true)];
        }
        let pieces = missing.len().div_ceil(IDS_IN_A_PIECE);
        missing.chunks(IDS_IN_A_PIECE).enumerate().map(|(at, ids)| (ids.to_vec(), at + 1 == pieces)).collect()
    }
}
