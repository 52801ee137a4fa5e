//! What faults do to a node, as far as its own process does it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::fail_point::{Action, FailPoints};
use super::link_faults::{LinkFaults, Told};
use super::node::{Host, LAST_WORDS};
use crate::actors::NodeMail;
use crate::actors::message::ControlUp;
use crate::faults::{Fault, FaultKind, Moment, Trigger};

/// The faults that this process has a part in.
pub(super) struct NodeFaults {
    pub(super) links: Rc<LinkFaults>,
    pub(super) points: FailPoints,
    slow: RefCell<BTreeMap<u64, Duration>>,
    healed: Notify,
}

impl NodeFaults {
    pub(super) fn new(seed: u64, points: FailPoints, host: &Weak<Host>) -> Self {
        let host = Weak::clone(host);
        let happened = move |number| -> Told {
            let host = host.upgrade();
            if let Some(host) = &host {
                host.report(ControlUp::Happened { number });
            }
            Box::pin(async move {
                if let Some(host) = host {
                    // A control node that reads nothing is not waited for.
                    let _ = tokio::time::timeout(LAST_WORDS, host.control_is_told()).await;
                }
            })
        };
        Self {
            links: Rc::new(LinkFaults::new(seed, happened)),
            points,
            slow: RefCell::default(),
            healed: Notify::new(),
        }
    }

    fn begin(&self, number: u64, fault: &Fault) {
        match &fault.what {
            _ if matches!(fault.when, Trigger::Envelope { .. }) => self.points.watch_for(number, fault),
            FaultKind::Slow { by, .. } => drop(self.slow.borrow_mut().insert(number, by.0)),
            kind => self.links.start(number, kind),
        }
    }

    fn heal(&self, number: u64) {
        self.links.heal(number);
        self.points.forget(number);
        if self.slow.borrow_mut().remove(&number).is_some() {
            self.healed.notify_waiters();
        }
    }

    /// Lets so much time pass; no more when the node is not slow any more.
    async fn take_time(&self, pace: Duration) {
        let until = Instant::now() + pace;
        while !self.pace().is_zero() && Instant::now() < until {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.healed.notified() => {}
            }
        }
    }

    /// How long the node takes for what comes to it.
    fn pace(&self) -> Duration {
        self.slow.borrow().values().fold(Duration::ZERO, |sum, by| sum.saturating_add(*by))
    }
}

impl Host {
    pub(super) fn begin_fault(&self, number: u64, fault: &Fault) {
        tracing::info!(number, %fault, "a fault begins");
        self.faults.begin(number, fault);
        self.report(ControlUp::FaultTaken { number });
    }

    pub(super) fn end_fault(&self, number: u64) {
        tracing::info!(number, "a fault is over");
        self.faults.heal(number);
        self.report(ControlUp::FaultTaken { number });
    }

    /// The node has come to this moment of an input; false when it stands still there.
    pub(super) fn may_go_on(&self, now: Moment) -> bool {
        let mut may_go_on = true;
        for action in self.faults.points.due(now) {
            if let Some(number) = action.fault {
                // It says so before it is struck, and until then takes nothing more.
                self.report(ControlUp::Happened { number });
                self.gate.stop();
                may_go_on = false;
            }
            if action.fault.is_some() || now == Moment::Answered {
                self.perform_when_all_is_written(action);
            } else {
                action.perform();
            }
        }
        may_go_on
    }

    fn perform_when_all_is_written(&self, action: Action) {
        let Some(host) = self.this.upgrade() else { return };
        actix_rt::spawn(async move {
            // A reader that reads nothing is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, host.all_is_written()).await;
            action.perform();
            // Whoever was stopped goes on here.
            host.go_on();
        });
    }

    /// Whether the node takes what has come at once, and not later because it is slow.
    pub(super) fn is_in_time(&self) -> bool {
        let pace = self.faults.pace();
        if pace.is_zero() {
            return true;
        }
        let Some(host) = self.this.upgrade() else { return true };
        self.gate.stop();
        actix_rt::spawn(async move {
            host.faults.take_time(pace).await;
            host.go_on();
        });
        false
    }

    fn go_on(&self) {
        self.gate.go_on();
        self.tell(NodeMail::GateMoved);
    }
}
