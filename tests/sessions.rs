//! Two ends of a session over a hostile way: whatever the way loses, repeats, delays or disorders, and whenever it is
//! replaced, payloads come in order and at most once, and all that is still wanted comes once the way is whole.

use nodetree::actors::session::{Packet, Session, SessionConfig};
use proptest::collection::vec;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const ENDS: [usize; 2] = [0, 1];

/// What happens to one packet on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrive,
    Lose,
    Twice(u16),
    Late(u16),
}

#[derive(Clone, Debug)]
enum Op {
    Push {
        end: usize,
        count: u8,
        bytes: u16,
    },
    GiveUp {
        end: usize,
        back: u8,
    },
    GiveUpAll {
        end: usize,
    },
    Take {
        end: usize,
        count: u8,
    },
    /// The caller of this end takes everything at once from now on, or no more.
    Busy {
        end: usize,
        busy: bool,
    },
    Resend {
        end: usize,
    },
    Probe {
        end: usize,
    },
    Pass {
        ms: u16,
    },
    /// The way is replaced: what is on it is lost. Both ends repeat, or one end repeats and probes.
    Relink {
        by: Option<usize>,
    },
}

/// What the world knows of one direction, beside the sessions: `end` is the sending end.
#[derive(Default)]
struct Stream {
    pushed: u64,
    given_up: u64,
    /// The highest base that has reached the receiver.
    known_base: u64,
    delivered: Vec<u64>,
}

/// A packet on the way: when it arrives, what decides between equal times, and at which end.
type OnWay = (u64, u64, usize, Packet<(usize, u64)>);

struct World {
    ends: [Session<(usize, u64), (usize, u64)>; 2],
    configs: [SessionConfig; 2],
    /// `streams[e]` is what end `e` pushes.
    streams: [Stream; 2],
    busy: [bool; 2],
    way: Vec<OnWay>,
    fates: Vec<Fate>,
    fate: usize,
    now: u64,
    sent: u64,
    data_sent: u64,
}

impl World {
    fn new(configs: [SessionConfig; 2], fates: Vec<Fate>) -> Self {
        let ends = configs.map(Session::new);
        let (streams, busy) = (Default::default(), [false; 2]);
        Self { ends, configs, streams, busy, way: vec![], fates, fate: 0, now: 0, sent: 0, data_sent: 0 }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Push { end, count, bytes } => (0..count).for_each(|_| self.push(end, bytes.into())),
            Op::GiveUp { end, back } => self.give_up(end, self.streams[end].pushed.saturating_sub(back.into())),
            Op::GiveUpAll { end } => self.give_up(end, u64::MAX),
            Op::Take { end, count } => (0..count).for_each(|_| _ = self.take(end)),
            Op::Busy { end, busy } => self.busy[end] = busy,
            Op::Resend { end } => self.ends[end].resend(),
            Op::Probe { end } => self.ends[end].probe(),
            Op::Pass { ms } => self.pass(u64::from(ms) * MS),
            Op::Relink { by } => self.relink(by),
        }
        ENDS.into_iter().for_each(|end| self.drive(end));
    }

    fn push(&mut self, end: usize, bytes: usize) {
        let stream = &mut self.streams[end];
        assert_eq!(self.ends[end].next_seq(), stream.pushed);
        assert_eq!(self.ends[end].push(self.now, (end, stream.pushed), bytes), stream.pushed);
        stream.pushed += 1;
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

    /// Takes one payload at `end` and holds it against what the other end pushed.
    fn take(&mut self, end: usize) -> Option<u64> {
        let expects = self.ends[end].has_delivery();
        let delivered = self.ends[end].take();
        assert_eq!(expects, delivered.is_some());
        let delivered = delivered?;
        let stream = &mut self.streams[1 - end];
        let expected = stream.delivered.last().map_or(0, |last| last + 1);
        assert_eq!(delivered.payload, (1 - end, delivered.seq), "not what was pushed under this number");
        assert!(delivered.seq >= expected, "{} after {expected}: twice, or out of order", delivered.seq);
        assert!(delivered.seq >= stream.known_base, "{} was given up, and that was known", delivered.seq);
        assert_eq!(delivered.skipped, delivered.seq != expected, "a skip is told, and nothing else is");
        assert!(delivered.seq == expected || delivered.seq <= stream.given_up, "skipped what is still wanted");
        stream.delivered.push(delivered.seq);
        Some(delivered.seq)
    }

    /// One drive of an end: take, then transmit until there is nothing.
    fn drive(&mut self, end: usize) {
        while !self.busy[end] && self.take(end).is_some() {}
        let most = 2 * u64::from(self.configs[end].window.max(1)) + 4;
        let before = self.sent;
        while let Some(packet) = self.ends[end].transmit(self.now) {
            self.send(1 - end, packet);
            assert!(self.sent - before <= most, "one drive sends without end");
        }
        self.check_bounds(end);
    }

    fn check_bounds(&self, end: usize) {
        let (session, config) = (&self.ends[end], &self.configs[end]);
        let window = config.window.max(1) as usize;
        assert!(session.unacked() <= window && session.buffered() <= window);
        assert!(session.unacked_bytes() <= config.window_bytes || session.unacked() == 1);
        let waits = !session.is_idle() && config.resend_after_ns.is_some();
        assert_eq!(session.deadline().is_some(), waits, "the timer runs exactly while something is not acknowledged");
        assert!(session.deadline().is_none_or(|it| it > self.now));
        assert_eq!(session.oldest_unacked_since().is_some(), !session.is_idle());
        assert!(session.acked() <= session.next_seq());
    }

    fn send(&mut self, to: usize, packet: Packet<(usize, u64)>) {
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
    fn pass(&mut self, ns: u64) {
        let end = self.now + ns;
        while let Some(next) = self.next_event().filter(|it| *it <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<u64> {
        let arrivals = self.way.iter().map(|it| it.0);
        arrivals.chain(self.ends.iter().filter_map(Session::deadline)).min()
    }

    fn step(&mut self) {
        if let Some(index) = (0..self.way.len()).filter(|i| self.way[*i].0 <= self.now).min_by_key(|i| {
            let (at, tie, ..) = self.way[*i];
            (at, tie)
        }) {
            let (_, _, to, packet) = self.way.remove(index);
            let known = &mut self.streams[1 - to].known_base;
            *known = packet.base.max(*known);
            self.ends[to].receive(self.now, packet);
            self.drive(to);
        } else {
            ENDS.into_iter().for_each(|end| self.drive(end));
        }
    }

    /// The way is whole and the callers take: everything still wanted comes, and then there is silence.
    fn heal_and_check(&mut self) {
        self.fates.clear();
        self.busy = [false; 2];
        self.rest();
        ENDS.into_iter().for_each(|end| self.check_settled(end));
        // A lazy end holds back the last acks; a probe fetches them.
        ENDS.into_iter().for_each(|end| self.ends[end].probe());
        self.rest();
        ENDS.into_iter().for_each(|end| self.check_idle(end));
    }

    /// Runs until nothing is on the way and no timer runs, with a bounded number of packets.
    fn rest(&mut self) {
        ENDS.into_iter().for_each(|end| self.drive(end));
        let (before, wanted) = (self.sent, self.ends.iter().map(|it| it.next_seq() - it.acked()).sum::<u64>());
        let on_way = self.way.len() as u64;
        let mut steps = 0;
        while let Some(next) = self.next_event() {
            self.now = self.now.max(next);
            self.step();
            steps += 1;
            assert!(steps < 20_000, "it does not come to rest");
        }
        let windows = self.configs.iter().map(|it| u64::from(it.window)).sum::<u64>();
        let most = 12 * (wanted + on_way + windows) + 64;
        assert!(self.sent - before <= most, "chatter: {} packets for {wanted} + {on_way}", self.sent - before);
    }

    fn check_settled(&self, end: usize) {
        let (session, stream) = (&self.ends[end], &self.streams[end]);
        let wanted = (stream.given_up..stream.pushed).filter(|seq| stream.delivered.binary_search(seq).is_err());
        assert_eq!(wanted.collect::<Vec<_>>(), [], "wanted, and never delivered: {session:?}");
        assert_eq!((session.queued_bytes(), session.deadline()), (0, None));
        let [own, peer] = [&self.configs[end], &self.configs[1 - end]];
        if peer.eager_ack || peer.resend_after_ns.is_some() {
            assert!(session.is_idle(), "end {end} is not acknowledged: {session:?}");
        }
        assert!(
            session.unacked() < (own.window as usize / 4).max(1) && session.unacked_bytes() <= own.window_bytes / 4
        );
    }

    fn check_idle(&self, end: usize) {
        let session = &self.ends[end];
        assert!(session.is_idle() && session.unacked() == 0, "end {end}: {session:?}");
        assert_eq!((session.unacked_bytes(), session.queued_bytes(), session.buffered()), (0, 0, 0));
        assert_eq!((session.deadline(), session.oldest_unacked_since()), (None, None));
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Arrive),
        3 => Just(Fate::Lose),
        2 => (1..1_000u16).prop_map(Fate::Twice),
        3 => (0..20u16).prop_map(Fate::Late),
        1 => (0..2_000u16).prop_map(Fate::Late),
    ];
    // Runs of one fate are bursts: everything lost, everything disordered.
    let burst = (fate, prop_oneof![3 => 1..4usize, 1 => 1..40usize]).prop_map(|(fate, count)| vec![fate; count]);
    vec(burst, 0..24).prop_map(|bursts| bursts.concat())
}

fn op(relinks: bool) -> impl Strategy<Value = Op> {
    let end = || 0..2usize;
    let rare = if relinks {
        prop_oneof![
            (0..3usize).prop_map(|by| Op::Relink { by: (by < 2).then_some(by) }),
            end().prop_map(|end| Op::Probe { end }),
        ]
        .boxed()
    } else {
        prop_oneof![end().prop_map(|end| Op::Resend { end }), end().prop_map(|end| Op::Probe { end })].boxed()
    };
    prop_oneof![
        6 => (end(), 1..12u8, 0..60u16).prop_map(|(end, count, bytes)| Op::Push { end, count, bytes }),
        1 => (end(), 0..12u8).prop_map(|(end, back)| Op::GiveUp { end, back }),
        1 => end().prop_map(|end| Op::GiveUpAll { end }),
        2 => (end(), 1..6u8).prop_map(|(end, count)| Op::Take { end, count }),
        2 => (end(), any::<bool>()).prop_map(|(end, busy)| Op::Busy { end, busy }),
        4 => (0..6u16).prop_map(|ms| Op::Pass { ms }),
        2 => (0..800u16).prop_map(|ms| Op::Pass { ms }),
        2 => rare,
    ]
}

fn config(resend_after_ns: Option<u64>, eager_ack: bool) -> impl Strategy<Value = SessionConfig> {
    (prop_oneof![0..6u32, 6..24u32, 24..64u32, Just(1024u32)], prop_oneof![0..200usize, 100..400usize, Just(1 << 20)])
        .prop_map(move |(window, window_bytes)| SessionConfig { window, window_bytes, resend_after_ns, eager_ack })
}

fn ends(resend_after_ns: Option<u64>) -> impl Strategy<Value = [SessionConfig; 2]> {
    // The same window at both ends; everything else is each end's own affair.
    (config(resend_after_ns, true), 0..200usize, any::<[bool; 2]>()).prop_map(|(config, window_bytes, eager)| {
        let other = SessionConfig { window_bytes, eager_ack: eager[1], ..config };
        [SessionConfig { eager_ack: eager[0], ..config }, other]
    })
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_way_that_loses_repeats_delays_and_disorders_changes_nothing_but_time(
        configs in ends(Some(200 * MS)), fates in fates(), ops in vec(op(false), 1..40),
    ) {
        let mut world = World::new(configs, fates);
        ops.iter().for_each(|op| world.run(op));
        world.heal_and_check();
    }

    #[test]
    fn without_a_timer_replaced_ways_lose_nothing(configs in ends(None), ops in vec(op(true), 1..40)) {
        let mut world = World::new(configs, vec![]);
        ops.iter().for_each(|op| world.run(op));
        world.heal_and_check();
    }
}

/// Numbers that a hostile or broken peer might send.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..40u64, Just(u64::MAX), u64::MAX - 40..u64::MAX, any::<u64>(), (0..64u32).prop_map(|bit| 1 << bit)]
}

fn hostile_packet() -> impl Strategy<Value = Packet<u8>> {
    let segment = proptest::option::of((number(), any::<u8>()));
    let rare_number = || prop_oneof![6 => 0..8u64, 1 => number()];
    (rare_number(), number(), number(), any::<[bool; 2]>(), segment).prop_map(
        |(base, ack, credit, [ack_now, probe], segment)| Packet { base, ack, credit, ack_now, probe, segment },
    )
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn no_packet_of_a_hostile_peer_breaks_the_limits(
        configs in ends(Some(MS)), timed: bool, packets in vec((hostile_packet(), number(), 0..4u8), 1..60),
    ) {
        let resend_after_ns = configs[0].resend_after_ns.filter(|_| timed);
        let config = SessionConfig { resend_after_ns, ..configs[0] };
        let window = config.window.max(1) as usize;
        let (mut session, mut last) = (Session::<u8, u8>::new(config), None);
        for (packet, now, pushes) in packets {
            let now = now / 2;
            (0..pushes).for_each(|n| _ = session.push(now, n, 30));
            session.receive(now, packet);
            prop_assert!(session.buffered() <= window && session.acked() <= session.next_seq());
            if pushes % 2 == 0 {
                while let Some(delivered) = session.take() {
                    prop_assert!(last < Some(delivered.seq));
                    last = Some(delivered.seq);
                }
            }
            let sent = std::iter::from_fn(|| session.transmit(now)).take(2 * window + 5).count();
            prop_assert!(sent <= 2 * window + 4);
        }
    }

    #[test]
    fn a_way_that_loses_nothing_carries_one_packet_per_payload(pushes in vec((0..2usize, 1..8u8), 1..30)) {
        let mut world = World::new([SessionConfig::default(); 2], vec![]);
        for (end, count) in pushes {
            world.run(&Op::Push { end, count, bytes: 100 });
            world.pass(MS);
        }
        let pushed = world.streams.iter().map(|it| it.pushed).sum::<u64>();
        prop_assert!(world.streams.iter().all(|it| it.delivered.len() as u64 == it.pushed));
        prop_assert_eq!((world.sent, world.data_sent), (pushed, pushed), "lazy, and less than a quarter of a window");
        prop_assert_eq!(world.next_event(), None);
    }
}

type Pair = (Session<u8, u8>, Session<u8, u8>);

fn pair(config: SessionConfig) -> Pair {
    (Session::new(config), Session::new(config))
}

fn packets(session: &mut Session<u8, u8>, now: u64) -> Vec<Packet<u8>> {
    std::iter::from_fn(|| session.transmit(now)).collect()
}

/// Everything that one end sends now reaches the other.
fn carry(from: &mut Session<u8, u8>, to: &mut Session<u8, u8>, now: u64) {
    packets(from, now).into_iter().for_each(|it| to.receive(now, it));
}

fn timed(config: SessionConfig) -> SessionConfig {
    SessionConfig { resend_after_ns: Some(200 * MS), ..config }
}

fn lossless(window: u32, eager_ack: bool) -> SessionConfig {
    SessionConfig { window, eager_ack, ..SessionConfig::default() }
}

#[test]
fn the_eager_end_acknowledges_at_once_unless_the_ack_rides_on_data() {
    let (mut a, mut b) = pair(lossless(8, true));
    a.push(0, 1, 1);
    carry(&mut a, &mut b, 0);
    let acks = packets(&mut b, 0);
    assert_eq!((acks.len(), acks[0].ack, &acks[0].segment), (1, 1, &None));
    a.push(0, 2, 1);
    carry(&mut a, &mut b, 0);
    b.push(0, 9, 1);
    let acks = packets(&mut b, 0);
    assert_eq!((acks.len(), acks[0].ack, &acks[0].segment), (1, 2, &Some((0, 9))));
}

#[test]
fn the_lazy_end_acknowledges_a_quarter_of_the_window_at_a_time() {
    let (mut a, mut b) = pair(lossless(16, false));
    for n in 1..=8 {
        a.push(0, n, 1);
        carry(&mut a, &mut b, 0);
        b.take().expect("in order");
        let acks = packets(&mut b, 0);
        assert_eq!(acks.len(), usize::from(n % 4 == 0), "after {n}");
        acks.into_iter().for_each(|it| a.receive(0, it));
    }
    assert!(a.is_idle());
}

#[test]
fn segments_that_are_not_taken_are_acknowledged_a_quarter_at_a_time_too() {
    let (mut a, mut b) = pair(lossless(16, false));
    (0..4).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    let acks = packets(&mut b, 0);
    assert_eq!((acks.len(), acks[0].ack, acks[0].credit), (1, 4, 16));
}

#[test]
fn where_packets_may_be_lost_the_lazy_end_acknowledges_at_once_too() {
    let (mut a, mut b) = pair(timed(lossless(1024, false)));
    a.push(0, 1, 1);
    carry(&mut a, &mut b, 0);
    assert_eq!(packets(&mut b, 0).len(), 1);
}

#[test]
fn what_comes_twice_or_out_of_order_is_acknowledged_at_once() {
    let (mut a, mut b) = pair(lossless(1024, false));
    (0..3).for_each(|n| _ = a.push(0, n, 1));
    let sent = packets(&mut a, 0);
    for (index, owed, ack) in [(0, 0, 1), (0, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 3)] {
        b.receive(0, sent[index].clone());
        let acks = packets(&mut b, 0);
        assert_eq!(acks.len(), owed, "number {index}");
        assert!(acks.iter().all(|it| it.ack == ack && it.segment.is_none()));
    }
}

#[test]
fn the_last_segment_that_may_go_asks_for_an_ack() {
    let (mut a, _) = pair(lossless(4, false));
    (0..5).for_each(|n| _ = a.push(0, n, 1));
    let asks = packets(&mut a, 0).iter().map(|it| it.ack_now).collect::<Vec<_>>();
    assert_eq!(asks, [false, false, false, true]);
}

#[test]
fn credit_that_comes_without_an_ack_lets_a_sender_ask_again() {
    let (mut a, mut b) = pair(SessionConfig { window_bytes: 100, ..lossless(8, false) });
    (0..8).for_each(|n| _ = a.push(0, n, 1));
    [20, 90].into_iter().for_each(|bytes| _ = a.push(0, 8, bytes));
    for _ in 0..4 {
        carry(&mut a, &mut b, 0);
        carry(&mut b, &mut a, 0);
    }
    assert_eq!((a.unacked(), b.buffered()), (0, 8), "the credit is used up");
    while b.take().is_some() {}
    carry(&mut b, &mut a, 0);
    let sent = packets(&mut a, 0);
    assert!(sent.len() == 1 && sent[0].ack_now, "the next one does not fit beside it");
}

#[test]
fn a_lazy_end_is_asked_for_an_ack_per_quarter_of_the_bytes() {
    let (mut a, mut b) = pair(SessionConfig { window_bytes: 400, ..lossless(1024, false) });
    for n in 1..=8 {
        a.push(0, n, 50);
        let sent = packets(&mut a, 0);
        assert_eq!((sent.len(), sent[0].ack_now), (1, n % 2 == 0));
        sent.into_iter().for_each(|it| b.receive(0, it));
        carry(&mut b, &mut a, 0);
    }
    assert!(a.is_idle());
}

#[test]
fn what_the_peer_was_told_to_give_up_is_dropped_there_and_the_skip_is_told() {
    let (mut a, mut b) = pair(lossless(8, true));
    (0..4).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    assert_eq!(b.take().map(|it| it.seq), Some(0));
    a.give_up_below(4);
    assert!(a.is_idle());
    assert_eq!(packets(&mut a, 0), [], "giving up is announced with the next packet");
    a.push(0, 4, 1);
    carry(&mut a, &mut b, 0);
    let next = b.take().expect("nothing blocks it");
    assert_eq!((next.seq, next.skipped), (4, true));
    assert_eq!(b.buffered(), 0);
}

#[test]
fn giving_everything_up_frees_the_whole_window_at_once() {
    let (mut a, mut b) = pair(lossless(4, true));
    (0..9).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    carry(&mut b, &mut a, 0);
    a.give_up_below(u64::MAX);
    (9..13).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    let taken = std::iter::from_fn(|| b.take()).map(|it| (it.seq, it.skipped)).collect::<Vec<_>>();
    assert_eq!(taken, [(9, true), (10, false), (11, false), (12, false)]);
}

#[test]
fn a_probe_is_answered_at_once_and_announces_what_was_given_up() {
    let (mut a, mut b) = pair(lossless(8, false));
    a.push(0, 1, 1);
    a.give_up_below(u64::MAX);
    a.probe();
    let probe = packets(&mut a, 0);
    assert!(probe.len() == 1 && probe[0].probe && probe[0].base == 1 && probe[0].segment.is_none());
    b.push(0, 7, 1);
    let lost = packets(&mut b, 0);
    assert_eq!(lost.len(), 1);
    probe.into_iter().for_each(|it| b.receive(0, it));
    let answer = packets(&mut b, 0);
    assert_eq!((answer.len(), answer[0].ack, answer[0].segment), (1, 1, Some((0, 7))), "it repeats what may be lost");
}

#[test]
fn a_credit_that_was_lost_is_asked_for_by_the_timer() {
    let (mut a, mut b) = pair(timed(lossless(2, true)));
    (0..3).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    packets(&mut b, 0).into_iter().for_each(|it| a.receive(MS, it));
    carry(&mut a, &mut b, MS);
    packets(&mut b, MS).into_iter().for_each(|it| a.receive(2 * MS, it));
    assert_eq!((a.unacked(), packets(&mut a, 2 * MS).len()), (0, 0), "it has asked, and waits");
    while b.take().is_some() {}
    assert_eq!(packets(&mut b, 3 * MS).len(), 1, "the window update, which is lost");
    let at = a.deadline().expect("a segment waits");
    assert_eq!(a.oldest_unacked_since(), Some(0), "since it was pushed");
    carry(&mut a, &mut b, at);
    carry(&mut b, &mut a, at);
    assert_eq!(packets(&mut a, at).iter().filter_map(|it| it.segment).collect::<Vec<_>>(), [(2, 2)]);
    assert_eq!(a.oldest_unacked_since(), Some(at));
}

#[test]
fn repeats_back_off_and_keep_the_time_of_the_first_sending() {
    let (mut a, _) = pair(timed(lossless(8, true)));
    a.push(0, 1, 1);
    let mut now = 5 * MS;
    let mut gaps = vec![];
    for _ in 0..6 {
        assert_eq!(packets(&mut a, now).len(), 1);
        let deadline = a.deadline().expect("unacknowledged");
        assert_eq!(packets(&mut a, deadline - 1), []);
        gaps.push((deadline - now) / MS);
        now = deadline;
    }
    assert_eq!(gaps, [200, 400, 800, 1600, 1600, 1600]);
    assert_eq!(a.oldest_unacked_since(), Some(5 * MS));
}

#[test]
fn a_repeated_segment_measures_nothing_and_the_back_off_stays_until_one_does() {
    let (mut a, mut b) = pair(timed(lossless(8, true)));
    a.push(0, 1, 1);
    packets(&mut a, 0);
    carry(&mut a, &mut b, 200 * MS);
    carry(&mut b, &mut a, 201 * MS);
    assert!(a.is_idle() && a.deadline().is_none());
    a.push(300 * MS, 2, 1);
    carry(&mut a, &mut b, 300 * MS);
    assert_eq!(a.deadline(), Some(700 * MS));
    carry(&mut b, &mut a, 301 * MS);
    a.push(400 * MS, 3, 1);
    packets(&mut a, 400 * MS);
    assert_eq!(a.deadline(), Some(450 * MS), "one round trip of 1 ms was measured");
}

#[test]
fn the_time_that_a_sender_waited_for_credit_does_not_count_for_what_it_then_sends() {
    let (mut a, mut b) = pair(timed(lossless(1, true)));
    (0..2).for_each(|n| _ = a.push(0, n, 1));
    carry(&mut a, &mut b, 0);
    carry(&mut b, &mut a, 200 * MS - 1);
    carry(&mut a, &mut b, 200 * MS - 1);
    let waits_until = a.deadline().expect("a segment waits");
    b.take().expect("it came");
    carry(&mut b, &mut a, waits_until - 1);
    assert_eq!(packets(&mut a, waits_until - 1).len(), 1);
    assert!(a.deadline() >= Some(waits_until - 1 + 200 * MS));
}

#[test]
fn a_packet_survives_its_encoding() {
    let packet =
        Packet { base: 1, ack: 2, credit: u64::MAX, ack_now: true, probe: false, segment: Some((7, vec![1u8])) };
    let encoded = postcard::to_allocvec(&packet).expect("it encodes");
    assert_eq!(postcard::from_bytes::<Packet<Vec<u8>>>(&encoded), Ok(packet));
}
