//! Faults from code.

use super::NodeTree;
use crate::command_sets::CommandSet;
use crate::commands::{Answer, Command, Refusal};
use crate::error::WaitError;
use crate::faults::Fault;

/// Why a fault is not armed. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The system has refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system has not answered.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

/// A fault that is armed or under way. It is healed when the guard is dropped, but for what cannot be healed: whoever
/// was killed stays dead.
#[must_use = "the fault is healed when this is dropped"]
pub struct FaultGuard<'t, C: CommandSet> {
    tree: &'t NodeTree<C>,
    number: u64,
}

impl<C: CommandSet> NodeTree<C> {
    /// Arms a fault, and waits until it is known to all who have a part in it.
    ///
    /// ```
    /// use nodetree::{Dictionary, Mode, NodeTree};
    /// let tree = NodeTree::<Dictionary>::builder().mode(Mode::Simulated).start()?;
    /// tree.line("create 5")?;
    /// let cut = tree.inject("Cut(links: Above(5))".parse()?)?;
    /// assert_eq!(tree.line("ping 5")?, "Ok: 0");
    /// assert_eq!(tree.line("faults")?, "Ok: 1 cut the link above 5");
    /// drop(cut);
    /// assert_eq!(tree.line("ping 5")?, "Ok: 1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the fault means nothing, there are too many, or the system has ended.
    pub fn inject(&self, fault: Fault) -> Result<FaultGuard<'_, C>, InjectError> {
        fault.check().map_err(|wrong| Refusal::Command(wrong.into()))?;
        match self.call(Command::Fault { fault })? {
            Answer::Armed { number } => Ok(FaultGuard { tree: self, number }),
            Answer::Refused(refusal) => Err(refusal.into()),
            _ => Err(WaitError::Ended.into()),
        }
    }
}

impl<C: CommandSet> FaultGuard<'_, C> {
    /// Its number, as `faults` shows it and `heal` takes it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Leaves the fault as it is, for as long as the system lives, and gives its number.
    pub fn keep(self) -> u64 {
        let number = self.number;
        std::mem::forget(self);
        number
    }
}

impl<C: CommandSet> Drop for FaultGuard<'_, C> {
    fn drop(&mut self) {
        // What is over already, or whose system has ended, needs no healing.
        let _ = self.tree.call(Command::Heal { number: self.number });
    }
}
