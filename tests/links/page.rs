//! `docs/wire.md` says what the code does.

use std::fmt::Debug;
use std::fs;

use bytes::{Bytes, BytesMut};
use nodetree::NodeId;
use nodetree::actors::LinkFrame;
use nodetree::actors::message::{
    ControlDown, ControlUp, Envelope, LinkId, MESSAGE_BYTES, NodeKey, NodeSpec, ReplyPiece, RequestKind, RequestPiece,
    Role, SEGMENT_BYTES, Side,
};
use nodetree::actors::session::{Packet, SessionConfig};
use nodetree::faults::{Direction, EnvelopeKind, Fault, FaultKind, Links, Moment, Trigger};
use nodetree::modes::wire::{MAX_FRAME_BYTES, VERSION, codec, decode, encode};
use nodetree::topology::{Route, Slot, SourceRoute};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::Encoder;

fn page() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wire.md")).expect("the page is there")
}

const KEY: NodeKey = NodeKey { id: -7, incarnation: 3 };

fn packet<T>(segment: Option<(u64, T)>) -> Packet<T> {
    Packet { base: 0, ack: 1, credit: 1025, ack_now: false, probe: true, segment }
}

/// One of each kind.
fn envelopes() -> Vec<Envelope> {
    let bytes = Bytes::from_static(b"\x01x\x01\x0a");
    let request = RequestPiece { exec: 300, kind: RequestKind::Head, more: false, last: true, bytes };
    let bytes = Bytes::from_static(b"\x00");
    let reply = ReplyPiece { exec: 300, error: false, more: false, last: true, bytes, message: true };
    let path = Route::Path(SourceRoute::new([2, -7]));
    vec![
        Envelope::Greeting,
        Envelope::Request { route: path, to: KEY, packet: Box::new(packet(Some((0, request)))) },
        Envelope::Reply { from: KEY, packet: Box::new(packet(Some((0, reply)))) },
        Envelope::Reply { from: KEY, packet: Box::new(packet(None)) },
        Envelope::Ping { route: Route::Only, to: KEY, nonce: 9 },
        Envelope::Ping { route: Route::Compare, to: KEY, nonce: 9 },
        Envelope::Ping { route: Route::Bits { bits: 2, left: 2 }, to: KEY, nonce: 9 },
        Envelope::Pong { from: KEY, nonce: 9 },
        Envelope::Wave { wave: 4, budget_ns: 5_000_000_000, step_ns: 1_000_000 },
        Envelope::WaveReply { wave: 4, missing: vec![i64::MAX, -64], last: true },
        Envelope::Marker { epoch: 65536, through: true },
        Envelope::ChildGone { child: KEY, link: LinkId(12) },
        Envelope::Unroutable { to: KEY },
    ]
}

/// One of each kind, and a packet of a link that repeats.
fn frames() -> Vec<LinkFrame> {
    let packet = LinkFrame::Packet(packet(Some((0, Envelope::Greeting))));
    envelopes().into_iter().map(LinkFrame::Envelope).chain([packet]).collect()
}

fn words_down() -> Vec<ControlDown> {
    let (epoch, link) = (65536, LinkId(12));
    vec![
        ControlDown::Link { link, role: Role::Parent, active: true },
        ControlDown::Link { link, role: Role::Child { key: KEY, slot: Slot::Left }, active: false },
        ControlDown::Switch {
            epoch,
            activate: vec![link],
            retire: vec![LinkId(5), LinkId(6)],
            places: vec![(-7, Slot::Right), (2, Slot::Any)],
        },
        ControlDown::Ask { epoch },
        ControlDown::Drain { epoch, link, through: false },
        ControlDown::Unlink { links: vec![link] },
        ControlDown::Beat { period_ns: 10_000_000 },
        ControlDown::Stop,
        ControlDown::Fault {
            number: 2,
            fault: Box::new(Fault::now(FaultKind::Cut { links: Links::Above(-7), direction: Direction::Up })),
        },
        ControlDown::Fault {
            number: 3,
            fault: Box::new(Fault {
                when: Trigger::Envelope { kind: EnvelopeKind::Request, nth: 2, moment: Moment::Applied },
                what: FaultKind::Kill(-7),
            }),
        },
        ControlDown::Heal { number: 2 },
    ]
}

fn words_up() -> Vec<ControlUp> {
    let (epoch, link) = (65536, LinkId(12));
    vec![
        ControlUp::Linked { link },
        ControlUp::Switched { epoch },
        ControlUp::Drained { epoch },
        ControlUp::LinkFailed { link },
        ControlUp::Here { epoch },
        ControlUp::Beat,
        ControlUp::FaultTaken { number: 2 },
        ControlUp::Happened { number: 3 },
        ControlUp::LinkEnded { link },
    ]
}

fn shown<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &T) -> String {
    let frame = encode(message).expect("it is short");
    assert_eq!(decode::<T>(&frame).as_ref(), Ok(message));
    let mut bytes = BytesMut::new();
    codec().encode(Bytes::from(frame), &mut bytes).expect("it is short");
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\n    {name}::{message:?}", hex.join(" "))
}

#[test]
fn the_examples_of_the_page_are_what_is_sent() {
    let spec = NodeSpec { key: KEY, beat_period_ns: 0 };
    let all = [shown("", &spec).replace("::", "")].into_iter();
    let all = all.chain(words_down().into_iter().map(|it| shown("ControlDown", &it)));
    let all = all.chain(words_up().into_iter().map(|it| shown("ControlUp", &it)));
    let all: Vec<String> = all.chain(frames().into_iter().map(|it| shown("LinkFrame", &it))).collect();
    let expected = format!("```wire\n{}\n```", all.join("\n"));
    assert!(page().contains(&expected), "the page should say:\n{expected}");
}

/// A row of a table of the page whose first cell is this; the cells behind it.
#[track_caller]
fn row(first: &str) -> String {
    let page = page();
    let mut rows = page.lines().filter_map(|line| line.strip_prefix(&format!("| {first} |")));
    rows.next().unwrap_or_else(|| panic!("the page has no row {first:?}")).to_owned()
}

#[test]
fn the_limits_of_the_page_are_those_of_the_code() {
    let session = SessionConfig::default();
    for (what, numbers) in [
        ("version", vec![VERSION.into()]),
        ("length: version and message, at most", vec![MAX_FRAME_BYTES]),
        ("bytes of one segment of a request or a result", vec![SEGMENT_BYTES]),
        ("bytes of a whole message of a command set", vec![MESSAGE_BYTES]),
        (
            "segments of one session that are under way, in each direction",
            vec![session.window as usize, session.window_bytes],
        ),
    ] {
        let row = row(what);
        let said: Vec<usize> = row.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        assert_eq!(said, numbers, "{what}");
    }
    // The rest of the limits are inside: they are looked up where they stand.
    let inside = |file: &str| fs::read_to_string(format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"))).expect(file);
    for (what, number, file, source) in [
        ("what waits for a reader that does not read", "134217728", "modes/process/outbox.rs", "128 * 1024 * 1024"),
        (
            "what waits for the parent before no more is read from children",
            "262144",
            "modes/process/outbox.rs",
            "ROOM_BYTES: usize = 256 * 1024;",
        ),
        (
            "any other first frame on a control link than `HelloBack`, another build, none within 10 s",
            "is ended",
            "modes/process/processes.rs",
            "HELLO_WITHIN: Nanos = 10_000 * MILLISECOND;",
        ),
    ] {
        assert!(row(what).contains(number) && inside(file).contains(source), "{what}");
    }
    assert!(page().contains("more ids in the answers of one wave than 1048576"));
    assert!(page().contains("has `-` in place of the id"));
    assert!(inside("modes/process/hello.rs").contains("SPARE: &str = \"-\";"));
    assert!(inside("actors/node_wave.rs").contains("IDS_MAX: usize = 1 << 20;"));
}

#[test]
fn the_longest_segment_with_the_longest_way_fits_into_a_frame() {
    let bytes = Bytes::from(vec![7; SEGMENT_BYTES]);
    let piece = RequestPiece { exec: u64::MAX, kind: RequestKind::Part, more: true, last: true, bytes };
    let path = SourceRoute::new(vec![i64::MIN; 4096]);
    let packet = Packet {
        base: u64::MAX,
        ack: u64::MAX,
        credit: u64::MAX,
        ack_now: true,
        probe: true,
        segment: Some((u64::MAX, piece)),
    };
    let to = NodeKey { id: i64::MIN, incarnation: u64::MAX };
    assert!(encode(&Envelope::Request { route: Route::Path(path), to, packet: Box::new(packet) }).is_ok());
}

#[test]
fn the_page_says_which_way_each_envelope_travels() {
    for envelope in envelopes() {
        let debug = format!("{envelope:?}");
        let kind = debug.split([' ', '{']).next().unwrap_or_default();
        let page = page();
        let marked = format!("`{kind}` | ");
        let line = page.lines().find(|line| line.starts_with("| ") && line.contains(&marked));
        let from = line.unwrap_or_else(|| panic!("the page has no row for {kind}")).split(" | ").nth(1);
        let expected = match [Side::Upper, Side::Lower].map(|side| envelope.may_come_from(side)) {
            [true, true] => "either",
            [true, false] => "the parent",
            _ => "the child",
        };
        assert_eq!(from, Some(expected), "{kind}");
    }
}

/// Covers F28, F29, F30 where nothing but the codec is concerned.
#[test]
fn what_is_no_frame_is_refused() {
    let whole: Vec<Vec<u8>> = frames().iter().map(|it| encode(it).expect("it is short")).collect();
    for frame in &whole {
        for cut in 0..frame.len() {
            assert!(decode::<LinkFrame>(&frame[..cut]).is_err(), "{cut} bytes of {frame:?}");
        }
        assert!(decode::<LinkFrame>(&[frame, &b"\0"[..]].concat()).is_err(), "one byte too many");
        assert!(decode::<LinkFrame>(&[&[VERSION + 1], &frame[1..]].concat()).is_err(), "another version");
    }
    assert!(decode::<LinkFrame>(&[VERSION, 2]).is_err(), "an unknown variant");
    assert!(decode::<LinkFrame>(&[VERSION, 0, 10]).is_err(), "an unknown envelope");
    // A list that claims to be long is not believed.
    assert!(decode::<LinkFrame>(&[VERSION, 0, 6, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    assert!(decode::<Vec<NodeId>>(&[VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
}
