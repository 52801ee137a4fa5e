//! What is done to nodes that are processes from outside: signals, as a person sends them from another terminal.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::oracle::{Action, Event, Happened};
use crate::command_sets::CommandSet;
use crate::modes::NodeTree;
use crate::topology::NodeId;
use crate::trace::{self, What};

/// How often somebody looks whether a node has been created.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Strikes nodes, and keeps what was done and what the system has told meanwhile.
pub(super) struct Outside<'t, C: CommandSet> {
    tree: &'t NodeTree<C>,
    has_processes: bool,
    events: Vec<trace::Event>,
    strikes: Vec<Event>,
}

impl<'t, C: CommandSet> Outside<'t, C> {
    pub(super) fn new(tree: &'t NodeTree<C>, has_processes: bool) -> Self {
        Self { tree, has_processes, events: Vec::new(), strikes: Vec::new() }
    }

    /// Whether there are processes to be struck.
    pub(super) fn is_possible(&self) -> bool {
        self.has_processes
    }

    /// Strikes the process of a node, once every create of it so far has been answered. Nothing is done to a node that
    /// is not there then.
    pub(super) fn strike(&mut self, action: Action, id: NodeId) {
        let pid = loop {
            self.events.extend(self.tree.trace());
            match self.process_of(id) {
                Found::Created(pid) => break pid,
                Found::Nothing => return,
                Found::OnItsWay => thread::sleep(LOOK_EVERY),
            }
        };
        // Told as just before: nobody can have seen it earlier.
        let at_us = self.tree.now().as_micros() as u64;
        if kill_process(pid, signal(action)).is_ok() {
            self.strikes.push(Event { at_us, what: Happened::Outside { action, id } });
        }
    }

    fn process_of(&self, id: NodeId) -> Found {
        let (mut creates, mut live) = (BTreeMap::new(), None);
        for event in &self.events {
            match &event.what {
                What::Submitted { command, node, text } if *node == Some(id) && text.starts_with("create ") => {
                    creates.insert(*command, ());
                }
                What::Answered { command, .. } => drop(creates.remove(command)),
                What::Started { node, pid, .. } if *node == id => {
                    live = i32::try_from(*pid).ok().and_then(Pid::from_raw)
                }
                What::Ended { node, .. } if *node == id => live = None,
                _ => {}
            }
        }
        match live {
            _ if !creates.is_empty() => Found::OnItsWay,
            Some(pid) => Found::Created(pid),
            None => Found::Nothing,
        }
    }

    /// What was done, and all that the system has told.
    pub(super) fn end(mut self) -> (Vec<Event>, Vec<trace::Event>) {
        self.events.extend(self.tree.trace());
        (self.strikes, self.events)
    }
}

enum Found {
    Created(Pid),
    /// A create of it is not answered.
    OnItsWay,
    Nothing,
}

fn signal(action: Action) -> Signal {
    match action {
        Action::Kill => Signal::KILL,
        Action::Stop => Signal::STOP,
        Action::Continue => Signal::CONT,
    }
}
