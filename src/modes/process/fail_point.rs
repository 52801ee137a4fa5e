//! Moments at which the process of a node does itself harm, so that tests can place a death exactly.
//!
//! Only with the feature `testing`. The environment variable [`VARIABLE`] holds any number of them, each as five words:
//!
//! ```text
//! ID KIND N WHEN ACTION; …        7 Request 2 after kill; 9 Switch 1 before stop
//! ```
//!
//! At node `ID`, the `N`th envelope or control message of this `KIND` (the name of the variant, as in `docs/wire.md`):
//! `before` it takes effect, `after` it has, with nothing that came of it written yet, or when all that came of it has
//! been `sent`. `ACTION` is `kill`, `stop`, `abort`, `segv`, `panic`, `overflow` or `spin`.

use std::cell::RefCell;
use std::str::FromStr;

use rustix::process::{Signal, getpid, kill_process};

use crate::actors::NodeInput;
use crate::topology::NodeId;

/// The environment variable that nodes read.
const VARIABLE: &str = "NODETREE_FAIL_POINTS";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Signal(Signal),
    Abort,
    Panic,
    Overflow,
    Spin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FailPoint {
    node: NodeId,
    kind: String,
    /// How many of this kind are still to come, this one included.
    countdown: u64,
    when: When,
    action: Action,
}

/// The fail points of one node.
#[derive(Default)]
pub(super) struct FailPoints {
    waiting: RefCell<Vec<FailPoint>>,
    /// What is to happen when the input of now has been taken.
    due: RefCell<Vec<(When, Action)>>,
}

impl FailPoints {
    /// Those that the environment names for this node.
    ///
    /// # Errors
    /// What cannot be read.
    pub(super) fn of(node: NodeId) -> Result<Self, String> {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let all = text.split(';').map(str::trim).filter(|point| !point.is_empty()).map(FailPoint::from_str);
        let all: Vec<FailPoint> = all.collect::<Result<_, _>>()?;
        let ours = all.into_iter().filter(|point| point.node == node).collect();
        Ok(Self { waiting: RefCell::new(ours), due: RefCell::default() })
    }

    /// The node is about to take this.
    pub(super) fn before(&self, input: &NodeInput) {
        let Some(kind) = input.kind() else { return };
        let mut waiting = self.waiting.borrow_mut();
        let reached = waiting.extract_if(.., |point| {
            point.countdown -= u64::from(point.kind == kind);
            point.countdown == 0
        });
        for point in reached {
            match point.when {
                When::Before => point.action.perform(),
                when => self.due.borrow_mut().push((when, point.action)),
            }
        }
    }

    /// The node has taken it. What is to happen when all has been sent.
    pub(super) fn after(&self) -> Vec<Action> {
        let due = std::mem::take(&mut *self.due.borrow_mut());
        let (now, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(when, _)| *when == When::After);
        now.into_iter().for_each(|(_, action)| action.perform());
        later.into_iter().map(|(_, action)| action).collect()
    }
}

impl Action {
    pub(super) fn perform(self) {
        match self {
            // It takes effect before the call returns.
            Self::Signal(signal) => {
                // The runtime's handler takes the first SIGSEGV for a fault that comes again, and puts itself away.
                let times = if signal == Signal::SEGV { 2 } else { 1 };
                for _ in 0..times {
                    let _ = kill_process(getpid(), signal);
                }
            }
            Self::Abort => std::process::abort(),
            Self::Panic => panic!("a fail point"),
            Self::Overflow => drop(overflow(0)),
            Self::Spin => loop {
                std::hint::spin_loop();
            },
        }
    }
}

/// Goes on until there is no stack left.
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    if std::hint::black_box(true) { overflow(depth + 1) + room[0] } else { room[1] }
}

impl FromStr for FailPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{VARIABLE}: {text:?} is not `ID KIND N WHEN ACTION`");
        let words: Vec<&str> = text.split_whitespace().collect();
        let [node, kind, count, when, action] = words[..] else { return Err(wrong()) };
        let node = node.parse().map_err(|_| wrong())?;
        let countdown = count.parse().ok().filter(|&count| count > 0).ok_or_else(wrong)?;
        let when = match when {
            "before" => When::Before,
            "after" => When::After,
            "sent" => When::Sent,
            _ => return Err(wrong()),
        };
        let action = match action {
            "kill" => Action::Signal(Signal::KILL),
            "stop" => Action::Signal(Signal::STOP),
            "segv" => Action::Signal(Signal::SEGV),
            "abort" => Action::Abort,
            "panic" => Action::Panic,
            "overflow" => Action::Overflow,
            "spin" => Action::Spin,
            _ => return Err(wrong()),
        };
        Ok(Self { node, kind: kind.to_owned(), countdown, when, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_point_is_five_words() {
        let point: FailPoint = "-7 Request 2 after kill".parse().unwrap();
        assert_eq!((point.node, point.kind.as_str(), point.countdown), (-7, "Request", 2));
        assert_eq!((point.when, point.action), (When::After, Action::Signal(Signal::KILL)));
        for wrong in ["", "7 Request 0 after kill", "7 Request 1 later kill", "7 Request 1 sent", "x Ping 1 sent kill"]
        {
            assert!(wrong.parse::<FailPoint>().is_err(), "{wrong:?}");
        }
    }
}
