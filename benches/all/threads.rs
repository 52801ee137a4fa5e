//! What nodetree costs, each figure beside a bare baseline through the same channels in the same run.
//!
//! The baseline is a chain of actix actors on one arbiter with nothing in them: a number comes in through a crossbeam
//! channel (one wake-up stands for any number of them), goes down hop by hop, comes up hop by hop and leaves through a
//! bounded crossbeam channel. The actor at the top stands for the control node, those below it for the nodes.
//! Rounds of ours and of the baseline take turns; each figure is the median of its rounds.

#[allow(dead_code, reason = "each benchmark uses its part of it")]
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, System};
use crossbeam_channel::{Receiver, Sender, bounded};
use nodetree::{Command, Dictionary, Mode, NodeTree, Reply};
use table::{Goal, Outcome, Row, Unit, in_turns, is_measured, median, rate};

/// How many commands may be on their way in either system.
const CAPACITY: usize = 1 << 16;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    rounds: usize,
    one_by_one: usize,
    pipelined: usize,
}

fn size() -> Size {
    if is_measured() {
        Size { rounds: 15, one_by_one: 10_000, pipelined: 100_000 }
    } else {
        Size { rounds: 1, one_by_one: 100, pipelined: 1_000 }
    }
}

fn main() -> Outcome<()> {
    table::print(|print| {
        for measure in [|| latency(1), || latency(8), || pipelined(1), || pipelined(8), simulated] {
            print(measure()?)?;
        }
        Ok(())
    })
}

/// One exec after the other: from the submission until the reply is there.
fn latency(depth: usize) -> Outcome<Row> {
    let (ours, bare, size) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth)?, size());
    let time = |each: &mut dyn FnMut() -> Outcome<()>| -> Outcome<f64> {
        let start = Instant::now();
        (0..size.one_by_one).try_for_each(|_| each())?;
        Ok(start.elapsed().as_secs_f64() / size.one_by_one as f64)
    };
    let figures = in_turns(
        size.rounds,
        [&mut || time(&mut || ours.submit().and_then(|()| ours.receive())), &mut || {
            time(&mut || bare.submit().and_then(|()| bare.receive()))
        }],
    )?;
    Ok(row(format!("exec at depth {depth}, one by one"), Unit::Time, &figures, Goal::Ratio(3.0)))
}

/// One thread submits without waiting for replies, another takes them.
fn pipelined(depth: usize) -> Outcome<Row> {
    let (ours, bare, size) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth)?, size());
    let figures = in_turns(
        size.rounds,
        [&mut || through(size.pipelined, || ours.submit(), || ours.receive()), &mut || {
            through(size.pipelined, || bare.submit(), || bare.receive())
        }],
    )?;
    let goal = if depth == 1 { Goal::Least(400_000.0) } else { Goal::None };
    Ok(row(format!("exec at depth {depth}, pipelined"), Unit::PerSecond, &figures, goal))
}

/// Envelopes in virtual time, with neither trace nor codec; the baseline is what the bare chain delivers.
fn simulated() -> Outcome<Row> {
    const DEPTH: usize = 8;
    let (bare, size) = (Bare::start(DEPTH)?, size());
    let ours = Ours::build(Mode::Simulated, DEPTH)?;
    let commands = size.pipelined / 10;
    let mut measure = || {
        let (start, before) = (Instant::now(), ours.delivered());
        let execs = (0..commands).map(|_| load(DEPTH));
        let tickets = ours.submit_all(execs)?;
        ours.settle()?;
        let rate = (ours.delivered() - before) as f64 / start.elapsed().as_secs_f64();
        tickets.into_iter().try_for_each(|ticket| ours.wait(ticket).map(drop))?;
        Ok(rate)
    };
    let hops = (2 * DEPTH) as f64;
    let mut bare = || Ok(hops * through(size.pipelined, || bare.submit(), || bare.receive())?);
    let figures = in_turns(size.rounds, [&mut measure, &mut bare])?;
    Ok(row("simulated, envelopes".to_owned(), Unit::PerSecond, &figures, Goal::Least(500_000.0)))
}

fn row(what: String, unit: Unit, [ours, bare]: &[Vec<f64>; 2], goal: Goal) -> Row {
    Row { what, unit, ours: median(ours), baseline: Some(("bare actors", median(bare))), goal }
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
struct Ours {
    tree: NodeTree<Dictionary>,
    replies: Receiver<Reply<Dictionary>>,
    depth: usize,
}

impl Ours {
    fn build(mode: Mode, depth: usize) -> Outcome<NodeTree<Dictionary>> {
        let tree = NodeTree::<Dictionary>::builder().mode(mode).capacity(CAPACITY).codec_on_each_hop(false).start()?;
        for id in 1..=depth {
            tree.line(&if id == 1 { "create 1".to_owned() } else { format!("create {id} {}", id - 1) })?;
        }
        assert_eq!(tree.line(&format!("exec {depth} x 5"))?, format!("Ok:{depth}"));
        assert_eq!(tree.line(&format!("exec {depth} x"))?, format!("Ok:{depth}: 5"));
        Ok(tree)
    }

    fn start(mode: Mode, depth: usize) -> Outcome<Self> {
        let tree = Self::build(mode, depth)?;
        let replies = tree.replies()?;
        Ok(Self { tree, replies, depth })
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
    Command::Exec { id: id as i64, request: Ok(Dictionary::load("x")) }
}

/// A number on its way down.
#[derive(Message)]
#[rtype(result = "()")]
struct Down(u64);

/// A number on its way up.
#[derive(Message)]
#[rtype(result = "()")]
struct Up(u64);

/// There are numbers in the channel.
#[derive(Message)]
#[rtype(result = "()")]
struct Submitted;

enum Above {
    Actor(Addr<Link>),
    Channels { queue: Receiver<u64>, awake: Arc<AtomicBool>, replies: Sender<u64> },
}

/// One actor of the bare chain.
struct Link {
    above: Above,
    below: Option<Addr<Link>>,
}

impl Link {
    /// Starts an actor with `depth` others below it.
    fn start(above: Above, depth: usize) -> Addr<Self> {
        Self::create(|context| {
            let below = (depth > 0).then(|| Self::start(Above::Actor(context.address()), depth - 1));
            Self { above, below }
        })
    }
}

impl Actor for Link {
    type Context = Context<Self>;
}

impl Handler<Submitted> for Link {
    type Result = ();

    fn handle(&mut self, _: Submitted, _: &mut Self::Context) {
        if let (Above::Channels { queue, awake, .. }, Some(below)) = (&self.above, &self.below) {
            awake.store(false, Ordering::SeqCst);
            queue.try_iter().for_each(|number| below.do_send(Down(number)));
        }
    }
}

impl Handler<Down> for Link {
    type Result = ();

    fn handle(&mut self, Down(number): Down, context: &mut Self::Context) {
        match &self.below {
            Some(below) => below.do_send(Down(number)),
            None => self.handle(Up(number), context),
        }
    }
}

impl Handler<Up> for Link {
    type Result = ();

    fn handle(&mut self, Up(number): Up, _: &mut Self::Context) {
        match &self.above {
            Above::Actor(above) => above.do_send(Up(number)),
            Above::Channels { replies, .. } => drop(replies.try_send(number)),
        }
    }
}

/// The bare chain on its arbiter.
struct Bare {
    submissions: Sender<u64>,
    awake: Arc<AtomicBool>,
    top: Option<Addr<Link>>,
    replies: Receiver<u64>,
    system: System,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    fn start(depth: usize) -> Outcome<Self> {
        let ((submissions, queue), (replies_in, replies)) = (bounded(CAPACITY), bounded(2 * CAPACITY + 1));
        let (awake, (ready, is_ready)) = (Arc::new(AtomicBool::new(false)), bounded(1));
        let above = Above::Channels { queue, awake: Arc::clone(&awake), replies: replies_in };
        let thread = thread::spawn(move || {
            let runner = System::new();
            runner.block_on(async { drop(ready.send((Link::start(above, depth), System::current()))) });
            drop(runner.run());
        });
        let (top, system) = is_ready.recv()?;
        Ok(Self { submissions, awake, top: Some(top), replies, system, thread: Some(thread) })
    }

    fn submit(&self) -> Outcome<()> {
        // As many as there is room for at the other end; whoever does not read them stops the source.
        while self.replies.len() >= CAPACITY {
            thread::yield_now();
        }
        self.submissions.send(7)?;
        if let Some(top) = self.top.as_ref().filter(|_| !self.awake.swap(true, Ordering::SeqCst)) {
            top.do_send(Submitted);
        }
        Ok(())
    }

    fn receive(&self) -> Outcome<()> {
        assert_eq!(self.replies.recv()?, 7);
        Ok(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.top.take();
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
