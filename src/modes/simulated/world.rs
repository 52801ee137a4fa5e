//! The simulated world: the clock, what will happen when, and the delays that are drawn from the seed.

use super::events::Events;
use super::ways::{Way, Ways};
use crate::actors::message::{Envelope, Nanos};
use crate::actors::{Frame, FromNode, LinkEvent, NodeMail};
use crate::modes::local::Parcel;
use crate::modes::wire;
use crate::random::Random;
use crate::topology::Route;

/// The shortest and the longest time that an envelope takes over a link.
const DELAY_NS: (Nanos, Nanos) = (1_000, 15_000);

/// The most nodes on a way between processes.
const LONGEST_WAY_ON_WIRES: usize = 4096;

pub(super) struct World {
    pub(super) now: Nanos,
    pub(super) random: Random,
    pub(super) events: Events,
    pub(super) ways: Ways,
    pub(super) codec: bool,
    /// How many events there were, and how many of them were envelopes.
    pub(super) steps: u64,
    pub(super) delivered: u64,
    /// So much time may pass without an answer because it was asked for.
    pub(super) allowed_ns: Nanos,
    /// When the last thing that was submitted arrives.
    pub(super) last_submission: Nanos,
}

impl World {
    /// When something arrives that is sent now, behind what arrives last.
    pub(super) fn arrival(&mut self, last: Nanos, later: Nanos) -> Nanos {
        let delay = later + self.random.between(DELAY_NS);
        (self.now + delay).max(last + 1)
    }

    pub(super) fn schedule_at(&mut self, at: Nanos, parcel: Parcel) {
        let parcel = if self.codec { through_the_codec(parcel) } else { parcel };
        self.events.push(at.max(self.now), parcel);
    }

    pub(super) fn schedule(&mut self, way: Way, parcel: Parcel) {
        let at = self.arrival(self.ways.last(way), 0);
        self.ways.arrives(way, at, self.now);
        self.schedule_at(at, parcel);
    }
}

/// A way that is longer than any between processes is too long for a frame.
fn fits_into_a_frame(envelope: &Envelope) -> bool {
    match envelope {
        Envelope::Request { route: Route::Path(path), .. } | Envelope::Ping { route: Route::Path(path), .. } => {
            path.rest().len() <= LONGEST_WAY_ON_WIRES
        }
        _ => true,
    }
}

/// Whatever travels is encoded and decoded, so that nothing creeps in that cannot be sent.
fn through_the_codec(parcel: Parcel) -> Parcel {
    fn there_and_back<T: serde::Serialize + serde::de::DeserializeOwned>(message: &T) -> T {
        let frame = wire::encode(message).expect("whatever a node sends fits into a frame");
        wire::decode(&frame).expect("whatever was encoded can be decoded")
    }
    match parcel {
        Parcel::Frame(Frame { to, event: LinkEvent::Envelope(envelope) }) if fits_into_a_frame(&envelope) => {
            Parcel::Frame(Frame { to, event: LinkEvent::Envelope(there_and_back(&envelope)) })
        }
        Parcel::Packet(to, packet) => Parcel::Packet(to, there_and_back(&packet)),
        Parcel::ToNode(key, NodeMail::Control(message, address)) => {
            Parcel::ToNode(key, NodeMail::Control(there_and_back(&message), address))
        }
        Parcel::FromNode(FromNode { from, message }) => {
            Parcel::FromNode(FromNode { from, message: there_and_back(&message) })
        }
        other => other,
    }
}
