//! The nodes on threads and in the simulation, beside bare actors through the same channels, tokio's channels and ractor.

use std::thread;
use std::time::Instant;

use crossbeam_channel::Receiver;
use nodetree::faults::FaultPlan;
use nodetree::testing::shapes::Shape;
use nodetree::{Builder, Command, Dictionary, Mode, NodeTree, Reply};

use crate::bare::{Bare, CAPACITY, Way};
use crate::exec::each;
use crate::peers::Peers;
use crate::table::{Goal, Outcome, Print, Row, Scale, Unit, in_turns, median, rate};

fn rounds() -> usize {
    Scale::asked().pick(1, 9, 15)
}

/// One exec after the other: from the submission until the reply is there.
pub fn latency(depth: usize, peers: &Peers, print: Print<'_>) -> Outcome<()> {
    let count = Scale::asked().pick(100, 10_000, 10_000);
    let (ours, bare) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth, Way::DownAndUp)?);
    let (straight, mut ractor) = (Bare::start(depth, Way::Down)?, peers.ractor_chain(depth)?);
    let mut channels = peers.channels()?;
    let [ours, bare, straight, ractor, channels] = in_turns(
        rounds(),
        [
            &mut || each(count, || ours.exchange()),
            &mut || each(count, || bare.exchange()),
            &mut || each(count, || straight.exchange()),
            &mut || ractor.measure(count),
            &mut || channels.measure(count),
        ],
    )?;
    let row = Row::new(format!("exec, threads, depth {depth} (submit → recv)"), Unit::Time, median(&ours));
    let up_and_down = row.clone().beside("bare actors between the same channels, down and up", median(&bare));
    print(if depth == 8 { up_and_down.goal(Goal::Ratio(2.0)) } else { up_and_down })?;
    print(row.clone().beside("bare actors between the same channels, down only", median(&straight)))?;
    let name = if depth == 1 { "ractor, one ask on its thread" } else { "ractor, down and up, asked on its thread" };
    print(row.clone().beside(name, median(&ractor)))?;
    if depth == 1 {
        print(row.beside("tokio mpsc and oneshot, asked on their thread", median(&channels)))?;
    }
    Ok(())
}

/// One thread submits without waiting for replies, another takes them.
pub fn pipelined(depth: usize, print: Print<'_>) -> Outcome<()> {
    let count = Scale::asked().pick(1_000, 100_000, 100_000);
    let (ours, bare) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth, Way::DownAndUp)?);
    let [ours, bare] = in_turns(
        rounds(),
        [&mut || through(count, || ours.submit(), || ours.receive()), &mut || {
            through(count, || bare.submit(), || bare.receive())
        }],
    )?;
    let row = Row::new(format!("execs, threads, depth {depth} (submit → recv)"), Unit::PerSecond, median(&ours));
    let row = row.beside("bare actors between the same channels, down and up", median(&bare));
    print(if depth == 1 { row.goal(Goal::Least(600_000.0)) } else { row })?;
    Ok(())
}

/// One exec to the end of a long chain: what one hop takes.
pub fn long_chain(peers: &Peers, print: Print<'_>) -> Outcome<()> {
    let depth = Scale::asked().pick(100, 10_000, 10_000);
    let (ours, bare) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth, Way::DownAndUp)?);
    let mut ractor = peers.ractor_chain(depth)?;
    let hops = 2.0 * depth as f64;
    let [ours, bare, ractor] = in_turns(
        rounds(),
        [
            &mut || Ok(each(10, || ours.exchange())? / hops),
            &mut || Ok(each(10, || bare.exchange())? / hops),
            &mut || Ok(ractor.measure(10)? / hops),
        ],
    )?;
    let row = Row::new(
        format!("a hop of an exec, threads, to the end of {depth} (submit → recv)"),
        Unit::Time,
        median(&ours),
    );
    print(
        row.clone().beside("bare actors between the same channels, down and up", median(&bare)).goal(Goal::Most(1e-6)),
    )?;
    print(row.beside("ractor, down and up", median(&ractor)))?;
    Ok(())
}

/// How deep the chain of a simulation is.
const DEPTH: usize = 8;

/// Envelopes in virtual time without a trace, each of them through the codec or none; the baseline is what the bare
/// chain delivers.
pub fn simulated(print: Print<'_>) -> Outcome<()> {
    for (codec, least) in [(false, 1_000_000.0), (true, 300_000.0)] {
        let commands = Scale::asked().pick(100, 10_000, 10_000);
        let ours = Ours::build(Mode::Simulated, DEPTH, |builder| builder.codec_on_each_hop(codec))?;
        let bare = Bare::start(DEPTH, Way::DownAndUp)?;
        let hops = (2 * DEPTH) as f64;
        let mut bare = || Ok(hops * through(10 * commands, || bare.submit(), || bare.receive())?);
        let [ours, bare] = in_turns(rounds(), [&mut || in_virtual_time(&ours, commands), &mut bare])?;
        let what =
            if codec { "envelopes, simulated, depth 8, through the codec" } else { "envelopes, simulated, depth 8" };
        let row = Row::new(what, Unit::PerSecond, median(&ours));
        print(
            row.beside("bare actors between the same channels, down and up", median(&bare)).goal(Goal::Least(least)),
        )?;
    }
    Ok(())
}

/// How many envelopes a second are delivered for so many execs.
fn in_virtual_time(ours: &NodeTree<Dictionary>, commands: usize) -> Outcome<f64> {
    let (start, before) = (Instant::now(), ours.delivered());
    let tickets = ours.submit_all((0..commands).map(|_| load(DEPTH)))?;
    ours.settle()?;
    let rate = (ours.delivered() - before) as f64 / start.elapsed().as_secs_f64();
    tickets.into_iter().try_for_each(|ticket| ours.wait(ticket).map(drop))?;
    Ok(rate)
}

/// Execs with a fault plan in which there is nothing; the baseline is the same without one.
pub fn with_an_empty_plan(print: Print<'_>) -> Outcome<()> {
    let empty = |builder: Builder<Dictionary>| builder.faults(FaultPlan::default());
    let commands = Scale::asked().pick(100, 10_000, 10_000);
    let [planned, plain] =
        [Ours::build(Mode::Simulated, DEPTH, empty)?, Ours::build(Mode::Simulated, DEPTH, |builder| builder)?];
    let measure = |ours| in_virtual_time(ours, commands);
    let simulated = in_turns(rounds(), [&mut || measure(&planned), &mut || measure(&plain)])?;
    let [planned, plain] = [Ours::start_with(Mode::Threads, 1, empty)?, Ours::start(Mode::Threads, 1)?];
    let measure = |ours: &Ours| through(10 * commands, || ours.submit(), || ours.receive());
    let threads = in_turns(rounds(), [&mut || measure(&planned), &mut || measure(&plain)])?;
    for (mode, [planned, plain]) in [(Mode::Simulated, simulated), (Mode::Threads, threads)] {
        let row = Row::new(format!("execs, {mode}, with an empty fault plan"), Unit::PerSecond, median(&planned));
        print(row.beside("without a plan", median(&plain)).goal(Goal::Ratio(1.05)))?;
    }
    Ok(())
}

/// Submits on one thread and receives on another; how many a second go through.
fn through(
    count: usize,
    submit: impl Fn() -> Outcome<()> + Sync,
    mut receive: impl FnMut() -> Outcome<()>,
) -> Outcome<f64> {
    let start = Instant::now();
    thread::scope(|scope| {
        let source = scope.spawn(|| (0..count).try_for_each(|_| submit()).map_err(|error| error.to_string()));
        (0..count).try_for_each(|_| receive())?;
        source.join().map_err(|_| "the source panicked")??;
        Ok(rate(count, start.elapsed()))
    })
}

/// A chain of nodes, of which the last one is asked.
pub struct Ours {
    tree: NodeTree<Dictionary>,
    replies: Receiver<Reply<Dictionary>>,
    depth: usize,
}

impl Ours {
    fn build(
        mode: Mode,
        depth: usize,
        with: impl Fn(Builder<Dictionary>) -> Builder<Dictionary>,
    ) -> Outcome<NodeTree<Dictionary>> {
        let tree = with(NodeTree::builder().mode(mode).capacity(CAPACITY).codec_on_each_hop(false)).start()?;
        for ticket in tree.submit_all(Shape::Chain.plan(depth, 0).creates())? {
            tree.wait(ticket)?;
        }
        assert_eq!(tree.line(&format!("exec {depth} x 5"))?, format!("Ok:{depth}"));
        assert_eq!(tree.line(&format!("exec {depth} x"))?, format!("Ok:{depth}: 5"));
        Ok(tree)
    }

    pub fn start(mode: Mode, depth: usize) -> Outcome<Self> {
        Self::start_with(mode, depth, |builder| builder)
    }

    fn start_with(
        mode: Mode,
        depth: usize,
        with: impl Fn(Builder<Dictionary>) -> Builder<Dictionary>,
    ) -> Outcome<Self> {
        let tree = Self::build(mode, depth, with)?;
        let replies = tree.replies()?;
        Ok(Self { tree, replies, depth })
    }

    pub fn exchange(&self) -> Outcome<()> {
        self.submit()?;
        self.receive()
    }

    fn submit(&self) -> Outcome<()> {
        self.tree.submit(load(self.depth))?;
        Ok(())
    }

    fn receive(&self) -> Outcome<()> {
        self.replies.recv()?;
        Ok(())
    }
}

fn load(id: usize) -> Command<Dictionary> {
    Command::exec(id as i64, Dictionary::load("x"))
}
