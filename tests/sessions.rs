//! Two ends of a session over a hostile way: whatever the way loses, repeats, delays or disorders, and whenever it is
//! replaced, payloads come in order and at most once, and all that is still wanted comes once the way is whole.

use nodetree::actors::session::{Packet, Session, SessionConfig};
use nodetree::testing::journey::{MS, Op, World, any_ends, over_a_lossy_way, over_replaced_ways};
use proptest::collection::vec;
use proptest::prelude::*;

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_way_that_loses_repeats_delays_and_disorders_changes_nothing_but_time(journey in over_a_lossy_way()) {
        prop_assert_eq!(journey.check(), Ok(()));
    }

    #[test]
    fn without_a_timer_replaced_ways_lose_nothing(journey in over_replaced_ways()) {
        prop_assert_eq!(journey.check(), Ok(()));
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
        configs in any_ends(Some(MS)), timed: bool, packets in vec((hostile_packet(), number(), 0..4u8), 1..60),
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
            let pushed = world.run(&Op::Push { end, count, bytes: 100 });
            prop_assert_eq!(pushed.and_then(|()| world.pass(MS)), Ok(()));
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
