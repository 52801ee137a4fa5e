//! Bugs that can be planted, so that tests show that they would be found.
//!
//! Only with the feature `testing`, and only while a [`Planted`] guard lives; all systems of the process
//! are affected, so the tests that plant bugs have a test program of their own. Without the feature the question
//! whether a bug is planted is answered where it is compiled, and costs nothing.

#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "testing")]
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "some are planted in what only tests have"))]
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
    /// A node dies, and those below it are taken for alive.
    SubtreeNotMarkedDown,
    /// A re-link that moves several children hangs only the first of them up again.
    RelinkLosesChild,
    /// A node takes what was meant for an earlier life of its id.
    StaleIncarnationAccepted,
    /// A node goes on sending to a child that it has lost to another one.
    RetiredLinkUsed,
    /// A node goes on answering to the parent that it had before.
    OldParentKept,
    /// A change of the tree that is undone leaves the links that it has made.
    UndoLeavesLinks,
    /// A greeting that is faster than the control node's word about its link is forgotten.
    EarlyGreetingForgotten,
    /// A link that may lose repeats nothing.
    LossNotRepeated,
}

impl Bug {
    /// All of them.
    #[cfg(feature = "testing")]
    pub const ALL: [Self; 13] = [
        Self::PingallWithoutDescendants,
        Self::ReplyTwice,
        Self::AtMostOnceMissing,
        Self::SearchTreeDelete,
        Self::BalancedOffByTwo,
        Self::SubtreeNotMarkedDown,
        Self::RelinkLosesChild,
        Self::StaleIncarnationAccepted,
        Self::RetiredLinkUsed,
        Self::OldParentKept,
        Self::UndoLeavesLinks,
        Self::EarlyGreetingForgotten,
        Self::LossNotRepeated,
    ];

    #[cfg(feature = "testing")]
    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

#[cfg(feature = "testing")]
static PLANTED: AtomicU64 = AtomicU64::new(0);
#[cfg(feature = "testing")]
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Keeps a bug planted until it is dropped.
#[cfg(feature = "testing")]
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
#[cfg(feature = "testing")]
pub fn plant(bug: Bug) -> Planted {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    PLANTED.fetch_or(bug.bit(), Ordering::SeqCst);
    Planted { bug, _turn: turn }
}

#[cfg(feature = "testing")]
impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.fetch_and(!self.bug.bit(), Ordering::SeqCst);
    }
}

/// Whether `bug` is planted now.
#[cfg(feature = "testing")]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) & bug.bit() != 0
}

/// No bug is planted without the feature `testing`.
#[cfg(not(feature = "testing"))]
pub const fn is_planted(_: Bug) -> bool {
    false
}
