//! What the modes in real time share: one wheel of timers on an arbiter, and the engine around its thread.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::{Addr, System};
use crossbeam_channel::bounded;
use tokio::sync::{Notify, oneshot};

use super::alarm::Alarm;
use super::engine::{Engine, Goal, Parts, Stuck};
use crate::actors::message::Nanos;
use crate::actors::{ControlActor, ControlMail, turn_of_others};

/// So many timers are handed out before those who were woken have their turn.
const DUE_AT_ONCE: u32 = 64;

/// When a timer is due, and which of all it is.
pub(super) type TimerKey = (Nanos, u64);

/// One wheel of timers for all who live on an arbiter: what is due at the same time is in one slot, in the order in which
/// it was added.
pub(super) struct Wheel<T> {
    start: Instant,
    slots: RefCell<BTreeMap<Nanos, VecDeque<(u64, T)>>>,
    made: Cell<u64>,
    earlier: Notify,
}

impl<T> Wheel<T> {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, slots: RefCell::default(), made: Cell::new(0), earlier: Notify::new() }
    }

    /// The time since the start.
    pub(super) fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// Keeps something until its time has come, or it is [removed](Self::remove) by the key that this gives back.
    pub(super) fn add(&self, at: Nanos, what: T) -> TimerKey {
        let number = self.made.replace(self.made.get() + 1);
        let mut slots = self.slots.borrow_mut();
        if slots.first_key_value().is_none_or(|(first, _)| at < *first) {
            self.earlier.notify_one();
        }
        slots.entry(at).or_default().push_back((number, what));
        (at, number)
    }

    /// Forgets what was [added](Self::add).
    pub(super) fn remove(&self, (at, number): TimerKey) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(&at) else { return };
        if let Ok(place) = slot.binary_search_by_key(&number, |(of, _)| *of) {
            slot.remove(place);
        }
        if slot.is_empty() {
            slots.remove(&at);
        }
    }

    /// Hands out what is due, until `deliver` says that nobody takes it any more.
    pub(super) async fn turn(&self, mut deliver: impl FnMut(T) -> bool) {
        // Whoever never waits for anything has none.
        let mut alarm = None;
        loop {
            let next = self.slots.borrow().first_key_value().map(|(at, _)| *at);
            match next {
                None => self.earlier.notified().await,
                Some(at) => {
                    let at = self.start + Duration::from_nanos(at);
                    tokio::select! {
                        biased;
                        () = self.earlier.notified() => continue,
                        () = wait(&mut alarm, at) => {}
                    }
                }
            }
            let now = self.now();
            let mut delivered = 0;
            while let Some(due) = self.take_due(now) {
                if !deliver(due) {
                    return;
                }
                delivered += 1;
                if delivered % DUE_AT_ONCE == 0 {
                    // Whoever was woken acts before it has left the cache.
                    turn_of_others().await;
                }
            }
        }
    }

    /// The first things that are kept, as many as have the same time as the first.
    pub(super) fn next_ones<R>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &T>) -> R) -> Option<R> {
        let slots = self.slots.borrow();
        let (_, slot) = slots.first_key_value()?;
        Some(look(&mut slot.iter().map(|(_, what)| what)))
    }

    fn take_due(&self, now: Nanos) -> Option<T> {
        let mut slots = self.slots.borrow_mut();
        let mut slot = slots.first_entry().filter(|slot| *slot.key() <= now)?;
        let due = slot.get_mut().pop_front();
        if slot.get().is_empty() {
            slot.remove();
        }
        due.map(|(_, what)| what)
    }
}

/// Waits until then.
async fn wait(alarm: &mut Option<Alarm>, at: Instant) {
    if alarm.is_none() {
        *alarm = Alarm::new().ok();
    }
    let rung = match alarm {
        Some(alarm) => alarm.ring_at(at).await.is_ok(),
        None => false,
    };
    // Where there is no descriptor left for it.
    if !rung {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// What runs on the arbiter, as it was begun: the control node, and how all of it ends.
pub(super) type Begun = (Addr<ControlActor>, Box<dyn FnOnce()>);

/// The engine of a system in real time: an arbiter on a thread of its own.
pub(super) struct RealTime {
    control: Addr<ControlActor>,
    awake: Arc<AtomicBool>,
    start: Instant,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RealTime {
    pub(super) fn start<B>(parts: Parts, begin: B) -> io::Result<Self>
    where
        B: FnOnce(Parts, Instant) -> io::Result<Begun> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = bounded(1);
        let awake = Arc::clone(&parts.awake);
        let start = Instant::now();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Made here, so that a system that refuses it is an error and no panic.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(cores).build()?;
        let thread = std::thread::Builder::new().name("nodetree arbiter".to_owned()).spawn(move || {
            System::with_tokio_rt(|| runtime).block_on(async move {
                match begin(parts, start) {
                    Err(error) => drop(ready.send(Err(error))),
                    Ok((control, end)) => {
                        let _ = ready.send(Ok(control));
                        let _ = stopped.await;
                        end();
                        tokio::task::yield_now().await;
                    }
                }
            });
        })?;
        let control = is_ready.recv().map_err(io::Error::other)??;
        Ok(Self { control, awake, start, stop: Some(stop), thread: Some(thread) })
    }
}

impl Engine for RealTime {
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

impl Drop for RealTime {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By time, and what is due at the same time as it was added.
    #[test]
    fn timers_come_in_their_order_and_not_when_they_were_removed() {
        let wheel = Wheel::new(Instant::now());
        let keys = [20, 10, 20, 10, 30].map(|at| wheel.add(at, at));
        wheel.remove(keys[2]);
        wheel.remove(keys[3]);
        wheel.remove(keys[3]);
        assert_eq!(wheel.take_due(9), None);
        assert_eq!([29, 29, 29, 30].map(|now| wheel.take_due(now)), [Some(10), Some(20), None, Some(30)]);
        assert!(wheel.slots.borrow().is_empty());
    }
}
