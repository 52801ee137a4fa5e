//! The waves of `pingall` that have passed a node and whose answers it collects.

use std::iter;

use super::message::Nanos;
use super::small_map::SmallMap;
use crate::topology::NodeId;

/// The most ids in one answer; more go in several pieces, so that no envelope outgrows a frame.
const IDS_IN_A_PIECE: usize = 4096;

/// Among more children than this one is looked for where it would be if all had ids at the same distance, as they often have.
const MANY: usize = 64;

/// The most ids that a node keeps for one wave: more than any system has nodes.
const IDS_MAX: usize = 1 << 20;

/// The most waves that a node has open. The control node never has more under way, so that nobody waits for those that
/// came before these.
pub(super) const MOST_WAVES: usize = 1024;

#[derive(Clone, Hash)]
pub(super) struct Waves {
    pending: SmallMap<u64, Pending>,
    /// No deadline is earlier.
    earliest: Nanos,
}

impl Default for Waves {
    fn default() -> Self {
        Self { pending: SmallMap::default(), earliest: Nanos::MAX }
    }
}

#[derive(Clone, Hash)]
struct Pending {
    deadline: Nanos,
    /// The children that were asked, ascending, and whether they have answered.
    asked: Box<[(NodeId, bool)]>,
    /// How many of them have not.
    awaited: usize,
    missing: Vec<NodeId>,
}

impl Pending {
    fn place(&self, child: NodeId) -> Option<usize> {
        let is_at = |&at: &usize| self.asked.get(at).is_some_and(|(id, _)| *id == child);
        let guess = if self.asked.len() > MANY { self.guess(child).filter(is_at) } else { None };
        guess.or_else(|| self.asked.binary_search_by_key(&child, |(id, _)| *id).ok())
    }

    /// Where a child is when all have ids at the same distance.
    fn guess(&self, child: NodeId) -> Option<usize> {
        let (first, last) = (i128::from(self.asked.first()?.0), i128::from(self.asked.last()?.0));
        let guess = (i128::from(child) - first) * (self.asked.len() as i128 - 1) / (last - first).max(1);
        usize::try_from(guess).ok()
    }

    /// Whether this child has not answered yet.
    fn awaits(&mut self, child: NodeId) -> Option<&mut bool> {
        let at = self.place(child)?;
        self.asked.get_mut(at).map(|(_, has_answered)| has_answered).filter(|has_answered| !**has_answered)
    }

    fn is_awaited(&self, child: NodeId) -> bool {
        self.place(child).is_some_and(|at| !self.asked[at].1)
    }
}

impl Waves {
    /// A wave comes by. False when it is known already. When there are too many the oldest one is forgotten: a node that
    /// could not run for a while finds many of them, which have been given up; and whoever sends them without end gains
    /// nothing by it.
    pub(super) fn start(&mut self, wave: u64, deadline: Nanos, children: impl Iterator<Item = NodeId>) -> bool {
        if self.pending.get(&wave).is_some() {
            return false;
        }
        self.earliest = self.earliest.min(deadline);
        let asked: Box<[_]> = children.map(|child| (child, false)).collect();
        let awaited = asked.len();
        self.pending.insert(wave, Pending { deadline, asked, awaited, missing: Vec::new() });
        if self.pending.len() > MOST_WAVES {
            self.pending.pop_first();
        }
        true
    }

    /// Reads what the answer of a child to a wave makes it read.
    pub(super) fn glance(&self) -> u64 {
        let asked = self.pending.iter().next().and_then(|(_, pending)| pending.asked.first());
        self.earliest ^ asked.map_or(0, |(id, _)| *id as u64)
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
        let has_answered = pending.awaits(child)?;
        if last {
            *has_answered = true;
            pending.awaited -= 1;
        }
        pending.missing.extend(missing);
        let complete = pending.awaited == 0;
        complete.then(|| self.remove(wave)).flatten().map(|pending| (wave, pending.missing))
    }

    fn remove(&mut self, wave: u64) -> Option<Pending> {
        let pending = self.pending.remove(&wave);
        if self.pending.is_empty() {
            self.earliest = Nanos::MAX;
        }
        pending
    }

    /// A child has ended: it is missing in every wave that still waits for it.
    pub(super) fn gone(&mut self, child: NodeId) -> Vec<(u64, Vec<NodeId>)> {
        let waiting: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| pending.is_awaited(child)).map(|(&wave, _)| wave).collect();
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
                pending.missing.extend(pending.asked.iter().filter(|(_, answered)| !answered).map(|(id, _)| *id));
                answers.push((wave, pending.missing));
            }
        }
        self.earliest = self.pending.iter().map(|(_, pending)| pending.deadline).min().unwrap_or(Nanos::MAX);
        answers
    }

    /// When [`overdue`](Self::overdue) may have something to say.
    pub(super) fn deadline(&self) -> Nanos {
        self.earliest
    }

    /// Cuts an answer into pieces; the last one is marked.
    pub(super) fn in_pieces(mut missing: Vec<NodeId>) -> impl Iterator<Item = (Vec<NodeId>, bool)> {
        let mut is_over = false;
        iter::from_fn(move || {
            let rest = missing.split_off(missing.len().min(IDS_IN_A_PIECE));
            let piece = std::mem::replace(&mut missing, rest);
            let last = missing.is_empty();
            (!std::mem::replace(&mut is_over, last)).then_some((piece, last))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_among_many_whatever_their_ids_are() {
        let regular: Vec<NodeId> = (0..1000).map(|at| 7 + 2 * at).collect();
        let irregular: Vec<NodeId> = (0..1000).map(|at: NodeId| at.pow(3)).collect();
        let far: Vec<NodeId> = [NodeId::MIN, 0].into_iter().chain(1000..2000).chain([NodeId::MAX]).collect();
        for ids in [regular, irregular, far] {
            let mut waves = Waves::default();
            assert!(waves.start(1, 1, ids.iter().copied()));
            assert_eq!(waves.answered(1, 3, Vec::new(), true), None, "it was not asked");
            let answers: Vec<_> = ids.iter().filter_map(|&id| waves.answered(1, id, vec![id], true)).collect();
            assert_eq!(answers, [(1, ids)]);
        }
    }

    #[test]
    fn however_many_waves_come_only_the_latest_are_kept() {
        let mut waves = Waves::default();
        for wave in 0..100_000 {
            assert!(waves.start(wave, wave, [1, 2].into_iter()));
            assert!(waves.pending.len() <= MOST_WAVES);
        }
        assert_eq!(waves.pending.len(), MOST_WAVES);
        let last = 99_999;
        assert_eq!(waves.answered(last - MOST_WAVES as u64, 1, vec![1], true), None, "it is forgotten");
        assert_eq!(waves.answered(last, 1, Vec::new(), true), None);
        assert_eq!(waves.answered(last, 2, vec![2], true), Some((last, vec![2])));
        assert_eq!(waves.gone(1).len() + waves.gone(2).len(), MOST_WAVES - 1);
        assert!(waves.pending.is_empty() && waves.deadline() == Nanos::MAX);
    }
}
