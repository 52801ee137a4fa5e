//! How the control node is told of what has happened.

use actix::{Handler, Message};

use super::{Carrier, LOOKED_AHEAD, Local, Parcel};
use crate::actors::{ControlActor, ControlInput, ControlMail, FromNode};
use crate::topology::NodeId;

impl<C: Carrier> Local<C> {
    pub(super) fn input(&self, input: ControlInput) {
        self.carrier.carry(Parcel::ToControl(ControlMail::Input(input)));
    }

    pub(super) fn tell_control<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        ControlActor: Handler<M>,
    {
        if let Some(control) = &*self.control.borrow() {
            self.control_was_told.set(true);
            control.do_send(message);
        }
    }

    /// Keeps what has happened until the control node has its turn: one mail stands for all of it.
    pub(super) fn tell_later(&self, inputs: impl IntoIterator<Item = ControlInput>) {
        self.happened.borrow_mut().extend(inputs);
        if !self.is_called.replace(true) {
            self.tell_control(ControlMail::Happened);
        }
    }

    pub(super) fn next_input(&self) -> Option<ControlInput> {
        let next = self.happened.borrow_mut().pop_front();
        if next.is_none() {
            self.is_called.set(false);
        }
        next
    }

    /// These come to the control node soon.
    pub(in crate::modes) fn speak_next<'a>(&self, parcels: impl Iterator<Item = &'a Parcel>) {
        self.speakers.borrow_mut().extend(parcels.filter_map(|parcel| match parcel {
            Parcel::FromNode(FromNode { from, .. }) => Some(from.id),
            _ => None,
        }));
    }

    pub(super) fn next_speakers(&self) -> Vec<NodeId> {
        let mut next = self.speakers.take();
        let happened = self.happened.borrow();
        // One alone is read at once.
        if happened.len() > 1 {
            next.extend(happened.iter().take(LOOKED_AHEAD).filter_map(|input| match input {
                ControlInput::FromNode(from, _) => Some(from.id),
                _ => None,
            }));
        }
        next
    }

    /// Whether something has come to the control node since this was asked.
    pub(in crate::modes) fn control_was_told(&self) -> bool {
        self.control_was_told.take()
    }
}
