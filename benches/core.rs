//! What nodetree costs, each figure beside a bare baseline through the same channels in the same run.
//!
//! The baseline is a chain of actix actors on one arbiter with nothing in them: a number comes in through a crossbeam
//! channel (one wake-up stands for any number of them), goes down hop by hop, comes up hop by hop and leaves through a
//! bounded crossbeam channel. The actor at the top stands for the control node, those below it for the nodes.
//! Rounds of ours and of the baseline take turns; each figure is the median of its rounds.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, System};
use crossbeam_channel::{Receiver, Sender, bounded};
use nodetree::{Command, Dictionary, Mode, NodeTree, Reply};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How many commands may be on their way in either system.
const CAPACITY: usize = 1 << 16;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    rounds: usize,
    one_by_one: usize,
    pipelined: usize,
}

/// `cargo bench` measures; without its flag (`cargo test --benches`) everything runs once, for a moment.
fn size() -> Size {
    if std::env::args().any(|argument| argument == "--bench") {
        Size { rounds: 15, one_by_one: 10_000, pipelined: 100_000 }
    } else {
        Size { rounds: 1, one_by_one: 100, pipelined: 1_000 }
    }
}

fn main() -> Outcome<()> {
    let all = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).ok_or("there is no core to run on")?;
    let mut one = CpuSet::new();
    one.set(first);
    let mut out = io::stdout().lock();
    for (title, cores) in [("one core", one), ("all cores", all)] {
        // Threads that are started from here on run where this one does.
        sched_setaffinity(None, &cores)?;
        writeln!(out, "{title:<34}{:>14}{:>14}{:>8}   goal", "ours", "baseline", "ratio")?;
        for row in [latency(1)?, latency(8)?, pipelined(1)?, pipelined(8)?, simulated()?] {
            writeln!(out, "{row}")?;
        }
    }
    Ok(())
}

/// One line of the table.
struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    baseline: f64,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Goal {
    /// At most so many times the baseline.
    Ratio(f64),
    /// At least so much.
    Rate(f64),
    None,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, unit, ours, baseline, goal } = self;
        // More is better for a rate, less for a time: above 1 ours costs more.
        let ratio = if unit.ends_with("/s") { baseline / ours } else { ours / baseline };
        write!(f, "{what:<34}{ours:>9.0} {unit:<4}{baseline:>9.0} {unit:<4}{ratio:>8.2}")?;
        let (goal, met) = match goal {
            Goal::Ratio(most) => (format!("ratio ≤ {most}"), ratio <= *most),
            Goal::Rate(least) => (format!("≥ {least} {unit}"), ours >= least),
            Goal::None => return Ok(()),
        };
        write!(f, "   {goal}: {}", if met { "met" } else { "not met" })
    }
}

/// One exec after the other: from the submission until the reply is there.
fn latency(depth: usize) -> Outcome<Row> {
    let (ours, bare, size) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth)?, size());
    let time = |each: &mut dyn FnMut() -> Outcome<()>| -> Outcome<f64> {
        let start = Instant::now();
        (0..size.one_by_one).try_for_each(|_| each())?;
        Ok(nanos_each(start.elapsed(), size.one_by_one))
    };
    let (ours, baseline) = in_turns(
        || time(&mut || ours.submit().and_then(|()| ours.receive())),
        || time(&mut || bare.submit().and_then(|()| bare.receive())),
    )?;
    Ok(Row { what: format!("exec at depth {depth}, one by one"), unit: "ns", ours, baseline, goal: Goal::Ratio(3.0) })
}

/// One thread submits without waiting for replies, another takes them.
fn pipelined(depth: usize) -> Outcome<Row> {
    let (ours, bare, size) = (Ours::start(Mode::Threads, depth)?, Bare::start(depth)?, size());
    let (ours, baseline) = in_turns(
        || rate(size.pipelined, || ours.submit(), || ours.receive()),
        || rate(size.pipelined, || bare.submit(), || bare.receive()),
    )?;
    let goal = if depth == 1 { Goal::Rate(400_000.0) } else { Goal::None };
    Ok(Row { what: format!("exec at depth {depth}, pipelined"), unit: "/s", ours, baseline, goal })
}

/// Envelopes in virtual time, with neither trace nor codec; the baseline is what the bare chain delivers.
fn simulated() -> Outcome<Row> {
    const DEPTH: usize = 8;
    let (bare, size) = (Bare::start(DEPTH)?, size());
    let ours = Ours::build(Mode::Simulated, DEPTH)?;
    let commands = size.pipelined / 10;
    let measure = || {
        let (start, before) = (Instant::now(), ours.delivered());
        let execs = (0..commands).map(|_| load(DEPTH));
        let tickets = ours.submit_all(execs)?;
        ours.settle()?;
        let rate = (ours.delivered() - before) as f64 / start.elapsed().as_secs_f64();
        tickets.into_iter().try_for_each(|ticket| ours.wait(ticket).map(drop))?;
        Ok(rate)
    };
    let hops = (2 * DEPTH) as f64;
    let (ours, baseline) = in_turns(measure, || Ok(hops * rate(size.pipelined, || bare.submit(), || bare.receive())?))?;
    Ok(Row { what: "simulated, envelopes".to_owned(), unit: "/s", ours, baseline, goal: Goal::Rate(500_000.0) })
}

/// The medians of both, which take turns; the first round of each only warms up.
fn in_turns(mut ours: impl FnMut() -> Outcome<f64>, mut baseline: impl FnMut() -> Outcome<f64>) -> Outcome<(f64, f64)> {
    let (mut of_ours, mut of_baseline) = (Vec::new(), Vec::new());
    for round in 0..=size().rounds {
        let (one, other) = (ours()?, baseline()?);
        if round > 0 {
            of_ours.push(one);
            of_baseline.push(other);
        }
    }
    Ok((median(of_ours), median(of_baseline)))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn nanos_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

fn rate(
    count: usize,
    submit: impl Fn() -> Outcome<()> + Sync,
    mut receive: impl FnMut() -> Outcome<()>,
) -> Outcome<f64> {
    let start = Instant::now();
    thread::scope(|scope| {
        let source = scope.spawn(|| (0..count).try_for_each(|_| submit()).map_err(|error| error.to_string()));
        (0..count).try_for_each(|_| receive())?;
        source.join().map_err(|_| "the source panicked")??;
        Ok(count as f64 / start.elapsed().as_secs_f64())
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
