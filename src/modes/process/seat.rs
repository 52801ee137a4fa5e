//! Where a node sits in its process, and is given what comes.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use actix::{Addr, Handler, Message};

use crate::actors::{NodeActor, NodeLife, NodeMail};

/// A node, which is handed what comes past its mailbox: most of it is passed on, and a letter each would cost as much as
/// that. In the mailbox waits what comes while the node has its turn, and what comes behind that.
pub(super) struct Seat {
    /// Until it has ended.
    life: RefCell<Option<NodeLife>>,
    mail: Addr<NodeActor>,
    /// Something may be in the mailbox.
    has_mail: Cell<bool>,
}

impl Seat {
    pub(super) fn start(actor: NodeActor) -> Rc<Self> {
        let (life, mail) = NodeLife::new(actor);
        // It has its first turn before anything else.
        let seat = Rc::new(Self { life: RefCell::new(Some(life)), mail, has_mail: Cell::new(true) });
        let this = Rc::clone(&seat);
        actix_rt::spawn(poll_fn(move |task| {
            this.has_mail.set(false);
            let is_over = this.life.borrow_mut().as_mut().is_none_or(|life| Pin::new(life).poll(task).is_ready());
            if !is_over {
                return Poll::Pending;
            }
            // With it go the addresses that it holds.
            let ended = this.life.take();
            drop(ended);
            Poll::Ready(())
        }));
        seat
    }

    /// Whether the node has ended.
    pub(super) fn is_over(&self) -> bool {
        self.life.try_borrow().is_ok_and(|life| life.is_none())
    }

    /// Gives something to the node: at once, unless it has its turn or something waits for it.
    pub(super) fn hand<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        NodeActor: Handler<M, Result = ()>,
    {
        if self.has_mail.get() {
            return self.mail.do_send(message);
        }
        match self.life.try_borrow_mut() {
            Ok(mut life) => {
                let goes_on = life.as_mut().is_none_or(|life| life.take(message));
                drop(life);
                if !goes_on {
                    // Its task sees that it is over.
                    self.post::<NodeMail>(NodeMail::GateMoved);
                }
            }
            Err(_) => self.post(message),
        }
    }

    fn post<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        NodeActor: Handler<M, Result = ()>,
    {
        self.has_mail.set(true);
        self.mail.do_send(message);
    }
}

#[cfg(test)]
mod tests {
    use actix::System;

    use super::*;
    use crate::actors::message::{ControlDown, Nanos, NodeKey, NodeSpec};
    use crate::actors::{ComputingNode, End, FromNode, Gate, LongJob, NodeHost, NodeInput, turn_of_others};
    use crate::command_sets::{Dictionary, executor};

    /// Notes what the node takes, and hands it something while it takes a `Beat`.
    #[derive(Default)]
    struct Noting {
        taken: RefCell<Vec<&'static str>>,
        seat: RefCell<Option<Rc<Seat>>>,
    }

    impl NodeHost for Noting {
        fn now(&self) -> Nanos {
            0
        }

        fn wake_at(&self, _: NodeKey, _: Nanos) {}

        fn say(&self, _: FromNode) {}

        fn close(&self, _: NodeKey, _: End) {}

        fn run_long(&self, _: NodeKey, _: LongJob) {}

        fn ended(&self, _: NodeKey) {}

        fn before(&self, _: NodeKey, input: &NodeInput) -> bool {
            let kind = match input {
                NodeInput::Control(message) => message.kind(),
                _ => "Wake",
            };
            self.taken.borrow_mut().push(kind);
            if kind == "Beat"
                && let Some(seat) = &*self.seat.borrow()
            {
                seat.hand(NodeMail::Wake);
            }
            true
        }
    }

    #[test]
    fn a_node_takes_what_comes_at_once_and_in_order() {
        let told = |message| NodeMail::Control(message, None);
        System::new().block_on(async {
            let spec = NodeSpec { key: NodeKey { id: 1, incarnation: 1 }, beat_period_ns: 0 };
            let (node, host) = (ComputingNode::new(0, &spec, executor::<Dictionary>()), Rc::new(Noting::default()));
            let seat = Seat::start(NodeActor::new(node, Rc::clone(&host) as Rc<dyn NodeHost>, Gate::default()));
            *host.seat.borrow_mut() = Some(Rc::clone(&seat));
            seat.hand(told(ControlDown::Ask { epoch: 1 }));
            assert!(host.taken.borrow().is_empty(), "it has not begun");
            turn_of_others().await;
            assert_eq!(*host.taken.borrow(), ["Ask"]);
            seat.hand(told(ControlDown::Beat { period_ns: 0 }));
            seat.hand(told(ControlDown::Ask { epoch: 2 }));
            assert_eq!(
                *host.taken.borrow(),
                ["Ask", "Beat"],
                "what came in its turn waits, and what comes behind that"
            );
            turn_of_others().await;
            assert_eq!(*host.taken.borrow(), ["Ask", "Beat", "Wake", "Ask"]);
            seat.hand(told(ControlDown::Stop));
            assert!(!seat.is_over());
            turn_of_others().await;
            assert!(seat.is_over());
            seat.hand(NodeMail::Wake);
            assert_eq!(host.taken.borrow().len(), 5);
        });
    }
}
