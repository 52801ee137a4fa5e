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
    /// A node is reported after three periods of quiet.
    NoticeTooEarly,
    /// A node that is back is not reported as available.
    ReturnNotNoticed,
    /// A re-link that moves several children hangs only the first of them up again.
    RelinkLosesChild,
    /// Of commands that have waited for the same node the last one goes first.
    FirstInFirstOutBroken,
    /// What is acknowledged stays in memory.
    AnswersKept,
    /// What the peer has given up is waited for.
    GapBlocksForEver,
    /// Taking gives the peer no credit.
    CreditNeverReturned,
    /// The timer is not set again after a repeat.
    TimerNotSetAgain,
    /// An exec counts as done when its request has been acknowledged.
    AckTakenForDone,
    /// All levels of the tree must answer a pingall at the same time.
    WaveDeadlineNotShrunk,
    /// A node takes what was meant for an earlier life of its id.
    StaleIncarnationAccepted,
    /// `ping` asks the node itself and not the way to it.
    RequestOnTheControlPlane,
    /// When a node dies, what is under way below it is waited for.
    PendingBelowTheDead,
    /// A node that was silent once is taken for silent for ever.
    SilenceForEver,
    /// A node goes on sending to a child that it has lost to another one.
    RetiredLinkUsed,
    /// A node goes on answering to the parent that it had before.
    OldParentKept,
    /// A child that stays where it is in a re-link keeps its old place in its parent's eyes.
    PlaceNotChanged,
    /// A create is accepted while another one of the same id is under way.
    DuplicateCreate,
    /// `resume` changes the books and not the node.
    ResumeForgotten,
    /// `pingall`, `all` and `tree` do not wait for the changes before them.
    BarrierIgnored,
    /// What waits for a re-link above its node is forgotten.
    ParkedForgotten,
    /// A node that is created again goes on with the session of its earlier life.
    SessionOutlivesItsNode,
    /// A wave carries a moment on the sender's clock, and nodes compare it with theirs.
    DeadlineOnTheWallClock,
    /// Processes inherit the ends of other processes' links.
    CloseOnExecMissing,
    /// The end of a process is seen, and it is not reaped.
    ZombieNotReaped,
    /// A change of the tree that is undone leaves the links that it has made.
    UndoLeavesLinks,
    /// A greeting that is faster than the control node's word about its link is forgotten.
    EarlyGreetingForgotten,
    /// A link that may lose repeats nothing.
    LossNotRepeated,
    /// What is sent over a link that repeats is handed on as it is.
    RepeatBypassed,
    /// A link that repeats begins anew with each fault, and forgets what is under way.
    RepeatBegunAnew,
    /// Of what has come over a link in order only the first is taken.
    OnlyFirstTaken,
    /// A fault of one direction of a link holds for the other one too.
    DirectionIgnored,
    /// A fault of a link that is healed stays.
    HealedFaultStays,
    /// All links draw from one generator.
    ChanceShared,
    /// A fault that damages one frame damages those behind it.
    DamagedForEver,
    /// A node does not tell that a link has ended that it does not use yet.
    UnusedLinkNotMissed,
}

impl Bug {
    /// All of them.
    #[cfg(feature = "testing")]
    pub const ALL: [Self; 42] = [
        Self::PingallWithoutDescendants,
        Self::ReplyTwice,
        Self::AtMostOnceMissing,
        Self::SearchTreeDelete,
        Self::BalancedOffByTwo,
        Self::SubtreeNotMarkedDown,
        Self::NoticeTooEarly,
        Self::ReturnNotNoticed,
        Self::RelinkLosesChild,
        Self::FirstInFirstOutBroken,
        Self::AnswersKept,
        Self::GapBlocksForEver,
        Self::CreditNeverReturned,
        Self::TimerNotSetAgain,
        Self::AckTakenForDone,
        Self::WaveDeadlineNotShrunk,
        Self::StaleIncarnationAccepted,
        Self::RequestOnTheControlPlane,
        Self::PendingBelowTheDead,
        Self::SilenceForEver,
        Self::RetiredLinkUsed,
        Self::OldParentKept,
        Self::PlaceNotChanged,
        Self::DuplicateCreate,
        Self::ResumeForgotten,
        Self::BarrierIgnored,
        Self::ParkedForgotten,
        Self::SessionOutlivesItsNode,
        Self::DeadlineOnTheWallClock,
        Self::CloseOnExecMissing,
        Self::ZombieNotReaped,
        Self::UndoLeavesLinks,
        Self::EarlyGreetingForgotten,
        Self::LossNotRepeated,
        Self::RepeatBypassed,
        Self::RepeatBegunAnew,
        Self::OnlyFirstTaken,
        Self::DirectionIgnored,
        Self::HealedFaultStays,
        Self::ChanceShared,
        Self::DamagedForEver,
        Self::UnusedLinkNotMissed,
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
