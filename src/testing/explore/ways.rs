//! What is on its way, and the links that it is on.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use super::fingerprint::Fingerprint;
use crate::actors::message::{ControlDown, ControlUp, LinkId, NodeKey, Side};
use crate::actors::{End, LinkEnd, LinkFrame};

/// A thing with its fingerprint: a state shares what a step has not changed, and its fingerprint too.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) it: T,
    print: u128,
}

impl<T: Hash> Part<T> {
    pub(super) fn new(it: T) -> Rc<Self> {
        let print = Fingerprint::of(&it);
        Rc::new(Self { it, print })
    }
}

impl<T> Hash for Part<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.print);
    }
}

/// What does not overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Way {
    /// To an end of a link.
    Link(End),
    /// From the control node to a node, on the control plane.
    Down(NodeKey),
    /// From a node to the control node, there.
    Up(NodeKey),
    /// From the operating system to the control node.
    Kernel,
}

/// What the operating system says of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Started,
    Died,
    Stopped,
    Continued,
}

/// What is on its way.
#[derive(Clone, Debug, Hash)]
pub(super) enum Parcel {
    Frame(LinkFrame),
    Closed,
    Down(ControlDown),
    Up(ControlUp),
    Fate(NodeKey, Fate),
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(LinkFrame::Envelope(envelope)) => write!(f, "{envelope}"),
            Self::Frame(LinkFrame::Packet(packet)) => match &packet.segment {
                Some((number, envelope)) => write!(f, "packet {number}, ack {}: {envelope}", packet.ack),
                None => write!(f, "ack {}", packet.ack),
            },
            Self::Closed => f.write_str("the end of the link"),
            Self::Down(message) => f.write_str(message.kind()),
            Self::Up(message) => write!(f, "{message:?}"),
            Self::Fate(key, fate) => write!(f, "node {} has {}", key.id, format!("{fate:?}").to_lowercase()),
        }
    }
}

/// Everything that is on its way: by ways, and on each in the order in which it was sent.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Flying(Vec<(Way, Rc<Part<Parcel>>)>);

impl Flying {
    pub(super) fn send(&mut self, way: Way, parcel: Parcel) {
        self.put(way, Part::new(parcel));
    }

    pub(super) fn put(&mut self, way: Way, parcel: Rc<Part<Parcel>>) {
        let behind = self.0.partition_point(|(other, _)| *other <= way);
        self.0.insert(behind, (way, parcel));
    }

    /// The first thing on a way arrives.
    pub(super) fn take(&mut self, way: Way) -> Option<Rc<Part<Parcel>>> {
        let first = self.place(way)?;
        Some(self.0.remove(first).1)
    }

    pub(super) fn first(&self, way: Way) -> Option<&Parcel> {
        self.place(way).map(|at| &self.0[at].1.it)
    }

    /// The first thing on a way comes a second time, behind all that is there.
    pub(super) fn copy(&mut self, way: Way) {
        if let Some(at) = self.place(way) {
            let parcel = Rc::clone(&self.0[at].1);
            self.put(way, parcel);
        }
    }

    fn place(&self, way: Way) -> Option<usize> {
        let first = self.0.partition_point(|(other, _)| *other < way);
        self.0.get(first).filter(|(other, _)| *other == way).map(|_| first)
    }

    /// Nobody is there any more.
    pub(super) fn forget(&mut self, way: Way) {
        self.0.retain(|(other, _)| *other != way);
    }

    /// The ways with something on them, and the first thing there.
    pub(super) fn ways(&self) -> impl Iterator<Item = (Way, &Parcel)> {
        self.0.chunk_by(|(one, _), (other, _)| one == other).filter_map(|of_way| {
            let (way, parcel) = of_way.first()?;
            Some((*way, &parcel.it))
        })
    }
}

/// A link, who is at its ends, and what repeats there.
#[derive(Clone, Debug, Hash)]
pub(super) struct Link {
    pub(super) id: LinkId,
    /// Nobody, once the end is closed.
    pub(super) ends: [Option<NodeKey>; 2],
    pub(super) repeats: [Option<Rc<Part<LinkEnd>>>; 2],
}

impl Link {
    pub(super) fn new(id: LinkId, ends: [Option<NodeKey>; 2], repeats: bool) -> Self {
        let end = |_| {
            repeats.then(|| {
                let mut end = LinkEnd::default();
                end.begin_to_repeat();
                Part::new(end)
            })
        };
        Self { id, ends, repeats: [0, 1].map(end) }
    }

    pub(super) fn at(&self, side: Side) -> Option<NodeKey> {
        self.ends[side as usize]
    }

    pub(super) fn end(&self, side: Side) -> End {
        End { link: self.id, side }
    }
}
