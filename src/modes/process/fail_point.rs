//! Moments at which the process of a node does itself harm: a fault that waits for an envelope says when, or, so that
//! tests can place a death of any kind, the environment.
//!
//! Only with the feature `testing`, the environment variable `NODETREE_FAIL_POINTS` holds any number of them, each as
//! five words:
//!
//! ```text
//! ID KIND N WHEN ACTION; …        7 Request 2 after kill; 9 Switch 1 before stop
//! ```
//!
//! At node `ID`, the `N`th envelope or control message of this `KIND` (the name of the variant, as in `docs/wire.md`):
//! `before` it takes effect, `after` it has, with nothing that came of it written yet, or when all that came of it has
//! been `sent`. `ACTION` is `kill`, `stop`, `abort`, `segv`, `panic`, `overflow` or `spin`.

use std::cell::{Cell, RefCell};

use rustix::process::{Signal, getpid, kill_process};

use crate::actors::NodeInput;
use crate::faults::{Fault, FaultKind, Moment, Trigger};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    /// The fault that does it, if one does.
    pub(super) fault: Option<u64>,
    deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Signal(Signal),
    #[cfg(feature = "testing")]
    Abort,
    #[cfg(feature = "testing")]
    Panic,
    #[cfg(feature = "testing")]
    Overflow,
    #[cfg(feature = "testing")]
    Spin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FailPoint {
    kind: String,
    /// How many of this kind are still to come, this one included.
    countdown: u64,
    moment: Moment,
    action: Action,
}

/// The fail points of one node. Where there are none, a look at a flag is all that they cost.
#[derive(Default)]
pub(super) struct FailPoints {
    any: Cell<bool>,
    waiting: RefCell<Vec<FailPoint>>,
    /// What is to happen when the input of now has got so far.
    due: RefCell<Vec<(Moment, Action)>>,
}

impl FailPoints {
    /// From now on a fault is looked for, if an envelope sets it off.
    pub(super) fn watch_for(&self, number: u64, fault: &Fault) {
        let signal = if matches!(fault.what, FaultKind::Pause(_)) { Signal::STOP } else { Signal::KILL };
        if let Trigger::Envelope { kind, nth, moment } = fault.when {
            let action = Action { fault: Some(number), deed: Deed::Signal(signal) };
            self.waiting.borrow_mut().push(FailPoint {
                kind: kind.name().to_owned(),
                countdown: nth.max(1),
                moment,
                action,
            });
            self.any.set(true);
        }
    }

    /// The fault with this number is not looked for any more.
    pub(super) fn forget(&self, number: u64) {
        self.waiting.borrow_mut().retain(|point| point.action.fault != Some(number));
    }

    /// The node is about to take this: counts it.
    pub(super) fn count(&self, input: &NodeInput) {
        if !self.any.get() {
            return;
        }
        let Some(kind) = input.kind() else { return };
        let mut waiting = self.waiting.borrow_mut();
        let reached = waiting.extract_if(.., |point| {
            point.countdown -= u64::from(point.kind == kind);
            point.countdown == 0
        });
        self.due.borrow_mut().extend(reached.map(|point| (point.moment, point.action)));
    }

    /// What is to happen at this moment of the input of now.
    pub(super) fn due(&self, now: Moment) -> Vec<Action> {
        if !self.any.get() {
            return Vec::new();
        }
        self.due.borrow_mut().extract_if(.., |(moment, _)| *moment == now).map(|(_, action)| action).collect()
    }
}

impl Action {
    pub(super) fn perform(self) {
        match self.deed {
            // It takes effect before the call returns.
            Deed::Signal(signal) => {
                // The runtime's handler takes the first SIGSEGV for a fault that comes again, and puts itself away.
                let times = if signal == Signal::SEGV { 2 } else { 1 };
                for _ in 0..times {
                    let _ = kill_process(getpid(), signal);
                }
            }
            #[cfg(feature = "testing")]
            Deed::Abort => std::process::abort(),
            #[cfg(feature = "testing")]
            Deed::Panic => panic!("a fail point"),
            #[cfg(feature = "testing")]
            Deed::Overflow => drop(from_environment::overflow(0)),
            #[cfg(feature = "testing")]
            Deed::Spin => loop {
                std::hint::spin_loop();
            },
        }
    }
}

#[cfg(feature = "testing")]
mod from_environment {
    use std::cell::{Cell, RefCell};
    use std::str::FromStr;

    use rustix::process::Signal;

    use super::{Action, Deed, FailPoint, FailPoints};
    use crate::faults::Moment;
    use crate::topology::NodeId;

    /// The environment variable that nodes read.
    const VARIABLE: &str = "NODETREE_FAIL_POINTS";

    impl FailPoints {
        /// Those that the environment names for this node.
        ///
        /// # Errors
        /// What cannot be read.
        pub(in super::super) fn of(node: NodeId) -> Result<Self, String> {
            let text = std::env::var(VARIABLE).unwrap_or_default();
            let all = text.split(';').map(str::trim).filter(|point| !point.is_empty()).map(Named::from_str);
            let all: Vec<Named> = all.collect::<Result<_, _>>()?;
            let ours: Vec<FailPoint> =
                all.into_iter().filter(|named| named.node == node).map(|named| named.point).collect();
            Ok(Self { any: Cell::new(!ours.is_empty()), waiting: RefCell::new(ours), due: RefCell::default() })
        }
    }

    /// Goes on until there is no stack left.
    pub(super) fn overflow(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 512]);
        if std::hint::black_box(true) { overflow(depth + 1) + room[0] } else { room[1] }
    }

    /// A fail point, and whose it is.
    struct Named {
        node: NodeId,
        point: FailPoint,
    }

    impl FromStr for Named {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let wrong = || format!("{VARIABLE}: {text:?} is not `ID KIND N WHEN ACTION`");
            let words: Vec<&str> = text.split_whitespace().collect();
            let [node, kind, count, when, action] = words[..] else { return Err(wrong()) };
            let node = node.parse().map_err(|_| wrong())?;
            let countdown = count.parse().ok().filter(|&count| count > 0).ok_or_else(wrong)?;
            let moment = match when {
                "before" => Moment::Before,
                "after" => Moment::Applied,
                "sent" => Moment::Answered,
                _ => return Err(wrong()),
            };
            let deed = match action {
                "kill" => Deed::Signal(Signal::KILL),
                "stop" => Deed::Signal(Signal::STOP),
                "segv" => Deed::Signal(Signal::SEGV),
                "abort" => Deed::Abort,
                "panic" => Deed::Panic,
                "overflow" => Deed::Overflow,
                "spin" => Deed::Spin,
                _ => return Err(wrong()),
            };
            let action = Action { fault: None, deed };
            Ok(Self { node, point: FailPoint { kind: kind.to_owned(), countdown, moment, action } })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_fail_point_is_five_words() {
            let Named { node, point } = "-7 Request 2 after kill".parse().unwrap();
            assert_eq!((node, point.kind.as_str(), point.countdown), (-7, "Request", 2));
            assert_eq!((point.moment, point.action.deed), (Moment::Applied, Deed::Signal(Signal::KILL)));
            for wrong in
                ["", "7 Request 0 after kill", "7 Request 1 later kill", "7 Request 1 sent", "x Ping 1 sent kill"]
            {
                assert!(wrong.parse::<Named>().is_err(), "{wrong:?}");
            }
        }
    }
}
