//! The threads mode: the control node and the tree as actors on one arbiter, in real time.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Instant;

use actix::Actor;

use super::engine::Parts;
use super::local::{Carrier, LOOKED_AHEAD, Local, LocalFabric, Parcel};
use super::real_time::{Begun, RealTime, Wheel};
use crate::actors::message::{MILLISECOND, Nanos, NodeKey};
use crate::actors::{ControlActor, ControlNode, LongJob, NodeHost, NodeMail, Submissions};

/// So many nodes have a turn before the control node has one.
const TURNS_AT_ONCE: usize = 256;

/// What the wheel keeps: for most timers, that of a whole tree, no more than a name.
enum Timer {
    Wake(NodeKey),
    Carry(Box<Parcel>),
}

impl Timer {
    /// The incarnation of the node that is to be woken.
    fn node(&self) -> Option<u64> {
        match self {
            Self::Wake(who) => Some(who.incarnation),
            Self::Carry(_) => None,
        }
    }

    fn parcel(self) -> Parcel {
        match self {
            Self::Wake(who) => Parcel::wake(who),
            Self::Carry(parcel) => *parcel,
        }
    }
}

struct ThreadCarrier {
    wheel: Rc<Wheel<Timer>>,
    local: OnceCell<Weak<Local<ThreadCarrier>>>,
}

impl ThreadCarrier {
    fn local(&self) -> Option<Rc<Local<Self>>> {
        self.local.get().and_then(Weak::upgrade)
    }
}

impl Carrier for ThreadCarrier {
    const IS_AT_ONCE: bool = true;

    fn now(&self) -> Nanos {
        self.wheel.now()
    }

    fn carry(&self, parcel: Parcel) {
        if let Some(local) = self.local() {
            local.deliver(parcel);
        }
    }

    /// What cannot be carried at once goes through the wheel, and so does what comes behind it: it must not overtake.
    fn arrival(&self, last: Nanos, later: Nanos) -> Option<Nanos> {
        let now = self.now();
        (later > 0 || last > now).then(|| (now + later).max(last + 1))
    }

    fn wake_at(&self, who: NodeKey, at: Nanos) {
        if at <= self.now() {
            return self.carry(Parcel::wake(who));
        }
        // tokio's sleeps tell whole milliseconds apart. A wave wants to wake each node that has others below it: so these
        // are few moments, with many nodes at each.
        let at = at.div_ceil(MILLISECOND).saturating_mul(MILLISECOND);
        self.wheel.add(at, Timer::Wake(who));
    }

    fn carry_at(&self, at: Nanos, parcel: Parcel) {
        self.wheel.add(at, Timer::Carry(Box::new(parcel)));
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
}

/// Starts a threads system.
pub(super) fn start(parts: Parts) -> std::io::Result<RealTime> {
    RealTime::start(parts, |parts, start| Ok(begin(parts, start)))
}

fn begin(parts: Parts, start: Instant) -> Begun {
    let Parts { config, make_executor, sink, submissions, trace, awake, seed, shared: _ } = parts;
    let wheel = Rc::new(Wheel::new(start));
    let carrier = ThreadCarrier { wheel: Rc::clone(&wheel), local: OnceCell::new() };
    let local = Local::new(carrier, seed, trace, make_executor);
    let _ = local.carrier.local.set(Rc::downgrade(&local));
    let fabric = Box::new(LocalFabric(Rc::clone(&local)));
    let queue = Submissions::new(submissions, awake);
    let control = ControlActor::new(ControlNode::new(config), fabric, sink, queue).start();
    local.set_control(control.clone());
    actix_rt::spawn(give_turns(Rc::downgrade(&local)));
    let weak = Rc::downgrade(&local);
    actix_rt::spawn(async move {
        let mut due = 0;
        let deliver = |timer: Timer| {
            let Some(local) = weak.upgrade() else { return false };
            if usize::is_multiple_of(due, LOOKED_AHEAD) {
                wheel.next_ones(|timers| local.look_ahead(timers.filter_map(Timer::node)));
            }
            due += 1;
            local.deliver(timer.parcel());
            true
        };
        wheel.turn(deliver).await;
    });
    (control, Box::new(move || local.shut_down()))
}

/// Gives turns to the nodes, and to the control node and the timers in between.
async fn give_turns(local: Weak<Local<ThreadCarrier>>) {
    poll_fn(|task| {
        let Some(local) = local.upgrade() else { return Poll::Ready(()) };
        if local.give_turns(TURNS_AT_ONCE) || !local.rest(task.waker()) {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}
