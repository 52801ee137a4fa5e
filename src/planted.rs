//! Bugs that can be planted, so that tests show that they would be found.
//!
//! Only with the feature `testing`, and only while a [`Planted`] guard lives; all systems of the process
//! are affected, so the tests that plant bugs have a test program of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
    /// `pingall` names a node that does not answer, but not its descendants.
    PingallWithoutDescendants,
    /// A reply is handed out twice.
    ReplyTwice,
    /// A segment that comes twice is delivered twice.
    AtMostOnceMissing,
    /// Removing a node with two children from a search tree puts the wrong node in its place.
    SearchTreeDelete,
    /// The balanced tree lets the sizes of two subtrees differ by two.
    BalancedOffByTwo,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::PingallWithoutDescendants,
        Self::ReplyTwice,
        Self::AtMostOnceMissing,
        Self::SearchTreeDelete,
        Self::BalancedOffByTwo,
    ];

    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

static PLANTED: AtomicU64 = AtomicU64::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps a bug planted until it is dropped.
#[derive(Debug)]
pub struct Planted {
    bug: Bug,
    _turn: MutexGuard<'static, ()>,
}

/// Plants `bug`; waits for the turn when another one is planted.
///
/// ```
/// use nodetree::planted::{Bug, is_planted, plant};
/// let guard = plant(Bug::ReplyTwice);
/// assert!(is_planted(Bug::ReplyTwice) && !is_planted(Bug::BalancedOffByTwo));
/// drop(guard);
/// assert!(!is_planted(Bug::ReplyTwice));
/// ```
pub fn plant(bug: Bug) -> Planted {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    PLANTED.fetch_or(bug.bit(), Ordering::SeqCst);
    Planted { bug, _turn: turn }
}

impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.fetch_and(!self.bug.bit(), Ordering::SeqCst);
    }
}

/// Whether `bug` is planted now.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) & bug.bit() != 0
}
