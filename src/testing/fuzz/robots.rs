//! Nodes that do what they are told and nothing else: what they answer waits until somebody hands it in.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::actors::message::{ControlDown, ControlUp, Envelope, LinkId, NodeKey, ReplyPiece, RequestPiece};
use crate::actors::session::{Packet, Session, SessionConfig};
use crate::actors::{ControlEffect, ControlInput};

/// Where something comes from: what comes from one place stays in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The kernel, which tells of processes.
    Kernel(NodeKey),
    /// A node on the control plane.
    Plane(NodeKey),
    /// A link to a node at the top.
    Link(LinkId),
}

/// All nodes of a system.
#[derive(Default)]
pub(super) struct Robots {
    waiting: Vec<(Place, ControlInput)>,
    /// Those that run, and whether they are stopped.
    nodes: BTreeMap<NodeKey, bool>,
    /// The links to those at the top.
    links: BTreeMap<LinkId, NodeKey>,
    sessions: BTreeMap<NodeKey, Session<ReplyPiece, RequestPiece>>,
    started: u64,
}

impl Robots {
    /// The first that waits at the place of one that waits.
    pub(super) fn next(&mut self, at: usize) -> Option<ControlInput> {
        let (place, _) = self.waiting.get(at % self.waiting.len().max(1))?;
        let first = self.waiting.iter().position(|(other, _)| other == place)?;
        Some(self.waiting.remove(first).1)
    }

    /// One of those that run.
    pub(super) fn some_node(&self, at: usize) -> Option<NodeKey> {
        self.nodes.keys().nth(at % self.nodes.len().max(1)).copied()
    }

    /// A node ends: what it has sent still comes, then its link ends.
    pub(super) fn ends(&mut self, key: NodeKey) {
        if self.nodes.remove(&key).is_none() {
            return;
        }
        self.sessions.remove(&key);
        self.wait(Place::Kernel(key), ControlInput::Died(key));
        let links: Vec<LinkId> = self.links.iter().filter(|(_, of)| **of == key).map(|(link, _)| *link).collect();
        for link in links {
            self.links.remove(&link);
            self.wait(Place::Link(link), ControlInput::Closed(link));
        }
    }

    /// Nothing comes over a link any more.
    pub(super) fn link_ends(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.waiting.retain(|(place, _)| *place != Place::Link(link));
    }

    fn wait(&mut self, place: Place, input: ControlInput) {
        self.waiting.push((place, input));
    }

    fn says(&mut self, key: NodeKey, message: ControlUp) {
        // A node that is stopped answers later, and nobody here waits for that.
        if self.nodes.get(&key) == Some(&false) {
            self.wait(Place::Plane(key), ControlInput::FromNode(key, message));
        }
    }

    pub(super) fn perform(&mut self, now: u64, effect: ControlEffect) {
        match effect {
            ControlEffect::Start(spec) => {
                self.started += 1;
                self.nodes.insert(spec.key, false);
                self.wait(Place::Kernel(spec.key), ControlInput::Started(spec.key, self.started));
            }
            ControlEffect::Connect { link, upper: NodeKey::CONTROL, lower, .. } => {
                self.links.insert(link, lower);
                self.sends(link, lower, Envelope::Greeting);
            }
            ControlEffect::Connect { link, upper, .. } => self.says(upper, ControlUp::Linked { link }),
            ControlEffect::Control(key, message) => self.is_told(key, message),
            ControlEffect::Send(link, envelope) => self.envelope_comes(now, link, envelope),
            ControlEffect::Close(link) => self.link_ends(link),
            ControlEffect::Kill(key) => self.ends(key),
            ControlEffect::Pause(key) => self.is_stopped(key, true),
            ControlEffect::Resume(key) => self.is_stopped(key, false),
            ControlEffect::Examine(key) => self.wait(Place::Kernel(key), ControlInput::Examined(key, false)),
            ControlEffect::BeginFault(number, _)
            | ControlEffect::WatchForFault(number, ..)
            | ControlEffect::EndFault(number) => {
                self.wait(Place::Kernel(NodeKey::CONTROL), ControlInput::FaultTaken(number));
            }
            ControlEffect::Answer(..)
            | ControlEffect::Notice(_)
            | ControlEffect::Taken(..)
            | ControlEffect::Spool(..)
            | ControlEffect::WakeAt(_) => {}
        }
    }

    fn is_stopped(&mut self, key: NodeKey, stopped: bool) {
        let Some(before) = self.nodes.get_mut(&key) else { return };
        *before = stopped;
        let told = if stopped { ControlInput::Stopped(key) } else { ControlInput::Continued(key) };
        self.wait(Place::Kernel(key), told);
    }

    fn is_told(&mut self, key: NodeKey, message: ControlDown) {
        match message {
            ControlDown::Ask { epoch } => self.says(key, ControlUp::Here { epoch }),
            ControlDown::Switch { epoch, .. } => self.says(key, ControlUp::Switched { epoch }),
            ControlDown::Drain { epoch, .. } => self.says(key, ControlUp::Drained { epoch }),
            ControlDown::Stop => self.ends(key),
            ControlDown::Link { .. } | ControlDown::Unlink { .. } | ControlDown::Beat { .. } => {}
            ControlDown::Fault { .. } | ControlDown::Heal { .. } => {}
        }
    }

    /// What the nodes below this link answer, each over this link.
    fn envelope_comes(&mut self, now: u64, link: LinkId, envelope: Envelope) {
        let Some(&top) = self.links.get(&link) else { return };
        match envelope {
            Envelope::Ping { to, nonce, .. } => self.sends_for(link, to, Envelope::Pong { from: to, nonce }),
            Envelope::Wave { wave, .. } => {
                self.sends(link, top, Envelope::WaveReply { wave, missing: Vec::new(), last: true });
            }
            Envelope::Marker { epoch, through } => self.sends(link, top, Envelope::Marker { epoch, through }),
            Envelope::Request { to, packet, .. } if self.nodes.get(&to) == Some(&false) => {
                self.executes(now, link, to, packet);
            }
            _ => {}
        }
    }

    fn executes(&mut self, now: u64, link: LinkId, key: NodeKey, packet: Packet<RequestPiece>) {
        let config = SessionConfig { eager_ack: true, ..SessionConfig::default() };
        let session = self.sessions.entry(key).or_insert_with(|| Session::new(config));
        session.receive(now, packet);
        while let Some(delivered) = session.take() {
            let RequestPiece { exec, last, .. } = delivered.payload;
            if last {
                let (bytes, error, more, message) = (Bytes::new(), false, false, false);
                session.push(now, ReplyPiece { exec, error, more, last: true, bytes, message }, 0);
            }
        }
        let packets: Vec<_> = std::iter::from_fn(|| session.transmit(now)).collect();
        for packet in packets {
            self.sends_for(link, key, Envelope::Reply { from: key, packet });
        }
    }

    /// The node above, at the top, must run as well.
    fn sends_for(&mut self, link: LinkId, key: NodeKey, envelope: Envelope) {
        if self.nodes.get(&key) == Some(&false) {
            let top = self.links.get(&link).copied();
            top.into_iter().for_each(|top| self.sends(link, top, envelope.clone()));
        }
    }

    fn sends(&mut self, link: LinkId, top: NodeKey, envelope: Envelope) {
        if self.nodes.get(&top) == Some(&false) {
            self.wait(Place::Link(link), ControlInput::Envelope(link, envelope));
        }
    }
}
