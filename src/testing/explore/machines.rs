//! What machines have done, remembered: a system has very many states, and the machines in it have few.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;

use super::fingerprint::{Fingerprint, Half};
use super::ways::{Parcel, Part};
use crate::actors::message::{Envelope, Nanos};
use crate::actors::{
    ComputingNode, ControlEffect, ControlInput, ControlNode, LinkEnd, LinkFrame, NodeEffect, NodeInput,
};

/// When more than so many are remembered of one kind, all are forgotten.
const REMEMBERED: usize = 1 << 17;

/// What came of something that a machine took.
pub(super) struct Done<M, E> {
    pub(super) machine: Rc<Part<M>>,
    pub(super) effects: Vec<E>,
    /// The state of a node's command set.
    pub(super) state: Vec<u8>,
}

/// What came of something that an end of a link did.
pub(super) struct Moved {
    pub(super) end: Rc<Part<LinkEnd>>,
    /// What has come, in order.
    pub(super) came: Vec<Envelope>,
    /// What is sent.
    pub(super) sent: Vec<Rc<Part<Parcel>>>,
}

/// What an end of a link does. Whatever it is, it then sends what it has to send.
#[derive(Hash)]
pub(super) enum Move<'m> {
    Send(&'m Envelope),
    Receive(&'m LinkFrame),
    Look,
}

/// By the fingerprint of what it came of.
struct Memory<T>(RefCell<HashMap<u128, Rc<T>, BuildHasherDefault<Half>>>);

impl<T> Memory<T> {
    fn recall(&self, of: u128, work_out: impl FnOnce() -> T) -> Rc<T> {
        if let Some(known) = self.0.borrow().get(&of) {
            return Rc::clone(known);
        }
        let new = Rc::new(work_out());
        let mut known = self.0.borrow_mut();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(of, Rc::clone(&new));
        new
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

#[derive(Default)]
struct Memories {
    control: Memory<Done<ControlNode, ControlEffect>>,
    nodes: Memory<Done<ComputingNode, NodeEffect>>,
    ends: Memory<Moved>,
}

/// Whoever takes something: what was worked out once for a machine in the same state, at the same time, is not worked
/// out again. All states of an exploration share it.
#[derive(Clone, Default)]
pub(super) struct Machines(Rc<Memories>);

impl Machines {
    pub(super) fn control(
        &self,
        at: &Part<ControlNode>,
        now: Nanos,
        input: ControlInput,
    ) -> Rc<Done<ControlNode, ControlEffect>> {
        self.0.control.recall(Fingerprint::of(&(at, now, Taken(&input))), || {
            let mut machine = at.it.clone();
            machine.handle(now, input);
            let mut effects = Vec::new();
            machine.take_effects(&mut effects);
            Done { machine: Part::new(machine), effects, state: Vec::new() }
        })
    }

    pub(super) fn node(
        &self,
        at: &Part<ComputingNode>,
        now: Nanos,
        input: NodeInput,
    ) -> Rc<Done<ComputingNode, NodeEffect>> {
        self.0.nodes.recall(Fingerprint::of(&(at, now, Taken(&input))), || {
            let mut machine = at.it.clone();
            machine.handle(now, input);
            let (effects, state) = (machine.take_effects(), machine.state());
            Done { machine: Part::new(machine), effects, state }
        })
    }

    pub(super) fn end(&self, at: &Part<LinkEnd>, now: Nanos, what: &Move<'_>) -> Rc<Moved> {
        self.0.ends.recall(Fingerprint::of(&(at, now, what)), || {
            let (mut end, mut came) = (at.it.clone(), Vec::new());
            match what {
                Move::Send(envelope) => drop(end.send(now, (*envelope).clone())),
                Move::Receive(frame) => {
                    came.extend(end.receive(now, (*frame).clone()));
                    came.extend(std::iter::from_fn(|| end.take()));
                }
                Move::Look => {}
            }
            let frames = std::iter::from_fn(|| end.transmit(now));
            let sent = frames.map(|frame| Part::new(Parcel::Frame(frame))).collect();
            Moved { end: Part::new(end), came, sent }
        })
    }
}

/// They are no part of a state.
impl Hash for Machines {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machines")
    }
}

/// What a machine takes.
struct Taken<'t, T>(&'t T);

impl Hash for Taken<'_, NodeInput> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            NodeInput::Envelope(link, envelope) => (link, envelope).hash(state),
            NodeInput::Closed(link) => link.hash(state),
            NodeInput::Control(message) => message.hash(state),
            NodeInput::Wake => {}
            NodeInput::LongDone(_) => unreachable!("nothing takes long"),
        }
    }
}

impl Hash for Taken<'_, ControlInput> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            // The number of a command stands for the command.
            ControlInput::Submit(op, _) => op.hash(state),
            ControlInput::Envelope(link, envelope) => (link, envelope).hash(state),
            ControlInput::Closed(link) => link.hash(state),
            ControlInput::FromNode(key, message) => (key, message).hash(state),
            ControlInput::Started(key, pid) => (key, pid).hash(state),
            ControlInput::Died(key) | ControlInput::Stopped(key) | ControlInput::Continued(key) => key.hash(state),
            ControlInput::Wake => {}
            other => unreachable!("nobody hands in {other:?}"),
        }
    }
}
