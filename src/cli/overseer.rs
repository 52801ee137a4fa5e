//! Ends the program in order when a signal comes or the output fails, however busy the other threads are.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select};
use nodetree::{CommandSet, NodeTree};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::terminal::restore;

/// How long what was accepted may take to be answered after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// How often waits are interrupted during the grace: one may have been on its way when the signal came.
const INTERRUPT_EVERY: Duration = Duration::from_millis(50);

/// The exit code after a second signal.
const SECOND_SIGNAL_CODE: i32 = 130;

/// Why the program is to end before its input does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A signal came.
    Signal,
    /// Replies cannot be printed any more.
    OutputFailed,
}

/// What the overseer and the session share.
pub struct Stop {
    stopped: AtomicBool,
    gave_up: AtomicBool,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Stop {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let (wake, woken) = bounded(1);
        Self { stopped: AtomicBool::new(false), gave_up: AtomicBool::new(false), wake, woken }
    }

    /// Whether no further command is to be accepted.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Whether what is not answered is to be given up.
    pub fn has_given_up(&self) -> bool {
        self.gave_up.load(Ordering::Acquire)
    }

    /// Something comes here once it is stopped.
    pub fn woken(&self) -> &Receiver<()> {
        &self.woken
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let _ = self.wake.try_send(());
    }
}

/// Raises the alarm at the first signal, and ends the program at the second.
///
/// # Errors
/// When the operating system refuses it.
pub fn watch_signals(alarms: Sender<Alarm>) -> io::Result<()> {
    // Whoever started us may have had SIGCHLD ignored, and then no end of a node would be reported.
    signal_hook::flag::register(SIGCHLD, Arc::default())?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let watch = move || {
        let mut came = signals.forever();
        if came.next().is_some() {
            let _ = alarms.send(Alarm::Signal);
        }
        if came.next().is_some() {
            restore();
            process::exit(SECOND_SIGNAL_CODE);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
    Ok(())
}

/// Waits for an alarm and acts on it; returns when `done` is disconnected.
pub fn oversee<C: CommandSet>(tree: &NodeTree<C>, stop: &Stop, alarms: &Receiver<Alarm>, done: &Receiver<()>) {
    let alarm = select! {
        recv(alarms) -> alarm => alarm,
        recv(done) -> _ => return,
    };
    tracing::info!(?alarm, "no further command is read");
    stop.stop();
    if alarm == Ok(Alarm::Signal) && !drain(tree, alarms, done) {
        return;
    }
    stop.gave_up.store(true, Ordering::Release);
    // A simulation that is stuck says so where it was driven.
    let _ = tree.give_up();
}

/// Lets what was accepted come to its end; whether something is left to give up.
fn drain<C: CommandSet>(tree: &NodeTree<C>, alarms: &Receiver<Alarm>, done: &Receiver<()>) -> bool {
    let until = Instant::now() + GRACE;
    tree.interrupt();
    while Instant::now() < until {
        match done.recv_timeout(INTERRUPT_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return false,
        }
        if alarms.try_recv() != Err(TryRecvError::Empty) {
            return true;
        }
        // A simulation takes submissions only when it is driven: they must not fill its queue.
        if !tree.is_virtual() {
            tree.interrupt();
        }
    }
    true
}
