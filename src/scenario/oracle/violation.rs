//! What the oracle says when a system broke its contract.

use std::fmt;

/// The promise that was broken. The numbers are those of the catalogue of invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: exactly one reply to every accepted command.
    OneReply,
    /// I2: the reply is the one of the grammar; of several errors the first in the documented order.
    Text,
    /// I3: replies to the execs of one node come in the order of the commands.
    ExecOrder,
    /// I5 (with I4 and I6): what an exec returns follows from the execs that took effect before it.
    Register,
    /// I9: the forest, as `all` and `tree` show it, has the shape that the topology prescribes.
    Forest,
    /// I10: a fault is felt by what is below it and by nothing else.
    BlastRadius,
    /// I11: no notice for a node that has been heard from.
    FalseNotice,
    /// I12: silence is reported between 4t and 5t, once; the return is reported once.
    Detection,
    /// I21: a dead node answers nothing.
    Dead,
    /// I22: of several creates of one id one succeeds.
    OneCreate,
    /// I23: pingall lists what was down at some moment between request and reply.
    PingAll,
    /// I27: a reply comes when the specification says, not before and not much later.
    Promptness,
    /// A pid is a positive number and never used twice.
    Pid,
    /// `wait`: the time has passed, the earlier commands are answered, the next line is not read before.
    Wait,
    /// The history is none: a reply to nothing, time that runs backwards. The harness is wrong, not the system.
    History,
}

impl Invariant {
    /// The number in the catalogue of invariants, or a name where it has none.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneReply => "I1",
            Self::Text => "I2",
            Self::ExecOrder => "I3",
            Self::Register => "I5",
            Self::Forest => "I9",
            Self::BlastRadius => "I10",
            Self::FalseNotice => "I11",
            Self::Detection => "I12",
            Self::Dead => "I21",
            Self::OneCreate => "I22",
            Self::PingAll => "I23",
            Self::Promptness => "I27",
            Self::Pid => "pid",
            Self::Wait => "wait",
            Self::History => "history",
        }
    }
}

/// One broken promise: which, by which command, what was allowed and what came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violation {
    /// The promise.
    pub invariant: Invariant,
    /// The number of the command whose reply is wrong; none for a notice.
    pub command: Option<u64>,
    /// That command as it was typed; empty for a notice.
    pub typed: String,
    /// When the wrong thing came, in microseconds of the mode's clock.
    pub at_us: u64,
    /// What the specification allows there.
    pub allowed: String,
    /// What came instead.
    pub came: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {}.{:03} ms", self.invariant.name(), self.at_us / 1000, self.at_us % 1000)?;
        if let Some(number) = self.command {
            write!(f, " by command {number}, {:?}", self.typed)?;
        }
        write!(f, "\n  allowed: {}\n  came:    {}", self.allowed, self.came)
    }
}

impl Violation {
    /// One that no command is to blame for.
    pub(super) fn general(
        invariant: Invariant,
        at_us: u64,
        allowed: impl Into<String>,
        came: impl Into<String>,
    ) -> Self {
        Self { invariant, command: None, typed: String::new(), at_us, allowed: allowed.into(), came: came.into() }
    }
}
