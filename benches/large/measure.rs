//! One tree is made, asked, changed and dropped, and each step is timed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use nodetree::testing::shapes::{Plan, Shape};
use nodetree::{Answer, Command, Dictionary, Mode, NodeTree};
use rustix::time::{ClockId, clock_gettime};

use super::Outcome;

/// What is measured, and in what.
pub(super) const OPERATIONS: [&str; 11] = [
    "create, ns/node",
    "memory, bytes/node",
    "exec to the deepest, ns/hop",
    "ping of the deepest, ns/hop",
    "pingall, ns/node",
    "all, ns/node",
    "tree, ns/node",
    "one heartbeat of all, ns/node",
    "remove the first, ns/node",
    "kill above half, ns/node",
    "drop, ns/node",
];

/// So many commands are submitted at once.
const AT_ONCE: usize = 1 << 13;

/// Prints the median of the rounds for each operation; the memory is that of the first round.
pub(super) fn one_tree(shape: Shape, mode: Mode, size: usize, rounds: usize) -> Outcome<()> {
    let plan = shape.plan(size, 7);
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for (operation, value) in OPERATIONS.into_iter().zip(round(&plan, mode, size)?) {
            figures.entry(operation).or_default().push(value);
        }
    }
    let mut out = io::stdout().lock();
    for operation in OPERATIONS {
        let Some(values) = figures.get_mut(operation) else { continue };
        if operation.starts_with("memory") {
            values.truncate(1);
        }
        values.sort_by(f64::total_cmp);
        writeln!(out, "{operation},{}", values[values.len() / 2])?;
    }
    Ok(())
}

/// The figures in the order of [`OPERATIONS`].
fn round(plan: &Plan, mode: Mode, size: usize) -> Outcome<[f64; 11]> {
    let resident_before = resident_bytes()?;
    let tree = NodeTree::<Dictionary>::builder()
        .mode(mode)
        .topology(plan.kind)
        .capacity(2 * AT_ONCE)
        .codec_on_each_hop(false)
        .reply_timeout(Duration::from_secs(60))
        .start()?;
    let (deepest, depth) = plan.deepest();
    let (half, _) = plan.half();
    let creates: Vec<_> = plan.creates().collect();
    let create = time(|| create_all(&tree, creates))?;
    let memory = resident_bytes()?.saturating_sub(resident_before) as f64 / size as f64;
    let exec = time(|| expect(&tree, Command::exec(deepest, Dictionary::save("x", 5)), &format!("Ok:{deepest}")))?;
    let ping = time(|| expect(&tree, Command::Ping { id: deepest }, "Ok: 1"))?;
    let pingall = time(|| expect(&tree, Command::PingAll, "Ok: -1"))?;
    let all = time(|| match tree.call(Command::All)? {
        Answer::All { ids } if ids.len() == size => Ok(()),
        _ => Err("not all nodes".into()),
    })?;
    let drawing = time(|| match tree.call(Command::Tree)? {
        Answer::Tree { drawing } if drawing.lines().count() > size => Ok(()),
        _ => Err("not all nodes are drawn".into()),
    })?;
    let beats = heartbeat(&tree, size)?;
    let remove = time(|| expect(&tree, Command::Remove { id: plan.first() }, "Ok"))?;
    let kill = time(|| expect(&tree, Command::Kill { id: half }, "Ok"))?;
    expect(&tree, Command::Ping { id: half }, "Ok: 0")?;
    let drop = time(move || {
        drop(tree);
        Ok(())
    })?;
    let (nodes, hops) = (size as f64, 2.0 * depth as f64);
    Ok([
        create / nodes,
        memory,
        exec / hops,
        ping / hops,
        pingall / nodes,
        all / nodes,
        drawing / nodes,
        beats / nodes,
        remove / nodes,
        kill / nodes,
        drop / nodes,
    ])
}

/// The nanoseconds that something takes of the processor, in all threads: what others do on the machine does not count.
fn time(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let start = processor_nanos();
    work()?;
    Ok(processor_nanos() - start)
}

fn expect(tree: &NodeTree<Dictionary>, command: Command<Dictionary>, expected: &str) -> Outcome<()> {
    let answer = tree.call(command)?.to_string();
    if answer == expected { Ok(()) } else { Err(format!("{answer}, expected {expected}").into()) }
}

fn create_all(tree: &NodeTree<Dictionary>, creates: Vec<Command<Dictionary>>) -> Outcome<()> {
    let mut creates = creates.into_iter().peekable();
    while creates.peek().is_some() {
        let tickets = tree.submit_all(creates.by_ref().take(AT_ONCE))?;
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

/// What the beats of one period cost: virtual time runs as fast as it can, in real time the processor says it.
fn heartbeat(tree: &NodeTree<Dictionary>, size: usize) -> Outcome<f64> {
    let period = Duration::from_millis((size as u64 / 25).clamp(500, 10_000));
    let beat = |period: Duration| Command::Heartbit { period_ms: period.as_millis() as u64 };
    expect(tree, beat(period), "Ok")?;
    tree.advance(period + period / 2)?;
    let before = processor_nanos();
    tree.advance(period)?;
    let cost = processor_nanos() - before;
    expect(tree, beat(Duration::ZERO), "Ok")?;
    // Every node hears of that, and not while something else is measured.
    tree.advance(Duration::from_millis(100))?;
    // Where the machine is busy with something else, nodes may be missed for a while: that is not what is measured.
    Ok(cost)
}

fn processor_nanos() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1e9 + spent.tv_nsec as f64
}

/// What of this process is in memory.
fn resident_bytes() -> Outcome<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: u64 = pages.split(' ').nth(1).ok_or("statm has a second word")?.parse()?;
    Ok(resident * rustix::param::page_size() as u64)
}
