//! Signals that stop nodes and let them go on, one after the other.

use rustix::process::Signal;

use super::processes::{Node, Processes, Timer};
use super::spawner::state;
use crate::actors::ControlInput;
use crate::actors::message::{MILLISECOND, Nanos, NodeKey};
use crate::trace::What;

/// A signal that shows no effect for so long (somebody else may have sent the contrary) is looked after.
const SIGNAL_WITHIN: Nanos = 100 * MILLISECOND;

impl Processes {
    /// Sends a signal when those before it have shown their effect.
    pub(super) fn send_signal(&self, key: NodeKey, signal: Signal) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key) {
            node.signals.push_back(signal);
            if node.signals.len() == 1 {
                self.send_first_signal(key, node);
            }
        }
    }

    fn send_first_signal(&self, key: NodeKey, node: &Node) {
        if let (Some(pid), Some(&signal)) = (node.pid, node.signals.front()) {
            self.family.signal(pid, signal);
            self.wheel.add(self.wheel.now() + SIGNAL_WITHIN, Timer::SignalDue(key));
        }
    }

    /// It was stopped, or goes on, by us or by somebody else.
    pub(super) fn on_signal(&self, key: NodeKey, signal: Signal) {
        if let Some(node) = self.nodes.borrow_mut().get_mut(&key)
            && node.signals.front() == Some(&signal)
        {
            node.signals.pop_front();
            self.send_first_signal(key, node);
        }
        let node = key.id;
        if signal == Signal::STOP {
            tracing::info!(node, "a node is stopped");
            self.trace.add(self.wheel.now(), || What::Stopped { node });
            self.input(ControlInput::Stopped(key));
        } else {
            tracing::info!(node, "a node goes on");
            self.trace.add(self.wheel.now(), || What::Continued { node });
            self.input(ControlInput::Continued(key));
        }
    }

    /// It has said something that only a node says that runs: a signal to go on has had its effect. Where it is stopped
    /// again at once, the kernel does not tell.
    pub(super) fn it_runs(&self, key: NodeKey) {
        let front = self.nodes.borrow().get(&key).and_then(|node| node.signals.front().copied());
        if front == Some(Signal::CONT) {
            self.on_signal(key, Signal::CONT);
        }
    }

    /// No effect was reported: it was so already, or somebody has undone it.
    pub(super) fn look_after_signal(&self, key: NodeKey) {
        let nodes = self.nodes.borrow();
        let Some(node) = nodes.get(&key) else { return };
        let (Some(pid), Some(&signal)) = (node.pid, node.signals.front()) else { return };
        if matches!(state(pid), Some('T' | 't')) == (signal == Signal::STOP) {
            drop(nodes);
            self.on_signal(key, signal);
        } else {
            self.send_first_signal(key, node);
        }
    }
}
