//! What an exploration of all states needs of the nodes: which states are the same, and what stands in the books.
//!
//! Two states are the same when they do the same from then on. So what only grows and is never compared again is left
//! out, and what lies in a hash table counts whatever its order. Each list of fields is complete: a new field has to be
//! put here, or there is an error.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use super::message::{LinkId, NodeKey};
use crate::testing::explore::Fingerprint;
use crate::topology::{NodeId, Slot};

/// A node as the control node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Who it is.
    pub key: NodeKey,
    /// The node above it.
    pub parent: NodeId,
    /// Its place there.
    pub slot: Slot,
    /// The link between them.
    pub uplink: LinkId,
    /// Whether it is alive, as far as anybody knows.
    pub is_up: bool,
}

/// What a node has of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The link to the parent.
    pub parent: Option<LinkId>,
    /// The links to the children in use, who is there, and in which place.
    pub children: Vec<(LinkId, NodeKey, Slot)>,
    /// Every link that is open.
    pub open: Vec<LinkId>,
    /// What is under way, in words; empty at rest.
    pub under_way: String,
}

/// The same whatever the order of the table.
pub(super) fn hash_table<K: Hash, V: Hash, S: BuildHasher>(table: &HashMap<K, V, S>, state: &mut impl Hasher) {
    let sum = table.iter().fold(0_u128, |sum, entry| sum.wrapping_add(Fingerprint::of(&entry)));
    (table.len(), sum).hash(state);
}

/// One after the other, and how many they are.
pub(super) fn hash_all<T: Hash>(all: impl Iterator<Item = T>, state: &mut impl Hasher) {
    let count = all.fold(0_usize, |count, one| {
        one.hash(state);
        count + 1
    });
    count.hash(state);
}
