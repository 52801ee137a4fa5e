//! The threads mode: the control node and the tree as actors on one arbiter, in real time.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};
use std::time::Instant;

use actix::{Actor, Recipient};

use super::engine::Parts;
use super::local::{Carrier, Local, LocalFabric, Parcel};
use super::real_time::{Begun, RealTime, Wheel};
use crate::actors::message::{Nanos, NodeKey};
use crate::actors::{Address, ControlActor, ControlNode, FromNode, LongJob, NodeHost, NodeMail, Submissions};

struct ThreadCarrier {
    wheel: Rc<Wheel<NodeKey>>,
    local: OnceCell<Weak<Local<ThreadCarrier>>>,
}

impl ThreadCarrier {
    fn local(&self) -> Option<Rc<Local<Self>>> {
        self.local.get().and_then(Weak::upgrade)
    }
}

impl Carrier for ThreadCarrier {
    fn now(&self) -> Nanos {
        self.wheel.now()
    }

    fn carry(&self, parcel: Parcel) {
        if let Some(local) = self.local() {
            local.deliver(parcel);
        }
    }

    fn wake_at(&self, who: NodeKey, at: Nanos) {
        if at <= self.now() {
            return self.carry(Parcel::wake(who));
        }
        self.wheel.add(at, who);
    }

    fn run_long(&self, node: NodeKey, job: LongJob) {
        let (Some(local), now) = (self.local(), self.now()) else { return };
        actix_rt::spawn(async move {
            match tokio::task::spawn_blocking(move || job.run(now)).await {
                Ok(result) => local.deliver(Parcel::ToNode(node, NodeMail::LongDone(result))),
                // A panic in a command set is the death of the node.
                Err(_) => local.ended(node),
            }
        });
    }

    fn link_address(&self, direct: Address) -> Address {
        direct
    }

    fn control_address(&self, direct: Recipient<FromNode>) -> Recipient<FromNode> {
        direct
    }
}

/// Starts a threads system.
pub(super) fn start(parts: Parts) -> std::io::Result<RealTime> {
    RealTime::start(parts, |parts, start| Ok(begin(parts, start)))
}

fn begin(parts: Parts, start: Instant) -> Begun {
    let Parts { config, make_executor, sink, submissions, trace, awake, shared: _ } = parts;
    let wheel = Rc::new(Wheel::new(start));
    let carrier = ThreadCarrier { wheel: Rc::clone(&wheel), local: OnceCell::new() };
    let local = Local::new(carrier, trace, make_executor);
    let _ = local.carrier.local.set(Rc::downgrade(&local));
    let fabric = Box::new(LocalFabric(Rc::clone(&local)));
    let queue = Submissions::new(submissions, awake);
    let control = ControlActor::new(ControlNode::new(config), fabric, sink, queue).start();
    local.set_control(control.clone());
    let weak = Rc::downgrade(&local);
    actix_rt::spawn(async move {
        wheel.turn(|who| weak.upgrade().map(|local| local.deliver(Parcel::wake(who))).is_some()).await;
    });
    (control, Box::new(move || local.shut_down()))
}
