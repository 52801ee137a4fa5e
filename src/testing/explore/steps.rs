//! What can happen next.

use super::search::System;
use super::setup::{Ask, Setup};
use super::ways::{Parcel, Way};
use super::world::{REPLY_TIMEOUT, World};
use crate::actors::message::{LinkId, Nanos, NodeKey, Side};
use crate::actors::{ControlInput, End, LinkFrame};
use crate::topology::CONTROL;

/// More steps without a choice than any creation takes.
const STEPS_TO_CREATE: usize = 10_000;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next command is given.
    Ask,
    /// What is first on a way arrives.
    Arrive(Way),
    /// It arrives, and the node there is killed when it has sent so much of what it then sends.
    Cut(Way, usize),
    /// A node is killed.
    Kill(NodeKey),
    /// An end of a link finds that the link is over.
    Break(End),
    /// What is first on a way is lost.
    Lose(Way),
    /// What is first on a way comes a second time.
    Copy(Way),
    /// Somebody is woken whose time has come.
    Wake(NodeKey),
    /// An end of a link looks what it has to repeat.
    Repeat(End),
    /// Time passes, until somebody is to be woken.
    Pass,
}

/// A small system.
pub(super) struct Small<'s>(pub(super) &'s Setup);

impl Small<'_> {
    /// The nodes are there, and nothing is under way.
    pub(super) fn start(&self) -> Result<World, String> {
        let mut world = World::new(self.0);
        let mut op = 0;
        for &(id, parent) in self.0.nodes {
            op += 1;
            world.control(ControlInput::Submit(op, Ask::Create(id, parent).order(op)))?;
            for _ in 0..STEPS_TO_CREATE {
                let next = world.flying.ways().map(|(way, _)| way).find(|way| world.arrives(*way));
                let Some(way) = next else { break };
                world.deliver(way, None)?;
            }
        }
        world.judged(|judge, _| judge.begin(self.0, op + 1));
        let there = world.nodes.len();
        if there == self.0.nodes.len() { Ok(world) } else { Err(format!("only {there} nodes could be created")) }
    }

    /// What can happen while no time passes and nothing goes wrong.
    fn prompt(&self, world: &World, into: &mut Vec<Step>) {
        into.extend(world.flying.ways().map(|(way, _)| way).filter(|way| world.arrives(*way)).map(Step::Arrive));
        let now = world.now;
        into.extend(world.wakes().filter(|(at, _)| *at <= now).map(|(_, key)| Step::Wake(key)));
        into.extend(world.repeats().filter(|(at, _)| *at <= now).map(|(_, end)| Step::Repeat(end)));
    }

    /// What may go wrong.
    fn faults(world: &World, into: &mut Vec<Step>) {
        let packets = || {
            let is_packet = |parcel: &Parcel| matches!(parcel, Parcel::Frame(LinkFrame::Packet(_)));
            world.flying.ways().filter(move |(_, parcel)| is_packet(parcel)).map(|(way, _)| way)
        };
        if world.left.drops > 0 {
            into.extend(packets().map(Step::Lose));
        }
        if world.left.copies > 0 {
            into.extend(packets().map(Step::Copy));
        }
        if world.left.breaks > 0 {
            into.extend(world.breakable().map(Step::Break));
        }
        if world.left.kills > 0 {
            into.extend(world.nodes.iter().map(|node| Step::Kill(node.key)));
            for (way, _) in world.flying.ways().filter(|(way, _)| world.arrives(*way)) {
                into.extend(world.cuts(way).map(|sent| Step::Cut(way, sent)));
            }
        }
    }

    /// Whether the only thing that is missing is time.
    fn needs_time(&self, world: &World) -> bool {
        world.asked == self.0.asks.len() || world.judge.it.unanswered(world.asked) > 0
    }
}

/// Whether everybody who is asked answers at once, or is known to be dead.
fn is_prompt(world: &World) -> bool {
    let is_stopped = world.nodes.iter().any(|node| node.stopped);
    world.judge.it.unanswered(world.asked) > 0 && !world.judge.it.hurried && !is_stopped
}

fn next_moment(world: &World) -> Option<Nanos> {
    let moments = world.wakes().map(|(at, _)| at).chain(world.repeats().map(|(at, _)| at));
    moments.filter(|at| *at > world.now).min()
}

impl System for Small<'_> {
    type State = World;
    type Step = Step;

    fn steps(&self, world: &World, into: &mut Vec<Step>) {
        self.prompt(world, into);
        let is_quiet = into.is_empty();
        let may_pass = if is_quiet { self.needs_time(world) } else { world.left.hurries > 0 };
        if may_pass && next_moment(world).is_some() {
            into.push(Step::Pass);
        }
        if world.asked < self.0.asks.len() {
            into.push(Step::Ask);
        }
        Self::faults(world, into);
    }

    fn step(&self, world: &World, step: Step) -> Result<World, String> {
        let mut world = world.clone();
        match step {
            Step::Ask => {
                let (at, ask) = (world.asked, self.0.asks[world.asked]);
                world.asked += 1;
                if let Ask::Kill(id) | Ask::Pause(id) = ask {
                    world.judged(|judge, control| judge.excuse(id, control));
                }
                let op = world.judge.it.op(at);
                world.control(ControlInput::Submit(op, ask.order(op)))?;
            }
            Step::Arrive(way) => world.deliver(way, None)?,
            Step::Cut(way, sent) => world.deliver(way, Some(sent))?,
            Step::Kill(key) => world.strike(key),
            Step::Break(end) => world.break_at(end),
            Step::Lose(way) => {
                world.left.drops -= 1;
                drop(world.flying.take(way));
            }
            Step::Copy(way) => {
                world.left.copies -= 1;
                world.flying.copy(way);
            }
            Step::Wake(key) => world.wake(key)?,
            Step::Repeat(end) => world.pump(end),
            Step::Pass => {
                let mut prompt = Vec::new();
                self.prompt(&world, &mut prompt);
                if !prompt.is_empty() {
                    world.left.hurries -= 1;
                    world.judged(|judge, _| judge.hurried = true);
                }
                world.now = next_moment(&world).unwrap_or(world.now);
                if world.now >= REPLY_TIMEOUT && is_prompt(&world) {
                    return Err("a command waits until its time is up, and everybody is quick".to_owned());
                }
            }
        }
        Ok(world)
    }

    fn check(&self, world: &World, steps: &[Step]) -> Result<(), String> {
        let is_prompt = |step: &Step| matches!(step, Step::Arrive(_) | Step::Wake(_) | Step::Repeat(_));
        if world.judge.it.unanswered(world.asked) == 0 && !steps.iter().any(is_prompt) {
            world.check_rest()?;
            world.check_survivors()?;
        }
        if steps.is_empty() { world.judge.it.check_all(self.0) } else { Ok(()) }
    }

    fn describe(&self, world: &World, step: Step) -> String {
        let first = |way| world.flying.first(way).map(Parcel::to_string).unwrap_or_default();
        match step {
            Step::Ask => format!("asked: {:?}", self.0.asks[world.asked]),
            Step::Arrive(way) => format!("{}: {}", place(world, way), first(way)),
            Step::Cut(way, sent) => {
                format!(
                    "{}: {}, and it is killed when it has sent {sent} of its answers",
                    place(world, way),
                    first(way)
                )
            }
            Step::Kill(key) => format!("node {} is killed", key.id),
            Step::Break(end) => format!("{}: the link is over", place(world, Way::Link(end))),
            Step::Lose(way) => format!("{}: lost: {}", place(world, way), first(way)),
            Step::Copy(way) => format!("{}: once more: {}", place(world, way), first(way)),
            Step::Wake(key) => format!("{} is woken", name(key)),
            Step::Repeat(end) => format!("link {} repeats what is not acknowledged", end.link.0),
            Step::Pass => {
                let by = next_moment(world).unwrap_or(world.now) - world.now;
                format!("{} ms pass", by / 1_000_000)
            }
        }
    }
}

fn name(key: NodeKey) -> String {
    if key.id == CONTROL { "the control node".to_owned() } else { format!("node {}", key.id) }
}

/// Where something arrives, and from where.
fn place(world: &World, way: Way) -> String {
    let end = |link: LinkId, side| world.link(link).and_then(|link| link.at(side)).map_or("nobody".to_owned(), name);
    match way {
        Way::Link(End { link, side }) => {
            let from = if side == Side::Upper { "below" } else { "above" };
            format!("at {} over link {} from {from}", end(link, side), link.0)
        }
        Way::Down(key) => format!("at {} from the control node", name(key)),
        Way::Up(key) => format!("at the control node from {}", name(key)),
        Way::Kernel => "at the control node from the system".to_owned(),
    }
}
