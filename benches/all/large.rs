//! A million nodes in one process. Each system is measured in a process of its own, in which its memory can be told.

use std::io::{self, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nodetree::testing::shapes::Shape;
use nodetree::{Answer, Command, Dictionary, Mode, NodeTree};
use rustix::time::{ClockId, clock_gettime};

use crate::peers::Peers;
use crate::raw::{Process, role};
use crate::table::{Goal, Outcome, Print, Row, Scale, Unit};

/// So many commands are submitted at once.
const AT_ONCE: usize = 1 << 13;

/// What is measured of one system, in the order in which it is printed.
pub struct Figures {
    pub created: f64,
    pub bytes: f64,
    pub pinged: f64,
    pub beaten: f64,
    pub killed: f64,
    pub below: f64,
}

/// The goals are those of a million nodes, in parts where there are fewer.
pub fn million(peers: &Peers, print: Print<'_>) -> Outcome<()> {
    let nodes = Scale::asked().pick(1_000, 100_000, 1_000_000);
    let part = nodes as f64 / 1e6;
    let ractor = peers.ractor_bytes()?.measure(nodes.min(100_000))?;
    for mode in [Mode::Threads, Mode::Simulated] {
        let figures = measured(mode, nodes)?;
        let what = |what: &str| format!("{what}, {mode}, {nodes} nodes");
        print(Row::new(what("created"), Unit::Time, figures.created).goal(Goal::Most(10.0 * part)))?;
        let row = Row::new(what("memory of a node"), Unit::Bytes, figures.bytes);
        print(row.beside("an actor of ractor", ractor).goal(Goal::Most(2048.0)))?;
        print(Row::new(what("pingall"), Unit::Time, figures.pinged).goal(Goal::Most(2.0 * part)))?;
        let kill = format!("{} with {:.0} below it", what("kill an inner node"), figures.below);
        print(Row::new(kill, Unit::Time, figures.killed).goal(Goal::Most(part)))?;
        let row = Row::new(what("heartbit 1000, time of the processor"), Unit::Share, figures.beaten);
        print(row.goal(Goal::Most(part)))?;
    }
    Ok(())
}

/// One system in a process of its own.
pub fn measured(mode: Mode, nodes: usize) -> Outcome<Figures> {
    let mut command = role("large", &[])?;
    command.arg(mode.to_string()).arg(nodes.to_string()).stdout(Stdio::piped());
    let mut process = Process(command.spawn()?);
    let mut said = String::new();
    process.0.stdout.take().ok_or("no output")?.read_to_string(&mut said)?;
    let figures = said.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [created, bytes, pinged, beaten, killed, below] = figures[..] else {
        return Err(format!("a system of {nodes} nodes, {mode}, could not be measured").into());
    };
    Ok(Figures { created, bytes, pinged, beaten, killed, below })
}

/// What that process does.
pub fn play(mode: Mode, nodes: usize) -> Outcome<()> {
    // Of 1 000 000 nodes half are below one of them, with this seed.
    let plan = Shape::Random.plan(nodes, 12);
    let creates: Vec<Command<Dictionary>> = plan.creates().collect();
    let before = resident_bytes()?;
    let tree = NodeTree::<Dictionary>::builder()
        .mode(mode)
        .capacity(2 * AT_ONCE)
        .codec_on_each_hop(false)
        .reply_timeout(Duration::from_secs(60))
        .start()?;
    let created = time(|| create(&tree, creates))?;
    let bytes = resident_bytes()?.saturating_sub(before) as f64 / nodes as f64;
    let pinged = time(|| expect(&tree, Command::PingAll, "Ok: -1"))?;
    let beaten = beats(&tree)?;
    let (half, below) = plan.half();
    let killed = time(|| {
        expect(&tree, Command::Kill { id: half }, "Ok")?;
        expect(&tree, Command::Ping { id: half }, "Ok: 0")
    })?;
    writeln!(io::stdout(), "{created} {bytes} {pinged} {beaten} {killed} {below}")?;
    // The system is not taken apart: nobody waits for that.
    std::process::exit(0)
}

fn create(tree: &NodeTree<Dictionary>, creates: Vec<Command<Dictionary>>) -> Outcome<()> {
    let mut creates = creates.into_iter().peekable();
    while creates.peek().is_some() {
        let tickets = tree.submit_all(creates.by_ref().take(AT_ONCE))?;
        // A simulation is driven once for all of them, and not until each is answered.
        tree.settle()?;
        for ticket in tickets {
            let answer = tree.wait(ticket)?.answer;
            if !matches!(answer, Answer::Created { .. }) {
                return Err(answer.to_string().into());
            }
        }
    }
    Ok(())
}

/// What of one core the beats of all nodes take.
fn beats(tree: &NodeTree<Dictionary>) -> Outcome<f64> {
    let periods = Scale::asked().pick(1, 3, 3);
    expect(tree, Command::Heartbit { period_ms: 1_000 }, "Ok")?;
    tree.advance(Duration::from_millis(1_500))?;
    let before = processor_seconds();
    tree.advance(Duration::from_secs(periods))?;
    let share = (processor_seconds() - before) / periods as f64;
    expect(tree, Command::Heartbit { period_ms: 0 }, "Ok")?;
    // Every node hears of that.
    tree.advance(Duration::from_millis(100))?;
    Ok(share)
}

fn time(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn expect(tree: &NodeTree<Dictionary>, command: Command<Dictionary>, expected: &str) -> Outcome<()> {
    let answer = tree.call(command)?.to_string();
    if answer == expected { Ok(()) } else { Err(format!("{answer}, expected {expected}").into()) }
}

fn processor_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// What of this process is in memory.
fn resident_bytes() -> Outcome<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: u64 = pages.split(' ').nth(1).ok_or("statm has a second word")?.parse()?;
    Ok(resident * rustix::param::page_size() as u64)
}
