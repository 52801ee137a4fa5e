//! One end of a link that may lose what it carries.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::{Envelope, MILLISECOND, Nanos};
use super::session::{Packet, Session, SessionConfig};
use crate::planted::{Bug, is_planted};

/// What is not acknowledged is repeated after this time, until the way has been measured.
const REPEAT_AFTER: Nanos = 5 * MILLISECOND;

/// At most so many envelopes, and so many bytes, are on the way without an ack.
const WINDOW: u32 = 256;
const WINDOW_BYTES: usize = 1024 * 1024;

/// What an envelope takes besides what it carries.
const ENVELOPE_BYTES: usize = 64;

/// What travels over a link.
#[derive(Clone, Debug, PartialEq, Hash, Serialize, Deserialize)]
pub enum LinkFrame {
    /// An envelope, as it is.
    Envelope(Envelope),
    /// A packet of the link's own session.
    Packet(Packet<Envelope>),
}

impl LinkFrame {
    /// The bytes that it carries from or to a command set, if any.
    ///
    /// ```
    /// use nodetree::actors::LinkFrame;
    /// use nodetree::actors::message::Envelope;
    /// assert_eq!(LinkFrame::Envelope(Envelope::Greeting).payload(), None);
    /// ```
    pub fn payload(&self) -> Option<&Bytes> {
        match self {
            Self::Envelope(envelope) => envelope.payload(),
            Self::Packet(packet) => packet.segment.as_ref().and_then(|(_, envelope)| envelope.payload()),
        }
    }
}

/// One end of a link: it hands envelopes on as they are, until it is told that the link may lose them.
///
/// From then on it numbers them, and repeats each until the other end has it, which hands them out once and in order:
/// the link is as good as before, only slower. The other end begins to do the same with the first packet that it sees.
/// What was sent before it began has to arrive before the first packet. Each hop repeats for itself, as links do that
/// lose much (radio, say): over eight hops with three frames in ten lost on each, one round trip in three hundred would
/// come through, and no timer at the ends of the whole way could mend that.
///
/// ```
/// use nodetree::actors::message::Envelope;
/// use nodetree::actors::{LinkEnd, LinkFrame};
/// let (mut here, mut there) = (LinkEnd::default(), LinkEnd::default());
/// assert!(matches!(here.send(0, Envelope::Greeting), Some(LinkFrame::Envelope(Envelope::Greeting))));
///
/// here.begin_to_repeat();
/// assert_eq!(here.send(0, Envelope::Greeting), None);
/// assert!(here.transmit(0).is_some(), "and it is lost");
/// let due = here.deadline().expect("it is repeated");
/// let again = here.transmit(due).expect("it is due");
/// assert_eq!(there.receive(due, again.clone()), Some(Envelope::Greeting));
/// assert_eq!(there.receive(due, again), None, "it has come already");
/// here.receive(due, there.transmit(due).expect("an ack"));
/// assert_eq!(here.deadline(), None);
/// ```
#[derive(Clone, Debug, Default, Hash)]
pub struct LinkEnd(Option<Box<Session<Envelope, Envelope>>>);

impl LinkEnd {
    /// From now on what is sent is repeated until it has arrived.
    pub fn begin_to_repeat(&mut self) {
        if is_planted(Bug::RepeatBegunAnew) {
            self.0 = None;
        }
        self.session();
    }

    /// Whether it repeats.
    pub fn repeats(&self) -> bool {
        self.0.is_some()
    }

    fn session(&mut self) -> &mut Session<Envelope, Envelope> {
        self.0.get_or_insert_with(|| {
            let config = SessionConfig {
                window: WINDOW,
                window_bytes: WINDOW_BYTES,
                resend_after_ns: (!is_planted(Bug::LossNotRepeated)).then_some(REPEAT_AFTER),
                eager_ack: true,
            };
            Box::new(Session::new(config))
        })
    }

    /// Sends an envelope: gives it back as it is to travel, or keeps it for [`transmit`](Self::transmit).
    pub fn send(&mut self, now: Nanos, envelope: Envelope) -> Option<LinkFrame> {
        let session = self.0.as_mut().filter(|_| !is_planted(Bug::RepeatBypassed));
        let Some(session) = session else { return Some(LinkFrame::Envelope(envelope)) };
        let bytes = ENVELOPE_BYTES + envelope.payload_bytes();
        session.push(now, envelope, bytes);
        None
    }

    /// Takes what has come, and gives out the first envelope that is due; more with [`take`](Self::take). Then
    /// [`transmit`](Self::transmit): the other end wants to hear of it.
    pub fn receive(&mut self, now: Nanos, frame: LinkFrame) -> Option<Envelope> {
        match frame {
            LinkFrame::Envelope(envelope) => Some(envelope),
            LinkFrame::Packet(packet) => {
                self.session().receive(now, packet);
                self.next()
            }
        }
    }

    /// The next envelope that has come, in order.
    pub fn take(&mut self) -> Option<Envelope> {
        self.next().filter(|_| !is_planted(Bug::OnlyFirstTaken))
    }

    fn next(&mut self) -> Option<Envelope> {
        self.0.as_mut()?.take().map(|delivered| delivered.payload)
    }

    /// The next frame to send. Call it until it gives nothing, after every other call and at the
    /// [`deadline`](Self::deadline).
    pub fn transmit(&mut self, now: Nanos) -> Option<LinkFrame> {
        self.0.as_mut()?.transmit(now).map(LinkFrame::Packet)
    }

    /// How many bytes wait because the window is full.
    pub fn queued_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |session| session.queued_bytes())
    }

    /// When [`transmit`](Self::transmit) wants to be called again, if nothing happens before.
    pub fn deadline(&self) -> Option<Nanos> {
        self.0.as_ref()?.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::message::NodeKey;
    use crate::faults::{Chance, Direction, Fate, FaultKind, Links, Rules};

    fn pong(nonce: u64) -> Envelope {
        Envelope::Pong { from: NodeKey { id: 5, incarnation: 1 }, nonce }
    }

    /// Two ends and what is between them; each frame has the fate that the rules give it.
    #[derive(Default)]
    struct Way {
        ends: [LinkEnd; 2],
        flying: Vec<(Nanos, usize, LinkFrame)>,
        last: [Nanos; 2],
        came: [Vec<Envelope>; 2],
    }

    impl Way {
        fn fly(&mut self, now: Nanos, from: usize, frame: &LinkFrame, rules: &mut Rules) {
            let to = 1 - from;
            let Fate { copies, delay_ns, overtaken_ns, .. } =
                rules.fate(5, if from == 0 { Direction::Down } else { Direction::Up });
            self.last[to] = (now + 10_000 + delay_ns).max(self.last[to] + 1);
            for copy in 0..Nanos::from(copies) {
                self.flying.push((self.last[to] + overtaken_ns + copy, to, frame.clone()));
            }
        }

        fn pump(&mut self, now: Nanos, from: usize, rules: &mut Rules) {
            while let Some(frame) = self.ends[from].transmit(now) {
                self.fly(now, from, &frame, rules);
            }
        }

        /// Lets happen what is next; false when nothing is.
        fn step(&mut self, rules: &mut Rules) -> bool {
            let arrival = self.flying.iter().enumerate().min_by_key(|(_, (at, ..))| *at).map(|(at, it)| (it.0, at));
            let timer = (0..2).filter_map(|end| Some((self.ends[end].deadline()?, end))).min();
            match (arrival, timer) {
                (Some((at, place)), timer) if timer.is_none_or(|(due, _)| at <= due) => {
                    let (_, to, frame) = self.flying.remove(place);
                    let first = self.ends[to].receive(at, frame);
                    self.came[to].extend(first);
                    while let Some(next) = self.ends[to].take() {
                        self.came[to].push(next);
                    }
                    self.pump(at, to, rules);
                }
                (_, Some((at, end))) => self.pump(at, end, rules),
                _ => return false,
            }
            true
        }
    }

    #[test]
    fn whatever_a_link_does_to_frames_it_only_takes_time() {
        for seed in 0..64 {
            let mut rules = Rules::new(seed);
            let (links, direction, chance) = (Links::All, Direction::Both, Chance::percent(30));
            rules.start(1, &FaultKind::Drop { links, direction, chance });
            rules.start(2, &FaultKind::Duplicate { links, direction, chance });
            rules.start(3, &FaultKind::Reorder { links, direction, chance });
            let mut way = Way::default();
            way.ends.iter_mut().for_each(LinkEnd::begin_to_repeat);
            for nonce in 0..600 {
                let from = usize::from(nonce % 3 == 0);
                assert_eq!(way.ends[from].send(nonce, pong(nonce)), None);
                way.pump(nonce, from, &mut rules);
            }
            let mut steps = 0;
            while way.step(&mut rules) {
                steps += 1;
                assert!(steps < 100_000, "seed {seed}: it does not come to rest");
            }
            let sent = |from: usize| (0..600).filter(move |nonce| usize::from(nonce % 3 == 0) == from).map(pong);
            for to in 0..2 {
                assert_eq!(way.came[to], sent(1 - to).collect::<Vec<_>>(), "seed {seed}");
            }
        }
    }
}
