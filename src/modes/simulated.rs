//! The simulated mode: one thread, virtual time, links whose delays are drawn from a seed. Same seed, same trace.

mod events;
mod ways;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use actix::{Actor, Addr, System};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::engine::{Engine, Goal, Parts, Stuck};
use super::local::{Carrier, LOOKED_AHEAD, Local, LocalFabric, Parcel};
use crate::actors::message::{MILLISECOND, Nanos, NodeKey};
use crate::actors::{ControlActor, ControlMail, ControlNode, Describe, LongJob, NodeMail, Submission, turn_of_others};
use crate::random::Random;
use events::Events;
use ways::{Way, Ways};
use world::World;

/// The longest time between two commands that are submitted together.
const SUBMIT_GAP_NS: Nanos = 20_000;

/// So many nodes have a turn before somebody looks whether more have something to do.
const TURNS_AT_ONCE: usize = 256;

/// So many events are delivered before somebody looks whether another thread has submitted something.
const STEPS_BETWEEN_LOOKS: u32 = 1024;

/// When nothing is answered for ten reply timeouts and a minute, nothing ever will be.
const STUCK_AFTER: (u64, Nanos) = (10, 60_000 * MILLISECOND);

struct SimulatedCarrier {
    world: Rc<RefCell<World>>,
}

impl Carrier for SimulatedCarrier {
    const IS_AT_ONCE: bool = false;

    fn now(&self) -> Nanos {
        self.world.borrow().now
    }

    fn carry(&self, parcel: Parcel) {
        let way = match &parcel {
            Parcel::ToNode(key, _) => Way::Down(*key),
            Parcel::FromNode(message) => Way::Up(message.from),
            _ => Way::Kernel,
        };
        self.world.borrow_mut().schedule(way, parcel);
    }

    fn arrival(&self, last: Nanos, later: Nanos) -> Option<Nanos> {
        Some(self.world.borrow_mut().arrival(last, later))
    }

    fn wake_at(&self, who: NodeKey, at: Nanos) {
        self.carry_at(at, Parcel::wake(who));
    }

    fn carry_at(&self, at: Nanos, parcel: Parcel) {
        self.world.borrow_mut().schedule_at(at, parcel);
    }

    fn run_long(&self, node: NodeKey, job: LongJob) {
        let at = self.now() + job.virtual_ns;
        self.world.borrow_mut().allowed_ns += job.virtual_ns;
        let result = job.run(at);
        self.carry_at(at, Parcel::ToNode(node, NodeMail::LongDone(result)));
    }
}

enum Drive {
    Run(Goal),
    Advance(Nanos),
}

/// The engine of a simulated system: a thread that runs only while it is asked to.
pub(super) struct Simulated {
    drive: Option<Sender<Drive>>,
    done: Receiver<Result<(Nanos, u64), Stuck>>,
    thread: Option<JoinHandle<()>>,
    turn: std::sync::Mutex<(Nanos, u64)>,
}

/// How a simulation is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) codec: bool,
}

impl Simulated {
    pub(super) fn start(settings: Settings, parts: Parts) -> std::io::Result<Self> {
        let (drive, orders) = bounded(0);
        let (report, done) = bounded(0);
        let name = format!("simulation {}", settings.seed);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let system = System::with_tokio_rt(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_time().start_paused(true).build().expect("a runtime without I/O can be made")
            });
            system.block_on(simulate(settings, parts, orders, report));
        })?;
        // What there is before the first command is seen before it.
        let _ = done.recv();
        Ok(Self { drive: Some(drive), done, thread: Some(thread), turn: std::sync::Mutex::new((0, 0)) })
    }

    fn ask(&self, order: Drive) -> Result<(), Stuck> {
        let mut turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let gone = || Stuck { seed: 0, what: "the simulation has ended".to_owned() };
        let drive = self.drive.as_ref().ok_or_else(gone)?;
        drive.send(order).map_err(|_| gone())?;
        *turn = self.done.recv().map_err(|_| gone())??;
        Ok(())
    }
}

impl Engine for Simulated {
    fn is_virtual(&self) -> bool {
        true
    }

    fn submitted(&self) {}

    fn run(&self, goal: Goal) -> Result<(), Stuck> {
        self.ask(Drive::Run(goal))
    }

    fn advance(&self, ns: Nanos) -> Result<(), Stuck> {
        self.ask(Drive::Advance(ns))
    }

    fn now(&self) -> Nanos {
        self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    fn delivered(&self) -> u64 {
        self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.drive.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the simulation was reported where it was driven.
            let _ = thread.join();
        }
    }
}

struct Simulation {
    settings: Settings,
    world: Rc<RefCell<World>>,
    local: Rc<Local<SimulatedCarrier>>,
    control: Addr<ControlActor>,
    submissions: Receiver<Submission>,
    shared: Arc<super::engine::Shared>,
    reply_timeout_ns: Nanos,
}

async fn simulate(
    settings: Settings,
    parts: Parts,
    orders: Receiver<Drive>,
    report: Sender<Result<(Nanos, u64), Stuck>>,
) {
    let simulation = Simulation::new(settings, parts);
    let local = Rc::clone(&simulation.local);
    // A task of its own: it takes turns with the actors, first come, first served.
    let driver = actix_rt::spawn(async move {
        turn_of_others().await;
        simulation.let_act().await;
        if report.send(Ok((0, 0))).is_err() {
            return;
        }
        while let Ok(order) = orders.recv() {
            let result = match order {
                Drive::Run(goal) => simulation.run(&goal).await,
                Drive::Advance(ns) => simulation.advance(ns).await,
            };
            let world = simulation.world.borrow();
            if report.send(result.map(|()| (world.now, world.delivered))).is_err() {
                break;
            }
        }
    });
    let _ = driver.await;
    local.shut_down();
    turn_of_others().await;
    System::current().stop();
}

impl Simulation {
    fn new(settings: Settings, parts: Parts) -> Self {
        let world = World {
            now: 0,
            random: Random(settings.seed),
            events: Events::default(),
            ways: Ways::default(),
            codec: settings.codec,
            steps: 0,
            delivered: 0,
            allowed_ns: 0,
            last_submission: 0,
        };
        let world = Rc::new(RefCell::new(world));
        let carrier = SimulatedCarrier { world: Rc::clone(&world) };
        let Parts { config, make_executor, sink, submissions, trace, seed, shared, awake } = parts;
        let reply_timeout_ns = config.reply_timeout_ns;
        let local = Local::new(carrier, seed, trace, make_executor);
        let queue = crate::actors::Submissions::new(submissions.clone(), awake);
        let fabric = Box::new(LocalFabric(Rc::clone(&local)));
        let control = ControlActor::new(ControlNode::new(config), fabric, sink, queue).start();
        local.set_control(control.clone());
        Self { settings, world, local, control, submissions, shared, reply_timeout_ns }
    }

    /// What has been submitted since the last time arrives one after the other, at moments drawn from the seed.
    fn take_submissions(&self) {
        let mut world = self.world.borrow_mut();
        // Behind what was submitted before and has not arrived yet.
        let mut at = world.now.max(world.last_submission);
        while let Ok(submission) = self.submissions.try_recv() {
            world.events.push(at, Parcel::ToControl(ControlMail::Submit(submission)));
            world.last_submission = at;
            at += world.random.between((0, SUBMIT_GAP_NS));
        }
    }

    async fn run(&self, goal: &Goal) -> Result<(), Stuck> {
        self.take_submissions();
        let patience = STUCK_AFTER.0 * self.reply_timeout_ns + STUCK_AFTER.1;
        let mut progress = (self.shared.answered.load(Ordering::Relaxed), self.world.borrow().now);
        let mut steps = 0_u32;
        while !goal.is_reached(&self.shared) {
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_BETWEEN_LOOKS) {
                // Another thread may want this to end: a signal was caught, say.
                self.take_submissions();
            }
            let allowed = self.world.borrow().allowed_ns + self.shared.waits_ns.load(Ordering::Relaxed);
            let now = self.world.borrow().now;
            let answered = self.shared.answered.load(Ordering::Relaxed);
            if answered != progress.0 {
                progress = (answered, now);
            }
            if now > progress.1 + patience + allowed || !self.step().await {
                return Err(self.stuck().await);
            }
        }
        Ok(())
    }

    async fn advance(&self, ns: Nanos) -> Result<(), Stuck> {
        self.take_submissions();
        let until = self.world.borrow().now + ns;
        while self.world.borrow_mut().events.next_at().is_some_and(|at| at <= until) {
            self.step().await;
        }
        self.world.borrow_mut().now = until;
        Ok(())
    }

    /// Delivers the next event and lets everybody act on it.
    async fn step(&self) -> bool {
        let next = self.world.borrow_mut().events.pop();
        let Some((at, parcel)) = next else { return false };
        {
            let mut world = self.world.borrow_mut();
            world.now = at;
            world.steps += 1;
            if world.steps.is_multiple_of(LOOKED_AHEAD as u64) {
                let next = || world.events.next_ones(LOOKED_AHEAD);
                self.local.look_ahead(next().filter_map(|parcel| self.local.reader_of(parcel)));
                self.local.speak_next(next());
            }
            world.delivered += u64::from(matches!(parcel, Parcel::Frame(_)));
        }
        self.local.deliver(parcel);
        self.let_act().await;
        true
    }

    /// Lets everybody act who has something to do, until nobody has.
    async fn let_act(&self) {
        loop {
            while self.local.give_turns(TURNS_AT_ONCE) {}
            if !self.local.control_was_told() {
                return;
            }
            turn_of_others().await;
        }
    }

    async fn stuck(&self) -> Stuck {
        let what = self.control.send(Describe).await.unwrap_or_else(|error| error.to_string());
        Stuck { seed: self.settings.seed, what }
    }
}
