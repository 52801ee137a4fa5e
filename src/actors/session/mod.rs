//! One end of the session between the control node and one incarnation of a computing node.
//!
//! A [`Session`] turns a way that may lose, repeat, delay or disorder packets, or that is replaced while packets are
//! on it, into two streams of payloads, one in each direction, each delivered in order and at most once. Both ends are
//! the same type: the control node's end sends the pieces of requests and receives those of replies, the node's end
//! the other way round.
//!
//! ```text
//!                      push ──> queue ──> on the way ──> acknowledged: forgotten
//!                                 │  transmit │ ^
//!      credit, window, bytes ─────┘           v │ resend, timer, probe of the peer
//!                                      ===== packets =====
//!                                             │
//!                      take <── in order <── slots (at most `window`) <── receive
//! ```
//!
//! It does no I/O and has no clock: packets and the time go in, packets come out. The order of one *drive* is
//! [`receive`](Session::receive), [`take`](Session::take), [`push`](Session::push), then
//! [`transmit`](Session::transmit) until it gives `None`; an ack that is owed then rides on data when there is data.
//!
//! # What keeps it alive
//!
//! - **Ack** says received, not done; it is cumulative. **Credit** says how much more the receiver would take; it moves
//!   only when its caller takes, so a slow caller slows the other end and nothing is thrown away.
//! - On links that may lose, a timer repeats what is unacknowledged, and asks again when a sender that waits has heard
//!   nothing: a lost ack or a lost window update cannot block.
//! - On links that cannot lose there is no timer. A sender that has to wait asks once (`ack_now`), a receiver whose
//!   caller took a quarter of the window says so unasked, and [`resend`](Session::resend) or [`probe`](Session::probe)
//!   after a re-link starts both anew.
//! - A packet without a segment is answered only if it asks (`ack_now`, `probe`), and the answer never asks for a mere
//!   ack in return: there are no ack loops.

mod receiver;
mod sender;
mod timer;

use self::receiver::Receiver;
use self::sender::Sender;
use crate::planted::{Bug, is_planted};
use serde::{Deserialize, Serialize};

/// The limits and the habits of one end of a session.
///
/// **Both ends must be given the same `window`**: until it has heard from its peer, a sender relies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Segments: the sender keeps at most this many on the way, and the receiver stores at most this many that were
    /// not taken. 0 counts as 1.
    pub window: u32,
    /// The sender keeps at most this many bytes on the way; one segment, whatever its size, is always allowed. More
    /// than `u32::MAX` counts as `u32::MAX`.
    pub window_bytes: usize,
    /// Time until a segment without an ack is repeated, before the round trip has been measured; the measured time is
    /// kept within a quarter and eight times of it, back-off included. `None` on links that cannot lose: nothing is
    /// ever repeated by time, and [`Session::deadline`] is always `None`.
    pub resend_after_ns: Option<u64>,
    /// Whether each segment is acknowledged at once when no data goes out in the same drive. The computing node's end
    /// does so, because an ack means received; the control node's end need not: its acks ride on the next request, and
    /// without one the peer keeps less than a quarter of a window (in segments and in bytes) unacknowledged for as long.
    /// Links that may lose (`resend_after_ns` is set) are always acknowledged at once.
    pub eager_ack: bool,
}

impl Default for SessionConfig {
    /// 1024 segments, 1 MiB, a link that cannot lose, acks that ride on data: the control node's end.
    fn default() -> Self {
        Self { window: 1024, window_bytes: 1 << 20, resend_after_ns: None, eager_ack: false }
    }
}

/// What travels between the two ends: at most one segment, and what the sender of the packet knows.
///
/// Any values are safe to [`receive`](Session::receive), a hostile peer's too: they cost no more time or memory than a
/// window of segments.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Packet<T> {
    /// The lowest number that the packet's sender still wants delivered: its peer skips what is missing below it,
    /// drops what was not taken, and refuses what comes later.
    pub base: u64,
    /// Everything below was received, or skipped on the word of a `base`.
    pub ack: u64,
    /// The first number that the packet's sender would not store now.
    pub credit: u64,
    /// "Answer with a packet at once": set by a sender that is about to wait for acks or credit.
    pub ack_now: bool,
    /// "Answer with a packet at once, and repeat what you have not seen acknowledged": sent after a re-link, or to ask
    /// for a sign of life.
    pub probe: bool,
    /// A number and its payload; `None` in a packet that only acknowledges, asks or probes.
    pub segment: Option<(u64, T)>,
}

/// One payload, as [`Session::take`] hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered<T> {
    /// Its number: what [`Session::push`] returned at the other end. It only ever grows.
    pub seq: u64,
    /// What was pushed.
    pub payload: T,
    /// Whether numbers between the payload taken before and this one were given up by the peer. A request whose first
    /// pieces were taken, and whose last piece was not, is then to be dropped: the rest of it never comes.
    pub skipped: bool,
}

/// One end of a session: a sliding window in each direction (see the [module](self)).
///
/// A new session owns no memory beyond itself and is smaller than 200 bytes, whatever it will carry.
///
/// ```
/// use nodetree::actors::session::{Session, SessionConfig};
///
/// let mut control: Session<&str, u64> = Session::new(SessionConfig::default());
/// let mut node: Session<u64, &str> = Session::new(SessionConfig { eager_ack: true, ..SessionConfig::default() });
///
/// // A request: one packet down.
/// control.push(0, "sum 1 2 3", 9);
/// let request = control.transmit(0).expect("a segment is queued");
/// assert_eq!(control.transmit(0), None);
///
/// // The node's drive: receive, take, push, transmit. The ack rides on the reply.
/// node.receive(10, request.clone());
/// let delivered = node.take().expect("it came");
/// assert_eq!((delivered.seq, delivered.payload, delivered.skipped), (0, "sum 1 2 3", false));
/// node.push(10, 6, 1);
/// let reply = node.transmit(10).expect("a segment is queued");
/// assert_eq!((reply.ack, reply.segment), (1, Some((0, 6))));
/// assert_eq!(node.transmit(10), None);
///
/// // What comes twice is delivered once; the peer is told again that it has arrived.
/// node.receive(20, request);
/// assert_eq!(node.take(), None);
/// assert_eq!(node.transmit(20).expect("an ack is owed").segment, None);
///
/// // The way was replaced and the reply was lost on it: it is sent again.
/// node.resend();
/// control.receive(30, node.transmit(30).expect("the reply is unacknowledged"));
/// assert_eq!(control.take().expect("it came").payload, 6);
/// assert!(control.is_idle());
/// ```
#[derive(Debug)]
pub struct Session<Out, In> {
    sender: Sender<Out>,
    receiver: Receiver<In>,
}

impl<Out: Clone, In> Session<Out, In> {
    /// A session in which nothing was sent or received. Allocates nothing.
    #[must_use]
    pub fn new(config: SessionConfig) -> Self {
        Self { sender: Sender::new(&config), receiver: Receiver::new(&config) }
    }

    /// Queues `payload`, which counts as `bytes`, and returns its number: 0, 1, 2, …
    ///
    /// The queue has no limit of its own: a caller that has one looks at [`queued_bytes`](Self::queued_bytes) first.
    pub fn push(&mut self, now: u64, payload: Out, bytes: usize) -> u64 {
        self.sender.push(now, payload, bytes)
    }

    /// The number that the next [`push`](Self::push) will return.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.sender.next_seq()
    }

    /// Nothing below `seq` is wanted any more: it is dropped here at once, and at the peer when the peer hears of it.
    ///
    /// What the peer's caller has taken stays taken. Numbers that were not pushed yet cannot be given up: a `seq` above
    /// [`next_seq`](Self::next_seq) counts as `next_seq`. No packet is sent for this alone: the next packet announces
    /// it, whatever that is for; call [`probe`](Self::probe) to announce it now.
    pub fn give_up_below(&mut self, seq: u64) {
        self.sender.give_up_below(seq);
    }

    /// Takes in what came from the peer. Afterwards [`take`](Self::take) and [`transmit`](Self::transmit).
    ///
    /// What was received before, was given up, or is beyond the credit is dropped, and an ack is owed for it.
    pub fn receive(&mut self, now: u64, packet: Packet<In>) {
        self.sender.acknowledge(now, packet.ack, packet.credit);
        if !is_planted(Bug::GapBlocksForEver) {
            self.receiver.skip_to(packet.base);
        }
        if let Some((seq, payload)) = packet.segment {
            self.receiver.store(seq, payload);
        }
        if packet.probe {
            self.sender.resend();
        }
        if packet.probe || packet.ack_now {
            self.receiver.owe();
        }
    }

    /// The next payload in order, each exactly once; `None` while the next one has not come.
    ///
    /// Taking is what gives the peer credit. After a run of takes, [`transmit`](Self::transmit): it may have to say so.
    pub fn take(&mut self) -> Option<Delivered<In>> {
        self.receiver.take()
    }

    /// Whether [`take`](Self::take) would give a payload now.
    #[must_use]
    pub fn has_delivery(&self) -> bool {
        self.receiver.has_delivery()
    }

    /// The next packet to send, if any: a repeat that is due, else a new segment that window, bytes and credit allow,
    /// else a packet without a segment when a question, a probe or an ack is owed.
    ///
    /// Call it until it gives `None`, after every other call and when [`deadline`](Self::deadline) has come.
    pub fn transmit(&mut self, now: u64) -> Option<Packet<Out>> {
        let window = self.receiver.window();
        if let Some(sent) = self.sender.next_segment(now, window) {
            return Some(self.packet(sent.ack_now, Some((sent.seq, sent.payload))));
        }
        let ack_now = self.sender.ask_if_stalled(now, window);
        (ack_now || self.sender.probe_due() || self.receiver.owes()).then(|| self.packet(ack_now, None))
    }

    fn packet(&mut self, ack_now: bool, segment: Option<(u64, Out)>) -> Packet<Out> {
        let (ack, credit) = self.receiver.announce();
        Packet { base: self.sender.base(), ack, credit, ack_now, probe: self.sender.take_probe(), segment }
    }

    /// The way has changed: what is unacknowledged is due again at once. Without anything queued or unacknowledged,
    /// nothing is sent.
    ///
    /// After a re-link either both ends do this, or one does this and [`probe`](Self::probe)s.
    pub fn resend(&mut self) {
        self.sender.resend();
    }

    /// The next packet is a probe, and there is a next packet even with nothing else to send. The peer answers at once
    /// and repeats what it has not seen acknowledged.
    ///
    /// A probe that is lost is not repeated: on a link that may lose, who waits for the answer probes again.
    pub fn probe(&mut self) {
        self.sender.probe();
    }

    /// When [`transmit`](Self::transmit) wants to be called again, if nothing happens before. Always `None` without
    /// [`resend_after_ns`](SessionConfig::resend_after_ns), and when the session [is idle](Self::is_idle).
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.sender.deadline()
    }

    /// Since when the oldest segment without an ack waits: when it was first sent, or pushed if it was not sent yet.
    ///
    /// This is what "no ack for the reply timeout" is measured from; repeats do not change it.
    #[must_use]
    pub fn oldest_unacked_since(&self) -> Option<u64> {
        self.sender.oldest_since()
    }

    /// The peer has received everything below this number, or skipped it.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.sender.acked()
    }

    /// Whether nothing is queued and nothing is unacknowledged. An ack may still be owed to the peer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sender.is_idle()
    }

    /// Segments that were sent and are neither acknowledged nor given up: at most the window.
    #[must_use]
    pub fn unacked(&self) -> usize {
        self.sender.on_way()
    }

    /// Bytes of the segments that [`unacked`](Self::unacked) counts: at most `window_bytes`, or one segment.
    #[must_use]
    pub fn unacked_bytes(&self) -> usize {
        self.sender.way_bytes()
    }

    /// Bytes of the segments that were pushed and not sent yet.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.sender.queued_bytes()
    }

    /// Segments that were received and not taken yet, in order or not: at most the window.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.receiver.buffered()
    }
}

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn the_session_of_an_idle_node_is_tiny() {
        assert!(size_of::<Session<Vec<u8>, Vec<u8>>>() < 200, "{}", size_of::<Session<Vec<u8>, Vec<u8>>>());
    }
}
