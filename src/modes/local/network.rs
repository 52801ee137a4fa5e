//! What stands between the nodes of an in-process system: whatever one of them sends is looked at between two turns.

use super::turns::{LOOKED_AHEAD, NOBODY, Sent};
use super::{Carrier, Local, Parcel};
use crate::actors::message::Nanos;
use crate::actors::{End, Frame, LinkEvent};

impl<C: Carrier> Local<C> {
    /// Carries the next things that were sent to the network, in order; how many they were.
    pub(super) fn carry_sent(&self) -> usize {
        let mut sent = self.carried.take();
        self.turns.take_sent(&mut sent);
        if C::IS_AT_ONCE {
            self.look_ahead(sent.iter().filter_map(|sent| match sent {
                Sent::Frame(frame) => self.at_end(frame.to),
                Sent::FromNode(_) => None,
            }));
        }
        let count = sent.len();
        for sent in sent.drain(..) {
            match sent {
                Sent::Frame(frame) => self.send(frame),
                Sent::FromNode(message) => self.carrier.carry(Parcel::FromNode(message)),
            }
        }
        self.carried.set(sent);
        count
    }

    /// These nodes, [`LOOKED_AHEAD`] at the most, have something delivered next. What is needed for that comes into the
    /// cache, for all of them at the same time. ("Group prefetching": S. Chen, A. Ailamaki, P. B. Gibbons, T. C. Mowry,
    /// "Improving hash join performance through prefetching", 2004.)
    pub(in crate::modes) fn look_ahead(&self, nodes: impl Iterator<Item = u64>) {
        let mut next = [NOBODY; LOOKED_AHEAD];
        next.iter_mut().zip(nodes).for_each(|(next, node)| *next = node);
        let below = self.turns.glance(&next);
        let links = self.links.borrow();
        for link in below.into_iter().flatten() {
            std::hint::black_box(links.get(link.0).map(|link| link.arrivals[1]));
        }
    }

    /// Carries something over a link, by the first time later; and by the second, while what is sent after it does not
    /// wait.
    pub(super) fn carry_over(&self, to: End, parcel: Parcel, (later, overtaken): (Nanos, Nanos)) {
        let mut links = self.links.borrow_mut();
        // What is sent over a link that is gone arrives nowhere.
        let mut nowhere = 0;
        let last = links.get_mut(to.link.0).map_or(&mut nowhere, |link| &mut link.arrivals[to.side as usize]);
        // A packet is answered: at once, that would have no end. And the end of a link comes behind its packets.
        let must_wait = match &parcel {
            Parcel::Packet(..) => true,
            Parcel::Frame(Frame { event: LinkEvent::Closed, .. }) => self.faults.are_of_links(),
            _ => false,
        };
        let arrival = self.carrier.arrival(*last, later);
        if let Some(at) = arrival {
            *last = at;
        }
        drop(links);
        match arrival {
            Some(at) => self.carrier.carry_at(at + overtaken, parcel),
            None if must_wait || overtaken > 0 => self.carrier.carry_at(self.carrier.now() + overtaken, parcel),
            None => self.deliver(parcel),
        }
    }
}
