//! How the control node is told of what has happened.

use actix::{Handler, Message};

use super::{Carrier, Local, Parcel};
use crate::actors::{ControlActor, ControlInput, ControlMail};

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
    pub(super) fn tell_later(&self, input: ControlInput) {
        self.happened.borrow_mut().push_back(input);
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

    /// Whether something has come to the control node since this was asked.
    pub(in crate::modes) fn control_was_told(&self) -> bool {
        self.control_was_told.take()
    }
}
