//! The threads mode: the control node and the tree as actors on one arbiter, in real time.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Recipient, System};
use crossbeam_channel::bounded;
use tokio::sync::{Notify, oneshot};

use super::engine::{Engine, Goal, Parts, Stuck};
use super::local::{Carrier, Local, LocalFabric, Parcel};
use crate::actors::message::{Nanos, NodeKey};
use crate::actors::{ControlActor, ControlMail, ControlNode, Frame, FromNode, LongJob, NodeHost, NodeMail, Submissions};

/// One wheel of timers for all nodes of an arbiter.
#[derive(Default)]
struct Wheel {
    timers: RefCell<BTreeMap<(Nanos, u64), Parcel>>,
    made: Cell<u64>,
    earlier: Notify,
}

struct ThreadCarrier {
    start: Instant,
    wheel: Rc<Wheel>,
    local: OnceCell<Weak<Local<ThreadCarrier>>>,
}

impl ThreadCarrier {
    fn local(&self) -> Option<Rc<Local<Self>>> {
        self.local.get().and_then(Weak::upgrade)
    }
}

impl Carrier for ThreadCarrier {
    fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    fn carry(&self, parcel: Parcel) {
        if let Some(local) = self.local() {
            local.deliver(parcel);
        }
    }

    fn carry_at(&self, at: Nanos, parcel: Parcel) {
        if at <= self.now() {
            return self.carry(parcel);
        }
        let number = self.wheel.made.replace(self.wheel.made.get() + 1);
        let mut timers = self.wheel.timers.borrow_mut();
        if timers.first_key_value().is_none_or(|((first, _), _)| at < *first) {
            self.wheel.earlier.notify_one();
        }
        timers.insert((at, number), parcel);
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

    fn link_address(&self, direct: Recipient<Frame>) -> Recipient<Frame> {
        direct
    }

    fn control_address(&self, direct: Recipient<FromNode>) -> Recipient<FromNode> {
        direct
    }
}

async fn turn_wheel(wheel: Rc<Wheel>, local: Weak<Local<ThreadCarrier>>, start: Instant) {
    loop {
        let next = wheel.timers.borrow().first_key_value().map(|((at, _), _)| *at);
        match next {
            None => wheel.earlier.notified().await,
            Some(at) => {
                let at = tokio::time::Instant::from_std(start + Duration::from_nanos(at));
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(at) => {}
                    () = wheel.earlier.notified() => continue,
                }
            }
        }
        let Some(local) = local.upgrade() else { return };
        let now = start.elapsed().as_nanos() as Nanos;
        loop {
            let mut timers = wheel.timers.borrow_mut();
            let Some(due) = timers.first_entry().filter(|timer| timer.key().0 <= now) else { break };
            let parcel = due.remove();
            drop(timers);
            local.deliver(parcel);
        }
    }
}

/// The engine of a threads system.
pub(super) struct Threads {
    control: Addr<ControlActor>,
    awake: Arc<AtomicBool>,
    start: Instant,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Threads {
    pub(super) fn start(parts: Parts) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = bounded(1);
        let awake = Arc::clone(&parts.awake);
        let start = Instant::now();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let thread = std::thread::Builder::new().name("nodetree arbiter".to_owned()).spawn(move || {
            let system = System::with_tokio_rt(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_time().max_blocking_threads(cores).build().expect("a runtime without I/O can be made")
            });
            system.block_on(async move {
                let (control, local) = begin(parts, start);
                let _ = ready.send(control);
                let _ = stopped.await;
                local.shut_down();
                tokio::task::yield_now().await;
            });
        })?;
        let control = is_ready.recv().map_err(std::io::Error::other)?;
        Ok(Self { control, awake, start, stop: Some(stop), thread: Some(thread) })
    }
}

fn begin(parts: Parts, start: Instant) -> (Addr<ControlActor>, Rc<Local<ThreadCarrier>>) {
    let Parts { config, make_executor, sink, submissions, trace, awake, shared: _ } = parts;
    let wheel = Rc::new(Wheel::default());
    let carrier = ThreadCarrier { start, wheel: Rc::clone(&wheel), local: OnceCell::new() };
    let local = Local::new(carrier, trace, make_executor);
    let _ = local.carrier.local.set(Rc::downgrade(&local));
    let fabric = Box::new(LocalFabric(Rc::clone(&local)));
    let queue = Submissions::new(submissions, awake);
    let control = ControlActor::new(ControlNode::new(config), fabric, sink, queue).start();
    local.set_control(control.clone());
    actix_rt::spawn(turn_wheel(wheel, Rc::downgrade(&local), start));
    (control, local)
}

impl Engine for Threads {
    fn is_virtual(&self) -> bool {
        false
    }

    fn submitted(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.control.do_send(ControlMail::Submitted);
        }
    }

    fn run(&self, _: Goal) -> Result<(), Stuck> {
        Ok(())
    }

    fn advance(&self, ns: Nanos) -> Result<(), Stuck> {
        std::thread::sleep(Duration::from_nanos(ns));
        Ok(())
    }

    fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
