//! Two ends of a session over a hostile way: what goes wrong on it is data.
//!
//! Whatever the way loses, repeats, delays or disorders, and whenever it is replaced, payloads come in order and at
//! most once, all that is still wanted comes once the way is whole, and then nothing is kept.

mod draw;

use std::rc::Rc;

pub use self::draw::{any_ends, over_a_lossy_way, over_replaced_ways};
use crate::actors::session::{Packet, Session, SessionConfig};

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

const ENDS: [usize; 2] = [0, 1];

/// A journey comes to rest within so many events.
const EVENTS_MAX: usize = 20_000;

/// Ends with an error that says what does not hold.
macro_rules! demand {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}

/// What happens to one packet on its way. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It comes after a millisecond.
    Arrive,
    /// It never comes.
    Lose,
    /// It comes, and then again.
    Twice(u16),
    /// It comes late.
    Late(u16),
}

/// What the callers of the two ends do, and what time and the way do. Ends are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Some payloads are pushed.
    Push {
        /// At which end.
        end: usize,
        /// How many.
        count: u8,
        /// As how many bytes each of them counts.
        bytes: u16,
    },
    /// All but the last few payloads are not wanted any more.
    GiveUp {
        /// By which end.
        end: usize,
        /// How many are still wanted.
        back: u8,
    },
    /// Nothing that was pushed is wanted any more.
    GiveUpAll {
        /// By which end.
        end: usize,
    },
    /// Some payloads are taken.
    Take {
        /// At which end.
        end: usize,
        /// How many.
        count: u8,
    },
    /// The caller of an end takes everything at once from now on, or no more.
    Busy {
        /// Which end.
        end: usize,
        /// Whether it takes no more.
        busy: bool,
    },
    /// What is not acknowledged is due again.
    Resend {
        /// At which end.
        end: usize,
    },
    /// The peer is asked for a sign of life.
    Probe {
        /// By which end.
        end: usize,
    },
    /// Time passes.
    Pass {
        /// How long.
        ms: u16,
    },
    /// The way is replaced: what is on it is lost. Both ends repeat, or one end repeats and probes.
    Relink {
        /// The one end, if it is one.
        by: Option<usize>,
    },
}

/// What is done, and what happens to the packets, one after the other and then from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journey {
    /// The two ends. The same window at both.
    pub ends: [SessionConfig; 2],
    /// The fates of packets, in the order in which they are sent.
    pub fates: Vec<Fate>,
    /// What is done.
    pub ops: Vec<Op>,
}

impl Journey {
    /// Makes it, then heals the way, and looks whether everything is as it must be.
    ///
    /// # Errors
    /// What is not.
    ///
    /// ```
    /// use nodetree::actors::session::SessionConfig;
    /// use nodetree::testing::journey::{Fate, Journey, MS, Op};
    /// let timed = SessionConfig { resend_after_ns: Some(200 * MS), ..SessionConfig::default() };
    /// let ops = vec![Op::Push { end: 0, count: 3, bytes: 10 }];
    /// let journey = Journey { ends: [timed; 2], fates: vec![Fate::Lose, Fate::Twice(5)], ops };
    /// assert_eq!(journey.check(), Ok(()));
    /// ```
    pub fn check(&self) -> Result<(), String> {
        let mut world = World::new(self.ends, self.fates.clone());
        self.ops.iter().try_for_each(|op| world.run(op))?;
        world.heal_and_check()
    }
}

/// What is pushed: by whom, under which number, and a count of those that are in memory somewhere.
#[derive(Clone, Debug)]
struct Payload {
    from: usize,
    seq: u64,
    _alive: Rc<()>,
}

/// What the world knows of one direction, beside the sessions.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// So many were pushed.
    pub pushed: u64,
    given_up: u64,
    /// The highest base that has reached the receiver.
    known_base: u64,
    /// What was taken at the other end.
    pub delivered: Vec<u64>,
}

/// A packet on the way: when it arrives, what decides between equal times, and at which end.
type OnWay = (u64, u64, usize, Packet<Payload>);

/// The two ends and the way between them.
pub struct World {
    ends: [Session<Payload, Payload>; 2],
    configs: [SessionConfig; 2],
    /// What each end pushes.
    pub streams: [Stream; 2],
    busy: [bool; 2],
    way: Vec<OnWay>,
    fates: Vec<Fate>,
    fate: usize,
    now: u64,
    /// How many packets were sent.
    pub sent: u64,
    /// How many of them with a segment.
    pub data_sent: u64,
    /// Every payload that is in memory holds it.
    alive: Rc<()>,
}

impl World {
    /// Two new ends.
    pub fn new(configs: [SessionConfig; 2], fates: Vec<Fate>) -> Self {
        let ends = configs.map(Session::new);
        let (streams, busy, alive) = (Default::default(), [false; 2], Rc::new(()));
        Self { ends, configs, streams, busy, way: vec![], fates, fate: 0, now: 0, sent: 0, data_sent: 0, alive }
    }

    /// Does one thing.
    ///
    /// # Errors
    /// What does not hold.
    pub fn run(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Push { end, count, bytes } => (0..count).try_for_each(|_| self.push(end, bytes.into()))?,
            Op::GiveUp { end, back } => self.give_up(end, self.streams[end].pushed.saturating_sub(back.into())),
            Op::GiveUpAll { end } => self.give_up(end, u64::MAX),
            Op::Take { end, count } => (0..count).try_for_each(|_| self.take(end).map(drop))?,
            Op::Busy { end, busy } => self.busy[end] = busy,
            Op::Resend { end } => self.ends[end].resend(),
            Op::Probe { end } => self.ends[end].probe(),
            Op::Pass { ms } => self.pass(u64::from(ms) * MS)?,
            Op::Relink { by } => self.relink(by),
        }
        ENDS.into_iter().try_for_each(|end| self.drive(end))
    }

    fn push(&mut self, end: usize, bytes: usize) -> Result<(), String> {
        let seq = self.streams[end].pushed;
        let payload = Payload { from: end, seq, _alive: Rc::clone(&self.alive) };
        let announced = self.ends[end].next_seq();
        let number = self.ends[end].push(self.now, payload, bytes);
        demand!((announced, number) == (seq, seq), "{announced}, then {number}, is the number of payload {seq}");
        self.streams[end].pushed += 1;
        Ok(())
    }

    fn give_up(&mut self, end: usize, below: u64) {
        self.ends[end].give_up_below(below);
        let stream = &mut self.streams[end];
        stream.given_up = stream.given_up.max(below.min(stream.pushed));
    }

    fn relink(&mut self, by: Option<usize>) {
        self.way.clear();
        match by {
            Some(end) => {
                self.ends[end].resend();
                self.ends[end].probe();
            }
            None => self.ends.iter_mut().for_each(Session::resend),
        }
    }

    /// Takes one payload at `end` and holds it against what the other end pushed; whether there was one.
    fn take(&mut self, end: usize) -> Result<bool, String> {
        let expects = self.ends[end].has_delivery();
        let delivered = self.ends[end].take();
        demand!(expects == delivered.is_some(), "a delivery is {expects}, and then {delivered:?}");
        let Some(delivered) = delivered else { return Ok(false) };
        let stream = &mut self.streams[1 - end];
        let (seq, skipped) = (delivered.seq, delivered.skipped);
        let expected = stream.delivered.last().map_or(0, |last| last + 1);
        let Payload { from, seq: pushed, .. } = delivered.payload;
        demand!((from, pushed) == (1 - end, seq), "{pushed} of end {from} comes as {seq} to end {end}");
        demand!(seq >= expected, "{seq} instead of {expected}: twice, or out of order");
        demand!(seq >= stream.known_base, "{seq} was given up, and that was known");
        demand!(skipped == (seq != expected), "{seq} instead of {expected}, and told: {skipped}");
        demand!(seq == expected || seq <= stream.given_up, "{seq} instead of {expected}, which is still wanted");
        stream.delivered.push(seq);
        Ok(true)
    }

    /// One drive of an end: take, then transmit until there is nothing.
    fn drive(&mut self, end: usize) -> Result<(), String> {
        while !self.busy[end] && self.take(end)? {}
        let most = 2 * u64::from(self.configs[end].window.max(1)) + 4;
        let before = self.sent;
        while let Some(packet) = self.ends[end].transmit(self.now) {
            self.send(1 - end, packet);
            demand!(self.sent - before <= most, "one drive sends more than {most} packets");
        }
        self.check_bounds(end)
    }

    fn check_bounds(&self, end: usize) -> Result<(), String> {
        let (session, config, now) = (&self.ends[end], &self.configs[end], self.now);
        let window = config.window.max(1) as usize;
        let (unacked, buffered) = (session.unacked(), session.buffered());
        demand!(unacked <= window && buffered <= window, "{unacked} and {buffered} in a window of {window}");
        let bytes = session.unacked_bytes();
        demand!(bytes <= config.window_bytes || unacked == 1, "{bytes} bytes on the way");
        let waits = !session.is_idle() && config.resend_after_ns.is_some();
        let (deadline, oldest) = (session.deadline(), session.oldest_unacked_since());
        demand!(deadline.is_some() == waits, "a timer, {deadline:?}, and something that waits: {waits}");
        demand!(deadline.is_none_or(|it| it > now), "a timer for {deadline:?}, and it is {now}");
        demand!(oldest.is_some() != session.is_idle(), "the oldest is of {oldest:?}");
        demand!(session.acked() <= session.next_seq(), "acknowledged before it was pushed");
        Ok(())
    }

    fn send(&mut self, to: usize, packet: Packet<Payload>) {
        self.sent += 1;
        self.data_sent += u64::from(packet.segment.is_some());
        let fate = self.fates.get(self.fate % self.fates.len().max(1)).copied().unwrap_or(Fate::Arrive);
        self.fate += 1;
        let mut put = |delay: u64, packet| self.way.push((self.now + delay, self.fate as u64, to, packet));
        match fate {
            Fate::Lose => {}
            Fate::Arrive => put(MS, packet),
            Fate::Late(ms) => put(u64::from(ms) * MS, packet),
            Fate::Twice(ms) => {
                put(MS, packet.clone());
                put(u64::from(ms) * MS, packet);
            }
        }
    }

    /// Lets time pass: arrivals and deadlines, in the order of time.
    ///
    /// # Errors
    /// What does not hold.
    pub fn pass(&mut self, ns: u64) -> Result<(), String> {
        let end = self.now + ns;
        while let Some(next) = self.next_event().filter(|it| *it <= end) {
            self.now = self.now.max(next);
            self.step()?;
        }
        self.now = end;
        Ok(())
    }

    /// When something arrives or is due; never, when nothing will happen any more.
    pub fn next_event(&self) -> Option<u64> {
        let arrivals = self.way.iter().map(|it| it.0);
        arrivals.chain(self.ends.iter().filter_map(Session::deadline)).min()
    }

    fn step(&mut self) -> Result<(), String> {
        let due = (0..self.way.len()).filter(|at| self.way[*at].0 <= self.now);
        let first = due.min_by_key(|at| (self.way[*at].0, self.way[*at].1));
        let Some(first) = first else { return ENDS.into_iter().try_for_each(|end| self.drive(end)) };
        let (_, _, to, packet) = self.way.remove(first);
        let known = &mut self.streams[1 - to].known_base;
        *known = packet.base.max(*known);
        self.ends[to].receive(self.now, packet);
        self.drive(to)
    }

    /// The way is whole and the callers take: everything still wanted comes, then there is silence, and nothing is kept.
    ///
    /// # Errors
    /// What does not hold.
    pub fn heal_and_check(&mut self) -> Result<(), String> {
        self.fates.clear();
        self.busy = [false; 2];
        self.rest()?;
        ENDS.into_iter().try_for_each(|end| self.check_settled(end))?;
        // A lazy end holds back the last acks; a probe fetches them.
        ENDS.into_iter().for_each(|end| self.ends[end].probe());
        self.rest()?;
        ENDS.into_iter().try_for_each(|end| self.check_idle(end))?;
        let kept = Rc::strong_count(&self.alive) - 1;
        demand!(kept == 0, "{kept} payloads are kept, and nobody wants them");
        Ok(())
    }

    /// Runs until nothing is on the way and no timer runs, with a bounded number of packets.
    fn rest(&mut self) -> Result<(), String> {
        ENDS.into_iter().try_for_each(|end| self.drive(end))?;
        let (before, wanted) = (self.sent, self.ends.iter().map(|it| it.next_seq() - it.acked()).sum::<u64>());
        let on_way = self.way.len() as u64;
        let mut events = 0;
        while let Some(next) = self.next_event() {
            self.now = self.now.max(next);
            self.step()?;
            events += 1;
            demand!(events < EVENTS_MAX, "it does not come to rest");
        }
        let windows = self.configs.iter().map(|it| u64::from(it.window)).sum::<u64>();
        let (sent, most) = (self.sent - before, 12 * (wanted + on_way + windows) + 64);
        demand!(sent <= most, "chatter: {sent} packets for {wanted} + {on_way}");
        Ok(())
    }

    fn check_settled(&self, end: usize) -> Result<(), String> {
        let (session, stream) = (&self.ends[end], &self.streams[end]);
        let wanted = (stream.given_up..stream.pushed).filter(|seq| stream.delivered.binary_search(seq).is_err());
        let wanted: Vec<u64> = wanted.collect();
        demand!(wanted.is_empty(), "{wanted:?} of end {end} are wanted, and were never delivered");
        let left = (session.queued_bytes(), session.deadline());
        demand!(left == (0, None), "end {end} has {left:?} left to send");
        let [own, peer] = [&self.configs[end], &self.configs[1 - end]];
        let is_told = peer.eager_ack || peer.resend_after_ns.is_some();
        demand!(session.is_idle() || !is_told, "end {end} is not acknowledged");
        let few = (own.window as usize / 4).max(1);
        let is_little = session.unacked() < few && session.unacked_bytes() <= own.window_bytes / 4;
        demand!(is_little, "{} payloads of end {end} are not acknowledged", session.unacked());
        Ok(())
    }

    fn check_idle(&self, end: usize) -> Result<(), String> {
        let session = &self.ends[end];
        demand!(session.is_idle() && session.unacked() == 0, "end {end} is not idle");
        let held = (session.unacked_bytes(), session.queued_bytes(), session.buffered());
        demand!(held == (0, 0, 0), "end {end} holds {held:?}");
        let times = (session.deadline(), session.oldest_unacked_since());
        demand!(times == (None, None), "end {end} waits: {times:?}");
        Ok(())
    }
}
