//! A program in the place of a node, written from `docs/wire.md` alone: it is a node up to a point, and then it is not.
//!
//! Ids from -1000 down are rogues: `-(1000 + 100000 * deed + detail)`. Most do their deed when they are asked something
//! for the first time, and go on as if nothing had happened. Every other id is a node of ours, in the same process.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    Shutdown, recvmsg, sendmsg, shutdown,
};

/// What is no frame, or no message.
const GARBAGE: [&[u8]; 12] = [
    b"\0\0\0\0",
    b"\0\x02\0\x01\x01",
    b"\x7f\xff\xff\xff\x01\0",
    b"\x80\0\0\0\x01\0",
    b"\xff\xff\xff\xff\x01\0",
    b"\0\0\0\x02\x02\0",
    b"\0\0\0\x02\0\0",
    b"\0\0\0\x02\x01\x63",
    b"\0\0\0\x01\x01",
    b"\0\0\0\x04\x01\0\0\0",
    b"\0\0\0\x0a\x01\0\x06\x01\xff\xff\xff\xff\xff\x0f\x02",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
];

type Key = (i64, u64);

/// Puts a message together.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn new(variant: u8) -> Self {
        Self(vec![variant])
    }

    /// As it is over a link of the tree, which does not repeat.
    fn envelope(variant: u8) -> Self {
        Self(vec![0, variant])
    }

    fn u(mut self, mut number: u64) -> Self {
        while number > 127 {
            self.0.push(number as u8 & 127 | 128);
            number >>= 7;
        }
        self.0.push(number as u8);
        self
    }

    fn i(self, number: i64) -> Self {
        self.u(((number << 1) ^ (number >> 63)) as u64)
    }

    fn key(self, (id, incarnation): Key) -> Self {
        self.i(id).u(incarnation)
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let mut longer = self.u(bytes.len() as u64);
        longer.0.extend_from_slice(bytes);
        longer
    }

    fn frame(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() + 1).expect("a message is short");
        [&length.to_be_bytes(), &[1][..], &self.0].concat()
    }
}

/// Takes a message apart. What we get is right.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().expect("the message goes on");
        self.0 = rest;
        first
    }

    fn u(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return number;
            }
            shift += 7;
        }
    }

    fn i(&mut self) -> i64 {
        let number = self.u();
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }

    fn key(&mut self) -> Key {
        (self.i(), self.u())
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.u() as usize;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes.to_vec()
    }

    fn route(&mut self) {
        match self.byte() {
            2 => {
                let ids = self.u();
                let _ids: Vec<i64> = (0..ids).map(|_| self.i()).collect();
            }
            3 => {
                let _bits_and_hops = (self.u(), self.byte());
            }
            _ => {}
        }
    }
}

/// One end of a link.
struct Link {
    end: OwnedFd,
    number: u64,
    came: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    is_open: bool,
}

impl Link {
    fn new(end: OwnedFd, number: u64) -> Self {
        Self { end, number, came: Vec::new(), descriptors: VecDeque::new(), is_open: true }
    }

    /// The whole frames that are there, without length and version.
    fn read(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [rustix::io::IoSliceMut::new(&mut buffer)];
        match recvmsg(&self.end, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).map(|it| it.bytes) {
            Ok(0) => self.is_open = false,
            Ok(length) => self.came.extend_from_slice(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.is_open = false,
        }
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                self.descriptors.extend(came);
            }
        }
        let mut frames = Vec::new();
        while let Some((length, rest)) = self.came.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if rest.len() < length {
                break;
            }
            assert_eq!(rest[0], 1, "the version of what we were sent");
            frames.push(rest[1..length].to_vec());
            self.came.drain(..4 + length);
        }
        frames
    }

    fn write(&self, bytes: &[u8]) {
        let _ = self.try_write(bytes);
    }

    /// Writes all of it; false when nobody takes it.
    fn try_write(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match rustix::io::write(&self.end, bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.end, PollFlags::OUT)], None);
                }
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn send(&self, message: &Message) {
        self.write(&message.frame());
    }

    fn send_with_descriptor(&self, bytes: &[u8]) -> bool {
        let ours = [self.end.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&ours)));
        sendmsg(&self.end, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).is_ok()
    }
}

struct Rogue {
    deed: i64,
    detail: usize,
    key: Key,
    control: Link,
    parent: Option<Link>,
    child: Option<Link>,
    /// The session: what we have received, and how many replies we have sent.
    received: u64,
    sent: u64,
    is_done: bool,
    is_deaf: bool,
    /// As a forwarder: frames that are held back or kept, up and down.
    held: [VecDeque<Vec<u8>>; 2],
    chance: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let id: i64 = arguments.get(2).and_then(|id| id.parse().ok()).expect("a node is called with its id");
    if id > -1000 {
        let ours = std::env::current_exe().expect("it has a path").with_file_name("nodetree");
        panic!("{}", Command::new(ours).args(&arguments[1..]).exec());
    }
    let control = Link::new(std::io::stdin().as_fd().try_clone_to_owned().expect("the control link is 0"), 0);
    let number = -1000 - id;
    let (deed, detail) = (number / 100_000, (number % 100_000) as usize);
    let mut rogue = Rogue {
        deed,
        detail,
        key: (id, 0),
        control,
        parent: None,
        child: None,
        received: 0,
        sent: 0,
        is_done: false,
        is_deaf: false,
        held: Default::default(),
        chance: 1,
    };
    rogue.hello();
    while rogue.control.is_open {
        rogue.turn();
    }
}

impl Rogue {
    fn hello(&mut self) {
        let hello = loop {
            wait(&[self.control.end.as_fd()]);
            if let Some(hello) = self.control.read().pop() {
                break hello;
            }
            if !self.control.is_open {
                exit(0);
            }
        };
        let mut hello = Parts(&hello);
        let build = hello.bytes();
        let (_parent, _clock) = (hello.i(), hello.i());
        self.key = hello.key();
        let back = Message::default().bytes(&build);
        match (self.deed, self.detail) {
            (17, 0) => self.control.write(GARBAGE[11]),
            (17, 1) => self.control.send(&Message::default().bytes(b"nodetree 0.0.0 wire 1 dictionary")),
            (17, 2) => self.control.write(b"\0\0\0\x02\x02\0"),
            (17, 3) => self.control.write(GARBAGE[3]),
            (17, 4) => drop(shutdown(&self.control.end, Shutdown::Write)),
            (17, 5) => exit(3),
            (17, 6) => {}
            (18, _) => [&back, &back].into_iter().for_each(|back| self.control.send(back)),
            _ => self.control.send(&back),
        }
    }

    fn turn(&mut self) {
        let links = [self.parent.as_ref().filter(|_| !self.is_deaf), self.child.as_ref()];
        let open = links.into_iter().flatten().filter(|link| link.is_open).chain([&self.control]);
        wait(&open.map(|link| link.end.as_fd()).collect::<Vec<_>>());
        for frame in self.control.read() {
            self.on_control(&frame);
        }
        if !self.is_deaf {
            let frames = self.parent.as_mut().filter(|link| link.is_open).map(Link::read).unwrap_or_default();
            frames.into_iter().for_each(|frame| self.on_word_from_above(frame));
        }
        let frames = self.child.as_mut().filter(|link| link.is_open).map(Link::read).unwrap_or_default();
        frames.into_iter().for_each(|frame| self.on_word_from_below(frame));
        self.let_go();
    }

    fn on_control(&mut self, message: &[u8]) {
        let mut parts = Parts(message);
        if parts.byte() != 0 {
            return;
        }
        let number = parts.u();
        let end = self.control.descriptors.pop_front().expect("a link comes with its descriptor");
        if parts.byte() == 1 {
            self.child = Some(Link::new(end, number));
            return;
        }
        let parent = Link::new(end, number);
        if self.deed != 16 {
            parent.send(&Message::envelope(0));
        }
        self.parent = Some(parent);
    }

    /// From the parent: what is for us is answered, the rest goes to our only child.
    fn on_word_from_above(&mut self, message: Vec<u8>) {
        let mut parts = Parts(&message);
        assert_eq!(parts.byte(), 0, "the link repeats nothing");
        match parts.byte() {
            1 => {
                parts.route();
                if parts.key() == self.key {
                    return self.answer(parts);
                }
            }
            3 => {
                parts.route();
                let to = parts.key();
                if to == self.key {
                    return self.up(&Message::envelope(4).key(to).u(parts.u()));
                }
            }
            5 if self.child.is_none() => return self.up(&Message::envelope(6).u(parts.u()).u(0).u(1)),
            _ => {}
        }
        self.forward(1, message);
    }

    fn on_word_from_below(&mut self, message: Vec<u8>) {
        match (message[1], &self.child) {
            (0, Some(child)) => self.control.send(&Message::new(0).u(child.number)),
            _ => self.forward(0, message),
        }
    }

    fn answer(&mut self, mut parts: Parts) {
        let (base, _ack, _credit) = (parts.u(), parts.u(), parts.u());
        let (_ack_now, _probe, segment) = (parts.byte(), parts.byte(), parts.byte());
        self.received = self.received.max(base);
        if segment == 0 {
            return self.up(&self.packet().u(0));
        }
        let (seq, exec) = (parts.u(), parts.u());
        if !std::mem::replace(&mut self.is_done, true) {
            self.strike();
        }
        if seq == self.received {
            self.received += 1;
            let reply = self.packet().u(1).u(self.sent).u(exec).u(1).u(0).u(1).bytes(b"done").u(1);
            self.sent += 1;
            self.up(&reply);
        }
    }

    /// A reply up to whether it has a segment.
    fn packet(&self) -> Message {
        Message::envelope(2).key(self.key).u(0).u(self.received).u(self.received + 1024).u(0).u(0)
    }

    fn up(&self, message: &Message) {
        if let Some(parent) = &self.parent {
            parent.send(message);
        }
    }

    fn strike(&mut self) {
        let Some(parent) = &self.parent else { return };
        match self.deed {
            1 => parent.write(GARBAGE[self.detail]),
            2 => {
                let reply = self.packet().u(1).u(0).u(1).u(1).u(0).u(1).bytes(b"cut off").u(1).frame();
                parent.write(&reply[..self.detail.min(reply.len() - 1)]);
                self.parent = None;
            }
            3 => self.say_what_only_a_parent_says(),
            4 => self.speak_for_others(),
            5 => self.control.write(GARBAGE[self.detail]),
            6 => self.speak_for_others_to_the_control_node(),
            7 => drop(shutdown(&parent.end, Shutdown::Write)),
            8 => drop(shutdown(&parent.end, Shutdown::Read)),
            9 => {
                for byte in &self.packet().u(0).frame()[..9] {
                    parent.write(&[*byte]);
                    thread::sleep(Duration::from_millis(5));
                }
                self.parent = None;
            }
            // What has come and was not read makes the end a reset.
            10 => {
                wait(&[parent.end.as_fd()]);
                self.parent = None;
            }
            11 => flood(parent, &self.packet().u(0), self.detail),
            12 => flood(&self.control, &Message::new(0).u(0), self.detail),
            13 => self.is_deaf = true,
            14 | 15 => {
                let link = if self.deed == 14 { parent } else { &self.control };
                let harmless = if self.deed == 14 { self.packet().u(0) } else { Message::new(0).u(0) }.frame();
                let bytes: &[u8] = if self.detail == 0 { &harmless } else { &[0] };
                while link.send_with_descriptor(bytes) {}
            }
            _ => {}
        }
    }

    fn say_what_only_a_parent_says(&self) {
        for id in 1..=4 {
            for incarnation in 1..=8 {
                let entry = Message::default().bytes(b"x").u(1).i(666);
                let segment = |message: Message| message.u(1).u(0).u(1).u(0).u(0).u(1).bytes(&entry.0);
                let request = Message::envelope(1).u(0).key((id, incarnation)).u(0).u(0).u(1024).u(0).u(0);
                self.up(&match self.detail {
                    0 => segment(request),
                    1 => Message::envelope(3).u(0).key((id, incarnation)).u(7),
                    _ => Message::envelope(5).u(id as u64).u(u64::MAX).u(1),
                });
            }
        }
    }

    fn speak_for_others(&self) {
        self.up(&Message::envelope(0));
        for number in 0..64 {
            self.up(&Message::envelope(7).u(number << 16).u(number % 2));
            self.up(&Message::envelope(7).u((number << 16) + number).u(number % 2));
            self.up(&Message::envelope(6).u(number).u(0).u(1));
            self.up(&Message::envelope(6).u(number).u(2).i(1).i(4).u(1));
        }
        for id in [1, 2, 3, 4, -1, 99] {
            for incarnation in 0..8 {
                let key = (id, incarnation);
                self.up(&Message::envelope(9).key(key));
                for number in 0..64 {
                    self.up(&Message::envelope(4).key(key).u(number));
                    self.up(&Message::envelope(8).key(key).u(number));
                    for seq in 0..4 {
                        let reply = Message::envelope(2).key(key).u(0).u(seq).u(4096).u(0).u(0);
                        self.up(&reply.u(1).u(seq).u(number).u(1).u(0).u(1).bytes(b"forged").u(1));
                    }
                }
            }
        }
    }

    fn speak_for_others_to_the_control_node(&self) {
        for number in 0..256 {
            self.control.send(&Message::new(0).u(number));
            for variant in [1, 2] {
                self.control.send(&Message::new(variant).u(number << 16));
                self.control.send(&Message::new(variant).u((number << 16) + number % 16));
            }
        }
    }

    /// Passes a frame on, to the parent (0) or the child (1), in its own way.
    fn forward(&mut self, way: usize, message: Vec<u8>) {
        let frame = Message(message).frame();
        let to = [&self.parent, &self.child][way];
        let (Some(link), 19) = (to, self.deed) else {
            if let Some(link) = to {
                link.write(&frame);
            }
            return;
        };
        match self.detail {
            0 => frame.iter().for_each(|byte| link.write(&[*byte])),
            1 => {
                let mut rest = &frame[..];
                while !rest.is_empty() {
                    self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let (piece, after) = rest.split_at(rest.len().min((self.chance >> 60) as usize + 1));
                    link.write(piece);
                    rest = after;
                }
            }
            2 => link.write(&frame.repeat(2)),
            // The later one first.
            3 => match self.held[way].pop_front() {
                None => self.held[way].push_back(frame),
                Some(earlier) => link.write(&[frame, earlier].concat()),
            },
            _ => {
                link.write(&frame);
                self.held[way].push_back(frame);
                if self.held[way].len() > 20 {
                    self.held[way].pop_front();
                }
                self.held[way].iter().step_by(3).for_each(|old| link.write(old));
            }
        }
    }

    /// What is held back goes on when nothing else has come.
    fn let_go(&mut self) {
        if self.deed != 19 || self.detail != 3 {
            return;
        }
        for (way, link) in [&self.parent, &self.child].into_iter().enumerate() {
            if let (Some(link), Some(frame)) = (link, self.held[way].pop_front()) {
                link.write(&frame);
            }
        }
    }
}

/// Writes the same thousands of times, and goes on when all has been taken.
fn flood(link: &Link, message: &Message, thousands: usize) {
    let many = message.frame().repeat(1000);
    for _ in 0..thousands {
        if !link.try_write(&many) {
            return;
        }
    }
}

/// Until one of them can be read.
fn wait(ends: &[BorrowedFd]) {
    let mut polled: Vec<_> = ends.iter().map(|end| PollFd::new(end, PollFlags::IN)).collect();
    let _ = poll(&mut polled, None);
}
