//! Processes that are started in advance and wait to become nodes, so that a create need not wait for a start.
//!
//! A spare process has come as far as a node can without knowing which one it is. Only one that stands by is handed out:
//! its program has answered, and the kernel knows of no end and no stop. One that ends is not replaced before the next
//! create: where processes end again and again, or memory is short, they are not started again and again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Weak;
use std::sync::{Arc, PoisonError};

use rustix::process::{Pid, Signal, WaitStatus};

use super::channel::{Incoming, open, pair};
use super::hello::HelloBack;
use super::outbox::Outgoing;
use super::processes::{HELLO_WITHIN, Processes, Timer};
use super::spawner::{Owner, describe};
use crate::actors::message::{MILLISECOND, Nanos, NodeKey};
use crate::modes::engine::Shared;
use crate::modes::real_time::TimerKey;

/// So long after a create others are started behind it: at once they would take the processor from it.
const BEHIND: Nanos = MILLISECOND;

/// The spare processes of a system, by their numbers.
pub(super) struct Spares {
    /// How many there are to be.
    wanted: usize,
    shared: Arc<Shared>,
    made: Cell<u64>,
    all: RefCell<BTreeMap<u64, Spare>>,
    /// Somebody will look whether there are enough.
    are_due: Cell<bool>,
}

struct Spare {
    pid: Option<Pid>,
    outgoing: Outgoing,
    /// Its program has answered, and nothing more was read.
    incoming: Option<Incoming>,
    hello_due: TimerKey,
}

impl Spare {
    fn stands_by(&self) -> Option<Pid> {
        self.pid.filter(|_| self.incoming.is_some())
    }
}

/// What a node is made of that was a spare process.
pub(super) struct Taken {
    pub(super) pid: Pid,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
}

impl Spares {
    pub(super) fn new(wanted: usize, shared: Arc<Shared>) -> Self {
        let (made, all, are_due) = (Cell::default(), RefCell::default(), Cell::default());
        Self { wanted, shared, made, all, are_due }
    }

    pub(super) fn forget_all(&self) {
        self.all.take();
        self.show();
    }

    /// Those that stand by can be seen from outside.
    fn show(&self) {
        let all = self.all.borrow();
        let pids = all.values().filter_map(Spare::stands_by).map(|pid| pid.as_raw_pid().unsigned_abs());
        *self.shared.spares.lock().unwrap_or_else(PoisonError::into_inner) = pids.collect();
    }
}

impl Processes {
    /// Starts as many as are missing.
    pub(super) fn start_spares(&self) {
        self.spares.are_due.set(false);
        while self.spares.all.borrow().len() < self.spares.wanted {
            if let Err(error) = self.start_spare() {
                return tracing::warn!(%error, "no spare process is started");
            }
        }
    }

    fn start_spare(&self) -> io::Result<()> {
        let (here, there) = pair()?;
        let (outgoing, incoming) = open(here)?;
        let number = self.spares.made.get();
        self.spares.made.set(number + 1);
        let hello_due = self.wheel.add(self.wheel.now() + HELLO_WITHIN, Timer::SpareHelloDue(number));
        let spare = Spare { pid: None, outgoing, incoming: None, hello_due };
        self.spares.all.borrow_mut().insert(number, spare);
        actix_rt::spawn(hear_first(Weak::clone(&self.this), number, incoming));
        if let Some(spawner) = &*self.spawner.borrow() {
            spawner.order(Owner::Spare(number), there);
        }
        Ok(())
    }

    /// The first that stands by becomes this node; soon another one is started.
    pub(super) fn take_spare(&self, key: NodeKey) -> Option<Taken> {
        if self.spares.wanted == 0 {
            return None;
        }
        if !self.spares.are_due.replace(true) {
            self.wheel.add(self.wheel.now() + BEHIND, Timer::SparesDue);
        }
        let mut all = self.spares.all.borrow_mut();
        let taken = all.extract_if(.., |_, spare| spare.stands_by().is_some()).find_map(|(number, spare)| {
            let (pid, incoming) = (spare.pid?, spare.incoming?);
            let is_given = self.family.hand_over(pid, number, key);
            is_given.then_some(Taken { pid, outgoing: spare.outgoing, incoming })
        });
        drop(all);
        self.spares.show();
        taken
    }

    pub(super) fn on_spare_spawned(&self, number: u64, pid: Pid) {
        match self.spares.all.borrow_mut().get_mut(&number) {
            Some(spare) => spare.pid = Some(pid),
            // It was given up meanwhile.
            None => drop(self.family.signal(pid, Signal::KILL)),
        }
        self.look_whether_it_stands_by(number);
    }

    pub(super) fn on_spare_failed(&self, number: u64, error: &io::Error) {
        if let Some(spare) = self.spares.all.borrow_mut().remove(&number) {
            self.wheel.remove(spare.hello_due);
            tracing::warn!(%error, "a spare process could not be started");
        }
    }

    pub(super) fn on_spare_gone(&self, number: u64, status: WaitStatus) {
        let Some(spare) = self.spares.all.borrow_mut().remove(&number) else { return };
        self.wheel.remove(spare.hello_due);
        tracing::info!(pid = spare.pid.map(Pid::as_raw_pid), "a spare process {}", describe(status));
        self.spares.show();
    }

    fn on_spare_hello(&self, number: u64, hello: Option<HelloBack>, incoming: Incoming) {
        match hello {
            Some(HelloBack { build }) if build == self.build => {
                if let Some(spare) = self.spares.all.borrow_mut().get_mut(&number) {
                    spare.incoming = Some(incoming);
                    self.wheel.remove(spare.hello_due);
                }
                self.look_whether_it_stands_by(number);
            }
            Some(HelloBack { build }) => self.give_up_spare(number, &format!("its program is {build}")),
            None => self.give_up_spare(number, "its control link has ended"),
        }
    }

    fn look_whether_it_stands_by(&self, number: u64) {
        let pid = self.spares.all.borrow().get(&number).and_then(Spare::stands_by);
        if let Some(pid) = pid {
            tracing::info!(pid = pid.as_raw_pid(), "a spare process stands by");
            self.spares.show();
        }
    }

    pub(super) fn spare_should_have_answered(&self, number: u64) {
        self.give_up_spare(number, "its program does not answer");
    }

    fn give_up_spare(&self, number: u64, why: &str) {
        let Some(spare) = self.spares.all.borrow_mut().remove(&number) else { return };
        self.wheel.remove(spare.hello_due);
        tracing::warn!(pid = spare.pid.map(Pid::as_raw_pid), why, "a spare process is ended");
        if let Some(pid) = spare.pid {
            self.family.signal(pid, Signal::KILL);
        }
    }
}

/// Hears whether the program of a spare process is one of ours. What comes later is for the node.
async fn hear_first(processes: Weak<Processes>, number: u64, mut incoming: Incoming) {
    let hello = incoming.next().await;
    if let Some(processes) = processes.upgrade() {
        processes.on_spare_hello(number, hello, incoming);
    }
}
