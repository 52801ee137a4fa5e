use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;

use super::envelopes::envelope;
use super::robots::Robots;
use crate::actors::message::{ControlUp, Envelope, LinkId, MILLISECOND, NodeKey, RequestKind, RequestPiece, Side};
use crate::actors::{ControlConfig, ControlEffect, ControlInput, ControlNode, Order};
use crate::faults::{Direction, EnvelopeKind, Fault, FaultKind, Links, Moment, Trigger};
use crate::modes::Span;
use crate::topology::{NodeId, TopologyKind};

/// The most things that happen to the control node.
const EVENTS_MAX: usize = 96;

/// So many effects one input may have, with at most [`EVENTS_MAX`] nodes and commands: it does not grow on itself.
const EFFECTS_MAX: usize = 64 * EVENTS_MAX;

/// When nobody lies, every command is answered after so many further events.
const EVENTS_TO_REST: usize = 20_000;

const REPLY_TIMEOUT_MS: u64 = 1_000;

/// What happens to the control node. What nodes do in answer to it waits, and is handed in when the input says so.
#[derive(Debug)]
enum Event {
    /// A command is submitted.
    Submit(Order),
    /// The rest of the request of an earlier exec.
    Rest(usize),
    /// One of the answers that wait comes; those that came from the same place before it come first.
    Deliver(usize),
    /// A node at the top sends something of its own.
    Lie(usize, Envelope),
    /// A node says something of its own on the control plane.
    Word(usize, ControlUp),
    /// A node ends by itself.
    Die(usize),
    /// A link to a node at the top ends by itself.
    Close(usize),
    /// Milliseconds pass.
    Pass(u16),
}

/// Whatever nodes at the top and below do, and in whatever order it comes: the control node does not panic, answers each
/// command once, sends nothing over a link that it has closed, and answers everything in the end. While nobody lies it
/// does so by itself.
///
/// # Panics
/// When one of these does not hold.
pub fn control_inputs(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(topology) = TopologyKind::arbitrary(&mut input) else { return };
    let (mut trial, mut said) = (Trial::new(topology), Vec::new());
    while !input.is_empty() && said.len() < EVENTS_MAX {
        let Ok(event) = Event::arbitrary(&mut input) else { break };
        said.push(format!("{event:?}"));
        if let Err(what) = trial.happens(event) {
            panic!("{what}\n{said:#?}");
        }
    }
    if let Err(what) = trial.end() {
        panic!("{what}\n{said:#?}");
    }
}

type Checked = std::result::Result<(), String>;

struct Trial {
    control: ControlNode,
    robots: Robots,
    now: u64,
    wake_at: Option<u64>,
    submitted: u64,
    /// The commands that are not answered.
    unanswered: BTreeSet<u64>,
    /// Of those execs the rest was not sent.
    open: Vec<u64>,
    /// The open links to nodes at the top.
    links: BTreeMap<LinkId, NodeKey>,
    /// Somebody did what no node of ours does.
    has_lied: bool,
}

impl Trial {
    fn new(topology: TopologyKind) -> Self {
        let reply_timeout_ns = REPLY_TIMEOUT_MS * MILLISECOND;
        let config = ControlConfig { topology, reply_timeout_ns, asks_kernel: false, faults: Vec::new() };
        Self {
            control: ControlNode::new(config),
            robots: Robots::default(),
            now: 0,
            wake_at: None,
            submitted: 0,
            unanswered: BTreeSet::new(),
            open: Vec::new(),
            links: BTreeMap::new(),
            has_lied: false,
        }
    }

    fn happens(&mut self, event: Event) -> Checked {
        let some_link =
            |links: &BTreeMap<LinkId, NodeKey>, at: usize| links.keys().nth(at % links.len().max(1)).copied();
        match event {
            Event::Submit(order) => {
                self.submitted += 1;
                self.unanswered.insert(self.submitted);
                let order = self.numbered(order);
                self.takes(ControlInput::Submit(self.submitted, order))
            }
            Event::Rest(at) if !self.open.is_empty() => {
                let op = self.open.swap_remove(at % self.open.len());
                let piece = RequestPiece { exec: op, ..piece(RequestKind::Finish, true) };
                self.takes(ControlInput::Piece(op, piece))
            }
            Event::Deliver(at) => match self.robots.next(at) {
                Some(input) => self.takes(input),
                None => Ok(()),
            },
            Event::Lie(at, envelope) => match some_link(&self.links, at) {
                Some(link) => {
                    self.has_lied = true;
                    self.takes(ControlInput::Envelope(link, envelope))
                }
                None => Ok(()),
            },
            Event::Word(at, message) => match self.robots.some_node(at) {
                Some(key) => {
                    self.has_lied = true;
                    self.takes(ControlInput::FromNode(key, message))
                }
                None => Ok(()),
            },
            Event::Die(at) => {
                self.robots.some_node(at).into_iter().for_each(|key| self.robots.ends(key));
                Ok(())
            }
            Event::Close(at) => match some_link(&self.links, at) {
                Some(link) => self.takes(ControlInput::Closed(link)),
                None => Ok(()),
            },
            Event::Pass(ms) => self.pass(u64::from(ms) * MILLISECOND),
            Event::Rest(_) => Ok(()),
        }
    }

    /// The pieces of a request name its command.
    fn numbered(&mut self, order: Order) -> Order {
        let Order::Exec { id, first, complete } = order else { return order };
        if !complete {
            self.open.push(self.submitted);
        }
        Order::Exec { id, first: RequestPiece { exec: self.submitted, ..first }, complete }
    }

    fn pass(&mut self, ns: u64) -> Checked {
        self.now += ns;
        if self.wake_at.is_some_and(|at| at <= self.now) { self.takes(ControlInput::Wake) } else { Ok(()) }
    }

    fn takes(&mut self, input: ControlInput) -> Checked {
        if matches!(input, ControlInput::Wake) {
            self.wake_at = None;
        }
        if let ControlInput::Closed(link) = &input {
            self.robots.link_ends(*link);
        }
        self.control.handle(self.now, input);
        let mut effects = Vec::new();
        self.control.take_effects(&mut effects);
        if effects.len() > EFFECTS_MAX {
            return Err(format!("{} effects", effects.len()));
        }
        effects.into_iter().try_for_each(|effect| self.perform(effect))
    }

    fn perform(&mut self, effect: ControlEffect) -> Checked {
        match &effect {
            ControlEffect::Answer(op, _) if !self.unanswered.remove(op) => {
                return Err(format!("command {op} is answered again"));
            }
            ControlEffect::Connect { link, upper: NodeKey::CONTROL, lower, .. } => {
                self.links.insert(*link, *lower);
            }
            ControlEffect::Send(link, envelope) => {
                let is_open = self.links.contains_key(link);
                if !is_open || !envelope.may_come_from(Side::Upper) {
                    return Err(format!("{envelope} over link {}, open: {is_open}", link.0));
                }
            }
            ControlEffect::Close(link) => drop(self.links.remove(link)),
            ControlEffect::WakeAt(at) => self.wake_at = Some(*at),
            _ => {}
        }
        self.robots.perform(self.now, effect);
        Ok(())
    }

    /// While nobody has lied everything is answered by itself; in the end it is in any case.
    fn end(&mut self) -> Checked {
        for op in std::mem::take(&mut self.open) {
            let piece = RequestPiece { exec: op, ..piece(RequestKind::Finish, true) };
            self.takes(ControlInput::Piece(op, piece))?;
        }
        let mut events = 0;
        while !self.has_lied && !self.unanswered.is_empty() {
            events += 1;
            match (self.robots.next(0), self.wake_at) {
                _ if events > EVENTS_TO_REST => break,
                (Some(input), _) => self.takes(input)?,
                (None, Some(at)) => self.pass(at.saturating_sub(self.now))?,
                (None, None) => break,
            }
        }
        if !self.has_lied && !self.unanswered.is_empty() {
            return Err(format!("{:?} are not answered: {}", self.unanswered, self.control.describe_unanswered()));
        }
        self.takes(ControlInput::Interrupt)?;
        self.takes(ControlInput::GiveUp)?;
        if self.unanswered.is_empty() { Ok(()) } else { Err(format!("{:?} are not answered", self.unanswered)) }
    }
}

fn piece(kind: RequestKind, last: bool) -> RequestPiece {
    RequestPiece { exec: 0, kind, more: false, last, bytes: Bytes::new() }
}

impl<'a> Arbitrary<'a> for Event {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let at = |input: &mut Unstructured| input.int_in_range(0..=15);
        Ok(match input.int_in_range(0..=19)? {
            0..=7 => Self::Submit(order(input)?),
            8 => Self::Rest(at(input)?),
            9..=13 => Self::Deliver(at(input)?),
            14 => Self::Lie(at(input)?, envelope(input)?),
            15 => Self::Word(at(input)?, word(input)?),
            16 => Self::Die(at(input)?),
            17 => Self::Close(at(input)?),
            _ => Self::Pass(input.int_in_range(0..=2_000)?),
        })
    }
}

fn id(input: &mut Unstructured) -> Result<NodeId> {
    input.int_in_range(1..=6)
}

fn order(input: &mut Unstructured) -> Result<Order> {
    Ok(match input.int_in_range(0..=20)? {
        0..=5 => {
            let id = id(input)?;
            Order::Create { id, parent: if input.arbitrary()? { Some(input.int_in_range(-1..=6)?) } else { None } }
        }
        6..=8 => {
            let (id, complete) = (id(input)?, input.ratio(3, 4)?);
            Order::Exec { id, first: piece(RequestKind::Head, complete), complete }
        }
        9 => Order::Ping(id(input)?),
        10 => Order::PingAll,
        11 | 12 => Order::Remove(id(input)?),
        13 | 14 => Order::Kill(id(input)?),
        15 => Order::Pause(id(input)?),
        16 => Order::Resume(id(input)?),
        17 => Order::Heartbit(input.int_in_range(0..=50)? * 10 * MILLISECOND),
        19 => Order::Wait(if input.arbitrary()? { Some(input.int_in_range(0..=500)? * MILLISECOND) } else { None }),
        18 => fault(input)?,
        _ => {
            if input.arbitrary()? {
                Order::All
            } else {
                Order::Tree
            }
        }
    })
}

fn fault(input: &mut Unstructured) -> Result<Order> {
    let (node, links) = (id(input)?, Links::Above(id(input)?));
    let (time, direction) = (Span(Duration::from_millis(input.int_in_range(0..=1_000)?)), Direction::Both);
    let what = match input.int_in_range(0..=5)? {
        0 => return Ok(Order::Heal(input.int_in_range(0..=6)?)),
        1 => return Ok(Order::Faults),
        2 => FaultKind::Kill(node),
        3 => FaultKind::Pause(node),
        4 => FaultKind::Resume(node),
        _ => FaultKind::Cut { links, direction },
    };
    let when = match input.int_in_range(0..=3)? {
        0 => Trigger::Now,
        1 => Trigger::At(time),
        2 => Trigger::After(input.int_in_range(0..=5)?),
        _ => Trigger::Envelope { kind: EnvelopeKind::Ping, nth: 1, moment: Moment::Before },
    };
    Ok(Order::Fault(Box::new(Fault { when, what })))
}

fn word(input: &mut Unstructured) -> Result<ControlUp> {
    let number = if input.ratio(7, 8)? { input.int_in_range(0..=20)? } else { input.arbitrary()? };
    let epoch = if input.ratio(1, 2)? { number << 16 | input.int_in_range(0..=20)? } else { number };
    Ok(match input.int_in_range(0..=6)? {
        0 => ControlUp::Linked { link: LinkId(number) },
        1 => ControlUp::Switched { epoch },
        2 => ControlUp::Drained { epoch },
        3 => ControlUp::LinkFailed { link: LinkId(number) },
        4 => ControlUp::Here { epoch },
        5 => ControlUp::LinkEnded { link: LinkId(number) },
        _ => ControlUp::Beat,
    })
}
