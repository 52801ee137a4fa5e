//! Starts the processes of nodes and reaps them.
//!
//! Two threads. The *spawner* starts every process and lives as long as the system, because the death signal that a
//! node asks for follows the thread that started it. The *reaper* waits, without a clock: all nodes are in one
//! process group, so `waitid(P_PGID)` tells it of every exit, stop and continuation, and of nothing that belongs to
//! the host program. (A wait for all children of one thread, `__WNOTHREAD`, would do the same, but then the thread
//! that waits would have to be the one that starts, and could do only one of the two.) The group is not that of the
//! terminal: Ctrl-C reaches the control node alone.
//!
//! The reaper looks at what has happened without taking it, and takes it under the lock of [`Family`]: whoever holds
//! the lock may send a signal to a pid that is in it, for that pid cannot be given to another process meanwhile.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, kill_process_group, waitid, waitpgid,
    waitpid,
};
use tokio::sync::mpsc::UnboundedSender;

use super::hello::{NODE_ARGUMENT, SPARE};
use crate::actors::message::NodeKey;
use crate::planted::{Bug, is_planted};

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Node(NodeKey),
    /// Nobody's yet: it waits to become a node.
    Spare(u64),
}

/// What happens to processes.
#[derive(Debug)]
pub(super) enum Event {
    Spawned(Owner, Pid),
    SpawnFailed(Owner, io::Error),
    /// It has ended and was reaped.
    Ended(NodeKey, WaitStatus),
    Stopped(NodeKey),
    Continued(NodeKey),
    /// It has ended, or was stopped, so that it is of no use: then it is ended.
    SpareGone(u64, WaitStatus),
}

struct Order {
    owner: Owner,
    control_link: OwnedFd,
}

/// The program that nodes run, and for which command set.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) command_set: &'static str,
    /// What its environment holds besides ours.
    pub(super) env: Vec<(OsString, OsString)>,
}

/// The processes that were started and are not reaped.
#[derive(Default)]
pub(super) struct Family {
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// None for a spare process that was stopped and is being ended.
    owners: HashMap<Pid, Option<Owner>>,
    /// What happened to the one that is being started, before we were told its pid.
    early: Vec<(Pid, WaitStatus)>,
}

impl Family {
    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal to a process that has not been reaped; false when it has.
    pub(super) fn signal(&self, pid: Pid, signal: Signal) -> bool {
        self.lock().owners.contains_key(&pid) && kill_process(pid, signal).is_ok()
    }

    /// A spare process becomes this node; false when it has ended or is stopped, as far as the kernel knows.
    pub(super) fn hand_over(&self, pid: Pid, number: u64, key: NodeKey) -> bool {
        let mut members = self.lock();
        let owner = members.owners.get_mut(&pid).filter(|owner| **owner == Some(Owner::Spare(number)));
        let Some(owner) = owner else { return false };
        // What the reaper has not taken yet.
        let news = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if !matches!(waitid(WaitId::Pid(pid), news), Ok(None)) {
            return false;
        }
        *owner = Some(Owner::Node(key));
        true
    }
}

/// The thread that starts processes; when it is dropped, all of them are ended and reaped.
pub(super) struct Spawner {
    // Bounded by the creates that are under way.
    orders: Option<Sender<Order>>,
    ending: Arc<AtomicBool>,
    family: Arc<Family>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    // At most a few events of each process wait: no bound is needed, and the reaper must not wait.
    pub(super) fn start(program: Program, events: UnboundedSender<Event>) -> io::Result<Self> {
        let (orders, queue) = unbounded();
        let (ending, family) = (Arc::new(AtomicBool::new(false)), Arc::new(Family::default()));
        let nursery = Nursery { program, events, family: Arc::clone(&family), group: None };
        let is_ending = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("nodetree spawner".to_owned());
        let thread = thread.spawn(move || nursery.run(&queue, &is_ending))?;
        Ok(Self { orders: Some(orders), ending, family, thread: Some(thread) })
    }

    pub(super) fn family(&self) -> Arc<Family> {
        Arc::clone(&self.family)
    }

    /// Starts a process; answered by an event. Spare ones are started when no node is to be.
    pub(super) fn order(&self, owner: Owner, control_link: OwnedFd) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order { owner, control_link });
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the spawner's thread holds.
struct Nursery {
    program: Program,
    events: UnboundedSender<Event>,
    family: Arc<Family>,
    group: Option<Pid>,
}

impl Nursery {
    fn run(mut self, queue: &Receiver<Order>, ending: &AtomicBool) {
        let mut later = VecDeque::new();
        while let Some(Order { owner, control_link }) = next(queue, &mut later) {
            if ending.load(Ordering::Acquire) {
                continue;
            }
            if let Err(error) = self.start(owner, control_link) {
                let _ = self.events.send(Event::SpawnFailed(owner, error));
            }
        }
        self.end_all();
    }

    /// Ends all processes and reaps them.
    fn end_all(&self) {
        // The reaper waits for the lock meanwhile: it would look through all of them for each that has ended.
        let mut members = self.family.lock();
        let Some(group) = self.group.filter(|_| !members.owners.is_empty()) else { return };
        // All at once: none sees its neighbours end and does something about it first.
        let _ = kill_process_group(group, Signal::KILL);
        // In the order in which the kernel wakes them: from the youngest on.
        let mut pids: Vec<Pid> = members.owners.drain().map(|(pid, _)| pid).collect();
        pids.sort_unstable_by_key(|pid| Reverse(pid.as_raw_pid()));
        for pid in pids {
            // One that has left the group.
            let _ = kill_process(pid, Signal::KILL);
            if !is_planted(Bug::ZombieNotReaped) {
                let _ = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
            }
        }
    }

    fn start(&mut self, owner: Owner, control_link: OwnedFd) -> io::Result<()> {
        let started = match self.group {
            // The group ends with its last process; then there is a new one.
            Some(group) => match self.spawn(owner, control_link.try_clone()?, group.as_raw_pid()) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.spawn(owner, control_link, 0),
                started => started.inspect(|_| drop(control_link)),
            },
            None => self.spawn(owner, control_link, 0),
        };
        let mut members = self.family.lock();
        let early = std::mem::take(&mut members.early);
        let (pid, group) = started?;
        members.owners.insert(pid, Some(owner));
        let _ = self.events.send(Event::Spawned(owner, pid));
        for (pid, status) in early {
            report(&mut members, &self.events, pid, status);
        }
        drop(members);
        if self.group != Some(group) {
            self.group = Some(group);
            if let Err(error) = self.start_reaper(group) {
                // Without its reaper nobody would see what becomes of it.
                let _ = kill_process(pid, Signal::KILL);
                reap(group, &self.family, &self.events);
                self.group = None;
                tracing::error!(%error, "no thread for the reaper");
            }
        }
        Ok(())
    }

    /// Gives back the pid and the process group.
    fn spawn(&self, owner: Owner, control_link: OwnedFd, group: i32) -> io::Result<(Pid, Pid)> {
        // The `Command` must not outlive this: it holds the node's end of the link.
        let mut command = Command::new(&self.program.path);
        let who = match owner {
            Owner::Node(key) => key.id.to_string(),
            Owner::Spare(_) => SPARE.to_owned(),
        };
        command.args([NODE_ARGUMENT, &who, self.program.command_set]);
        command.stdin(Stdio::from(control_link)).stdout(File::options().write(true).open("/dev/null")?);
        command.envs(self.program.env.iter().map(|(name, value)| (name, value)));
        let child = command.process_group(group).spawn()?;
        let pid = Pid::from_child(&child);
        Ok((pid, Pid::from_raw(group).unwrap_or(pid)))
    }

    fn start_reaper(&self, group: Pid) -> io::Result<()> {
        let (family, events) = (Arc::clone(&self.family), self.events.clone());
        let thread = std::thread::Builder::new().name("nodetree reaper".to_owned());
        thread.spawn(move || reap(group, &family, &events)).map(drop)
    }
}

/// What is to be started next: a node before a spare process, for somebody waits for it.
fn next(queue: &Receiver<Order>, later: &mut VecDeque<Order>) -> Option<Order> {
    loop {
        let order = match queue.try_recv() {
            Ok(order) => order,
            Err(_) if later.is_empty() => queue.recv().ok()?,
            Err(_) => return later.pop_front(),
        };
        match order.owner {
            Owner::Node(_) => return Some(order),
            Owner::Spare(_) => later.push_back(order),
        }
    }
}

/// Reports what happens to the processes of a group, until there are none.
fn reap(group: Pid, family: &Family, events: &UnboundedSender<Event>) {
    let all = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
    loop {
        match waitid(WaitId::Pgid(Some(group)), all | WaitIdOptions::NOWAIT) {
            Ok(Some(status)) if is_planted(Bug::ZombieNotReaped) && (status.exited() || status.killed()) => {
                return;
            }
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        let mut members = family.lock();
        let now = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        while let Ok(Some((pid, status))) = waitpgid(group, now) {
            if members.owners.contains_key(&pid) {
                report(&mut members, events, pid, status);
            } else {
                members.early.push((pid, status));
            }
        }
    }
}

fn report(members: &mut Members, events: &UnboundedSender<Event>, pid: Pid, status: WaitStatus) {
    let Some(owner) = members.owners.get_mut(&pid) else { return };
    let goes_on = status.stopped() || status.continued();
    let event = match *owner {
        Some(Owner::Node(key)) if status.stopped() => Some(Event::Stopped(key)),
        Some(Owner::Node(key)) if status.continued() => Some(Event::Continued(key)),
        Some(Owner::Node(key)) => Some(Event::Ended(key, status)),
        Some(Owner::Spare(_)) if status.continued() => None,
        Some(Owner::Spare(number)) => {
            if status.stopped() {
                let _ = kill_process(pid, Signal::KILL);
            }
            *owner = None;
            Some(Event::SpareGone(number, status))
        }
        None => None,
    };
    if !goes_on {
        members.owners.remove(&pid);
    }
    if let Some(event) = event {
        let _ = events.send(event);
    }
}

/// How a process has ended.
pub(super) fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        _ if status.stopped() => "was stopped".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    }
}

/// The state of a process, as the kernel shows it: `R` for one that runs or wants to, `T` for one that is stopped.
pub(super) fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    // The name may hold anything, so the last bracket counts.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
