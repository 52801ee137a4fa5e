//! The control node as a pure state machine: it judges commands, keeps the books and knows all deadlines.

#[cfg(feature = "testing")]
mod explored;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rustc_hash::FxHashMap;

use super::control_io::{ControlConfig, ControlEffect, ControlInput, Order};
use super::create::Creation;
use super::deadlines::Stall;
use super::faults::FaultBook;
use super::locks::Locks;
use super::message::{ControlDown, Envelope, LinkId, Nanos, NodeKey, RequestPiece};
use super::outcome::Outcome;
use super::ping::{PendingPing, PendingWave};
use super::registry::Registry;
use super::relink::Relink;
use super::watch::Watch;
use crate::commands::Refusal;
use crate::planted::{Bug, is_planted};
use crate::topology::{CONTROL, NodeId, Slot, Topology};

/// Why the control node wants to look at something at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    Wait,
    Create(u64),
    Relink(u64),
    Ping(u64),
    Wave(u64),
    Silence(NodeId),
    LastReplies(NodeKey),
    Watch,
    Fault(u64),
    /// What was postponed.
    Judgement,
}

#[derive(Clone, Hash)]
pub(super) enum Strike {
    Kill,
    Pause,
    Resume,
}

/// The control node: the root of the tree, and the one who knows it all.
#[derive(Clone)]
pub struct ControlNode {
    pub(super) config: ControlConfig,
    pub(super) now: Nanos,
    pub(super) topology: Topology,
    pub(super) registry: Registry,
    pub(super) locks: Locks,
    /// Commands that change the tree and have not started.
    pub(super) changes: BTreeMap<u64, Order>,
    /// pingall, all, tree: they wait for the changes before them, and those behind them wait.
    pub(super) barriers: BTreeMap<u64, Order>,
    pub(super) held_by_barrier: BTreeSet<u64>,
    /// Execs and pings that wait until their own node is made or re-linked.
    pub(super) parked: BTreeMap<NodeId, BTreeMap<u64, Order>>,
    /// Those that wait for a node above their own, and strikes that wait until their node is made.
    pub(super) parked_below: BTreeMap<NodeId, BTreeMap<u64, Order>>,
    /// Those of them that may look again.
    pub(super) unparked: BTreeMap<u64, Order>,
    /// Commands that change the tree and wait for execs and pings before them: by node, and for how many nodes.
    pub(super) waiting_for_work: HashMap<NodeId, BTreeSet<u64>>,
    pub(super) work_awaited: HashMap<u64, usize>,
    /// Commands to be looked at again.
    pub(super) freed: BTreeSet<u64>,
    pub(super) creations: BTreeMap<u64, Creation>,
    pub(super) relinks: BTreeMap<u64, Relink>,
    pub(super) pings: BTreeMap<u64, PendingPing>,
    pub(super) waves: BTreeMap<u64, PendingWave>,
    /// When many are under way, the next one goes out no sooner.
    pub(super) next_wave: Nanos,
    pub(super) strikes: BTreeMap<(NodeKey, u64), Strike>,
    /// Where the execs with an open source are.
    pub(super) open: HashMap<u64, NodeId>,
    /// Pieces of execs that have not been judged.
    pub(super) early: HashMap<u64, VecDeque<RequestPiece>>,
    pub(super) watch: Option<Watch>,
    pub(super) faults: FaultBook,
    /// The links to top-level nodes, and who is at their other ends.
    pub(super) own_links: HashMap<LinkId, NodeId>,
    /// Links that are being made, and the commands that wait for them.
    pub(super) new_links: FxHashMap<LinkId, u64>,
    /// Nodes that are being created, and the commands that do it.
    pub(super) newborn: BTreeMap<NodeId, u64>,
    /// The nodes with execs that died with this one, until their last replies have come.
    pub(super) last_replies: BTreeMap<NodeKey, Vec<NodeKey>>,
    pub(super) next_incarnation: u64,
    /// What makes incarnations such that nobody can guess them.
    pub(super) secret: Option<u128>,
    pub(super) next_link: u64,
    inbox: VecDeque<(u64, Order)>,
    waiting: Option<(u64, Option<Nanos>)>,
    unanswered: usize,
    pub(super) deadlines: BTreeSet<(Nanos, Due)>,
    pub(super) stall: Stall,
    pub(super) wake_at: Nanos,
    pub(super) effects: Vec<ControlEffect>,
}

impl ControlNode {
    /// A control node without nodes. The faults of its plan are armed: there are effects already.
    pub fn new(config: ControlConfig) -> Self {
        let mut node = Self::bare(config);
        for fault in std::mem::take(&mut node.config.faults) {
            node.arm(fault, 0);
        }
        node.ask_to_be_woken();
        node
    }

    fn bare(config: ControlConfig) -> Self {
        Self {
            now: 0,
            topology: Topology::new(config.topology),
            config,
            registry: Registry::default(),
            locks: Locks::default(),
            changes: BTreeMap::new(),
            barriers: BTreeMap::new(),
            held_by_barrier: BTreeSet::new(),
            parked: BTreeMap::new(),
            parked_below: BTreeMap::new(),
            unparked: BTreeMap::new(),
            waiting_for_work: HashMap::new(),
            work_awaited: HashMap::new(),
            freed: BTreeSet::new(),
            creations: BTreeMap::new(),
            relinks: BTreeMap::new(),
            pings: BTreeMap::new(),
            waves: BTreeMap::new(),
            next_wave: 0,
            strikes: BTreeMap::new(),
            open: HashMap::new(),
            early: HashMap::new(),
            watch: None,
            faults: FaultBook::default(),
            own_links: HashMap::new(),
            new_links: FxHashMap::default(),
            newborn: BTreeMap::new(),
            last_replies: BTreeMap::new(),
            next_incarnation: 1,
            secret: None,
            next_link: 1,
            inbox: VecDeque::new(),
            waiting: None,
            unanswered: 0,
            deadlines: BTreeSet::new(),
            stall: Stall::default(),
            wake_at: Nanos::MAX,
            effects: Vec::new(),
        }
    }

    /// Nobody who does not know `secret`, or was told by those who do, can speak in the name of a node: the incarnations
    /// cannot be guessed. Whoever carries what is for a node is told its incarnation, and may speak for it.
    #[must_use]
    pub fn with_secret(self, secret: u128) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// Takes an input; the effects are then drawn with [`take_effects`](Self::take_effects).
    pub fn handle(&mut self, now: Nanos, input: ControlInput) {
        self.now = now;
        match input {
            ControlInput::Submit(op, order) => self.submit(op, order),
            ControlInput::Piece(op, piece) => self.on_piece(op, piece),
            ControlInput::Envelope(link, envelope) => self.on_envelope(link, envelope),
            ControlInput::Closed(link) => self.on_own_link_closed(link),
            ControlInput::FromNode(key, message) => self.on_node(key, message),
            ControlInput::Started(key, pid) => self.on_started(key, pid),
            ControlInput::StartFailed(key, why) => self.on_start_failed(key, &why),
            ControlInput::LinkFailed(link, why) => self.on_link_failed(link, None, &why),
            ControlInput::Died(key) => self.on_died(key),
            ControlInput::Stopped(key) => self.on_stopped(key),
            ControlInput::Continued(key) => self.on_continued(key),
            ControlInput::Examined(key, starved) => self.on_examined(key, starved),
            ControlInput::FaultTaken(number) => self.on_fault_taken(number),
            ControlInput::FaultHappened(number) => self.on_fault_happened(number),
            ControlInput::Interrupt => self.interrupt(),
            ControlInput::GiveUp => self.give_up(),
            ControlInput::Wake => self.wake_at = Nanos::MAX,
        }
        self.settle();
        self.ask_to_be_woken();
    }

    /// Moves the effects of the last calls to `into`.
    pub fn take_effects(&mut self, into: &mut Vec<ControlEffect>) {
        into.append(&mut self.effects);
    }

    /// What is not answered, for a message about a system that does not go on.
    pub fn describe_unanswered(&self) -> String {
        format!(
            "inbox {:?}, changes {:?}, creations {:?}, re-links {:?}, pings {:?}, waves {:?}, busy {:?}, parked {:?}",
            self.inbox.iter().map(|(op, _)| op).collect::<Vec<_>>(),
            self.changes,
            self.creations.keys().collect::<Vec<_>>(),
            self.relinks.keys().collect::<Vec<_>>(),
            self.pings.keys().collect::<Vec<_>>(),
            self.waves.keys().collect::<Vec<_>>(),
            self.registry.busy,
            self.parked.len() + self.parked_below.len(),
        )
    }

    fn submit(&mut self, op: u64, order: Order) {
        self.unanswered += 1;
        if self.waiting.is_some() || !self.inbox.is_empty() {
            self.inbox.push_back((op, order));
        } else {
            self.dispatch(op, order);
        }
    }

    pub(super) fn dispatch(&mut self, op: u64, order: Order) {
        match order {
            Order::Exec { id, .. } | Order::Ping(id) if self.must_wait(id, op) => self.park(id, op, order),
            Order::Kill(id) | Order::Pause(id) | Order::Resume(id) if self.is_being_created(id, op) => {
                self.park(id, op, order);
            }
            Order::Exec { id, first, complete } => self.exec(op, id, first, complete),
            Order::Ping(id) => self.ping(op, id),
            Order::Kill(id) => self.strike(op, id, Strike::Kill),
            Order::Pause(id) => self.strike(op, id, Strike::Pause),
            Order::Resume(id) => self.strike(op, id, Strike::Resume),
            Order::Create { .. } | Order::Remove(_) => self.queue_change(op, order),
            Order::PingAll | Order::All | Order::Tree => {
                self.barriers.insert(op, order);
                self.start_barriers();
            }
            Order::Heartbit(period_ns) => self.heartbit(op, period_ns),
            Order::Fault(fault) => self.fault(op, *fault),
            Order::Heal(number) => self.heal(op, number),
            Order::Faults => self.list_faults(op),
            Order::Wait(ns) => self.wait(op, ns),
            Order::Answer(outcome) => self.answer(op, outcome),
        }
    }

    /// Answers a command.
    pub(super) fn answer(&mut self, op: u64, outcome: Outcome) {
        self.unanswered -= 1;
        self.effects.push(ControlEffect::Answer(op, outcome));
        self.count_answer();
    }

    pub(super) fn refuse(&mut self, op: u64, refusal: Refusal) {
        self.answer(op, Outcome::Refused(refusal));
    }

    fn wait(&mut self, op: u64, ns: Option<Nanos>) {
        let until = ns.map(|ns| self.now.saturating_add(ns));
        self.waiting = Some((op, until));
        if let Some(until) = until {
            self.due(until, Due::Wait);
        }
    }

    /// Goes on with everything that the last input has freed.
    fn settle(&mut self) {
        loop {
            self.run_deadlines();
            // In the order of input, whether they change the tree or want something of a node.
            let change = self.freed.first().copied();
            let last_first = is_planted(Bug::FirstInFirstOutBroken);
            let unparked = &mut self.unparked;
            if let Some(entry) = if last_first { unparked.last_entry() } else { unparked.first_entry() }
                && change.is_none_or(|change| *entry.key() < change)
            {
                let (op, order) = entry.remove_entry();
                self.dispatch(op, order);
                continue;
            }
            if let Some(op) = self.freed.pop_first() {
                self.try_change(op);
                continue;
            }
            self.start_barriers();
            if !self.freed.is_empty() || !self.unparked.is_empty() {
                continue;
            }
            if self.end_of_wait() {
                continue;
            }
            // One at a time: what it frees goes on before the next one is looked at.
            match self.waiting {
                None => match self.inbox.pop_front() {
                    Some((op, order)) => self.dispatch(op, order),
                    None => return,
                },
                Some(_) => return,
            }
        }
    }

    fn end_of_wait(&mut self) -> bool {
        let Some((op, until)) = self.waiting else { return false };
        let over = match until {
            Some(until) => self.now >= until,
            None => self.unanswered == self.inbox.len() + 1,
        };
        if over {
            self.waiting = None;
            self.answer(op, Outcome::Done);
        }
        over
    }

    pub(super) fn interrupt(&mut self) {
        if let Some((op, _)) = self.waiting.take() {
            self.refuse(op, Refusal::Interrupted);
            while let Some((op, order)) = self.inbox.pop_front() {
                match order {
                    Order::Wait(_) => self.refuse(op, Refusal::Interrupted),
                    order => self.dispatch(op, order),
                }
            }
        }
    }

    /// Makes a link between two live nodes, or from us to a node.
    pub(super) fn connect(&mut self, upper: NodeId, lower: NodeId, slot: Slot, active: bool) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let (upper, lower) = (self.key_of(upper), self.key_of(lower));
        if upper == NodeKey::CONTROL {
            self.own_links.insert(link, lower.id);
        }
        self.effects.push(ControlEffect::Connect { link, upper, lower, slot, active });
        link
    }

    /// The key of a live node, or of the control node.
    pub(super) fn key_of(&self, id: NodeId) -> NodeKey {
        let newborn = self.newborn.get(&id).and_then(|op| self.creations.get(op)).map(|creation| creation.key);
        newborn.or_else(|| self.registry.get(id).map(|entry| entry.key)).unwrap_or(NodeKey::CONTROL)
    }

    /// Says something to a node, or to ourselves.
    pub(super) fn say(&mut self, id: NodeId, message: ControlDown) {
        let key = self.key_of(id);
        if key == NodeKey::CONTROL {
            self.say_to_ourselves(message);
        } else {
            self.effects.push(ControlEffect::Control(key, message));
        }
    }

    fn say_to_ourselves(&mut self, message: ControlDown) {
        match message {
            ControlDown::Switch { epoch, .. } => self.on_switched(epoch, CONTROL),
            ControlDown::Ask { epoch } => self.on_here(epoch, CONTROL),
            ControlDown::Drain { epoch, link, through } => {
                self.effects.push(ControlEffect::Send(link, Envelope::Marker { epoch, through }));
            }
            ControlDown::Unlink { links } => {
                for link in links {
                    self.own_links.remove(&link);
                    self.effects.push(ControlEffect::Close(link));
                }
            }
            _ => {}
        }
    }
}
