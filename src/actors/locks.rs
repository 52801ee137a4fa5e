//! The order in which commands that change the tree take effect: claims on nodes, in the order of input.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::topology::NodeId;

/// How a command that changes the tree touches a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Claim {
    /// A child is hung below it; several commands may do that at the same time.
    Attach,
    /// Its children change, and no other command may do that meanwhile.
    Below,
    /// It is made, moved or ended: whoever wants something of it waits.
    Whole,
}

#[derive(Clone, Default, Hash)]
struct Queue {
    /// Those that want to be alone: `Below` and `Whole`.
    alone: BTreeSet<u64>,
    whole: BTreeSet<u64>,
    attach: BTreeSet<u64>,
    /// Those of `alone` and of `attach` that run.
    running_alone: BTreeSet<u64>,
    running_attach: BTreeSet<u64>,
}

impl Queue {
    fn run(&mut self, op: u64) {
        let running = if self.alone.contains(&op) { &mut self.running_alone } else { &mut self.running_attach };
        running.insert(op);
    }

    fn rest(&mut self, op: u64) {
        self.running_alone.remove(&op);
        self.running_attach.remove(&op);
    }
}

/// Who claims which node. Commands are named by their numbers, which grow in the order of input.
///
/// A command may start when nothing before it, and nothing that runs, claims one of its nodes in a way that
/// conflicts. Only the fronts of queues are ever looked at again, so that long queues cost no more.
#[derive(Clone, Default)]
pub(super) struct Locks {
    queues: FxHashMap<NodeId, Queue>,
    claims: BTreeMap<u64, BTreeMap<NodeId, Claim>>,
}

#[cfg(feature = "testing")]
impl std::hash::Hash for Locks {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        super::explored::hash_table(&self.queues, state);
        self.claims.hash(state);
    }
}

impl Locks {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// The first command that is not done.
    pub(super) fn first(&self) -> Option<u64> {
        self.claims.keys().next().copied()
    }

    /// Takes a place in the queues of these nodes, in place of those it had; appends to `freed` whom that lets go on,
    /// and says which nodes it left.
    pub(super) fn claim(&mut self, op: u64, claims: BTreeMap<NodeId, Claim>, freed: &mut BTreeSet<u64>) -> Vec<NodeId> {
        if self.claims.get(&op) == Some(&claims) {
            return Vec::new();
        }
        let left = self.leave(op, freed);
        for (&node, &claim) in &claims {
            let queue = self.queues.entry(node).or_default();
            match claim {
                Claim::Attach => queue.attach.insert(op),
                Claim::Below | Claim::Whole => queue.alone.insert(op),
            };
            if claim == Claim::Whole {
                queue.whole.insert(op);
            }
        }
        self.claims.insert(op, claims);
        left
    }

    /// Whether nothing stands in its way.
    pub(super) fn may_start(&self, op: u64) -> bool {
        self.claims.get(&op).is_none_or(|claims| claims.iter().all(|(&node, &claim)| self.is_free(node, claim, op)))
    }

    fn is_free(&self, node: NodeId, claim: Claim, op: u64) -> bool {
        let Some(queue) = self.queues.get(&node) else { return true };
        let before = |set: &BTreeSet<u64>, running: &BTreeSet<u64>| {
            set.first().is_some_and(|&first| first < op)
                // One that came later can only run already where this one claimed the node after it.
                || running.last().is_some_and(|&last| last > op)
        };
        !before(&queue.alone, &queue.running_alone)
            && (claim == Claim::Attach || !before(&queue.attach, &queue.running_attach))
    }

    pub(super) fn start(&mut self, op: u64) {
        self.of_each_queue(op, Queue::run);
    }

    /// The command has not started after all; it keeps its places.
    /// Appends to `freed` whom that lets go on: also one before it that claimed a node while this one ran there.
    pub(super) fn stop(&mut self, op: u64, freed: &mut BTreeSet<u64>) {
        self.of_each_queue(op, Queue::rest);
        for node in self.claims.get(&op).into_iter().flat_map(BTreeMap::keys) {
            let Some(queue) = self.queues.get(node) else { continue };
            let first_alone = queue.alone.first().copied();
            freed.extend(first_alone);
            freed.extend(queue.attach.range(..first_alone.unwrap_or(u64::MAX)));
        }
    }

    fn of_each_queue(&mut self, op: u64, change: impl Fn(&mut Queue, u64)) {
        for node in self.claims.get(&op).into_iter().flat_map(BTreeMap::keys) {
            if let Some(queue) = self.queues.get_mut(node) {
                change(queue, op);
            }
        }
    }

    /// The commands that run and claim this node.
    pub(super) fn running_at(&self, node: NodeId) -> impl Iterator<Item = u64> + '_ {
        let queue = self.queues.get(&node).into_iter();
        queue.flat_map(|queue| queue.running_alone.iter().chain(&queue.running_attach).copied())
    }

    /// The command is done; appends to `freed` whom that lets go on.
    pub(super) fn release(&mut self, op: u64, freed: &mut BTreeSet<u64>) -> Vec<NodeId> {
        self.leave(op, freed)
    }

    fn leave(&mut self, op: u64, freed: &mut BTreeSet<u64>) -> Vec<NodeId> {
        let Some(claims) = self.claims.remove(&op) else { return Vec::new() };
        for (&node, &claim) in &claims {
            let Some(queue) = self.queues.get_mut(&node) else { continue };
            queue.alone.remove(&op);
            queue.whole.remove(&op);
            queue.attach.remove(&op);
            queue.rest(op);
            let first_alone = queue.alone.first().copied();
            freed.extend(first_alone);
            if claim != Claim::Attach {
                freed.extend(queue.attach.range(..first_alone.unwrap_or(u64::MAX)));
            }
            if queue.alone.is_empty() && queue.attach.is_empty() {
                self.queues.remove(&node);
            }
        }
        claims.into_keys().collect()
    }

    /// Whether a command before `op` makes, moves or ends this node.
    pub(super) fn is_claimed_before(&self, node: NodeId, op: u64) -> bool {
        self.first_whole(node).is_some_and(|first| first < op)
    }

    /// The first command that makes, moves or ends this node.
    pub(super) fn first_whole(&self, node: NodeId) -> Option<u64> {
        self.queues.get(&node).and_then(|queue| queue.whole.first().copied())
    }

    /// The commands before `op` that claim the whole node.
    pub(super) fn whole_before(&self, node: NodeId, op: u64) -> impl Iterator<Item = u64> + '_ {
        self.queues.get(&node).into_iter().flat_map(move |queue| queue.whole.range(..op).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(of: &[(NodeId, Claim)]) -> BTreeMap<NodeId, Claim> {
        of.iter().copied().collect()
    }

    #[test]
    fn attaches_share_a_node_and_a_whole_claim_waits_for_them() {
        let (mut locks, mut freed) = (Locks::default(), BTreeSet::new());
        locks.claim(1, claims(&[(7, Claim::Attach), (1, Claim::Whole)]), &mut freed);
        locks.claim(2, claims(&[(7, Claim::Attach), (2, Claim::Whole)]), &mut freed);
        locks.claim(3, claims(&[(7, Claim::Whole)]), &mut freed);
        locks.claim(4, claims(&[(7, Claim::Attach), (4, Claim::Whole)]), &mut freed);
        assert_eq!([1, 2, 3, 4].map(|op| locks.may_start(op)), [true, true, false, false]);
        locks.start(1);
        locks.start(2);
        locks.release(1, &mut freed);
        locks.release(2, &mut freed);
        assert!(freed.contains(&3) && locks.may_start(3) && !locks.may_start(4));
        freed.clear();
        locks.release(3, &mut freed);
        assert!(freed.contains(&4) && locks.may_start(4));
    }

    #[test]
    fn a_claim_made_late_goes_on_when_what_ran_starts_again() {
        let (mut locks, mut freed) = (Locks::default(), BTreeSet::new());
        locks.claim(1, claims(&[(1, Claim::Whole)]), &mut freed);
        locks.claim(2, claims(&[(2, Claim::Whole)]), &mut freed);
        locks.start(2);
        locks.claim(1, claims(&[(1, Claim::Whole), (2, Claim::Below)]), &mut freed);
        assert!(!locks.may_start(1));
        freed.clear();
        locks.stop(2, &mut freed);
        assert!(freed.contains(&1) && locks.may_start(1) && !locks.may_start(2));
    }

    #[test]
    fn a_claim_made_late_waits_for_what_runs() {
        let (mut locks, mut freed) = (Locks::default(), BTreeSet::new());
        locks.claim(1, claims(&[(1, Claim::Whole)]), &mut freed);
        locks.claim(2, claims(&[(2, Claim::Whole)]), &mut freed);
        locks.start(2);
        locks.claim(1, claims(&[(1, Claim::Whole), (2, Claim::Whole)]), &mut freed);
        assert!(!locks.may_start(1));
        locks.release(2, &mut freed);
        assert!(freed.contains(&1) && locks.may_start(1) && locks.first() == Some(1));
    }
}
