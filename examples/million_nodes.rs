//! A tree of 1 000 000 nodes on threads: made, asked, changed, killed in half and dropped, with the time of each step.
//!
//! `cargo run --release --example million_nodes`; an argument is another number of nodes (a debug build makes 50 000), a
//! second one, `simulated`, another mode.

use std::error::Error;
use std::time::{Duration, Instant};

use nodetree::{Answer, Command, Dictionary, Mode, NodeTree};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Tree = NodeTree<Dictionary>;

const NODES: i64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };

/// So many commands are submitted at once.
const AT_ONCE: i64 = 8_192;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let nodes: i64 = arguments.next().map_or(Ok(NODES), |word| word.parse())?;
    let mode: Mode = arguments.next().map_or(Ok(Mode::Threads), |word| word.parse())?;
    if nodes < 8 {
        return Err("the tree wants 8 nodes at least".into());
    }
    let tree = Tree::builder()
        .mode(mode)
        .capacity(2 * AT_ONCE as usize)
        .reply_timeout(Duration::from_secs(60))
        .codec_on_each_hop(false)
        .start()?;
    println!("{nodes} nodes, {mode}; each below the one with half its number");
    let before = resident_bytes()?;
    step("create all", || create(&tree, nodes))?;
    println!("{:<34}{:>9} bytes", "memory for each node", (resident_bytes()? - before) / nodes as u64);

    step("exec to the deepest", || expect(&tree, &format!("exec {nodes} x 5"), &format!("Ok:{nodes}")))?;
    step("ping of the deepest", || expect(&tree, &format!("ping {nodes}"), "Ok: 1"))?;
    step("pingall: all are available", || expect(&tree, "pingall", "Ok: -1"))?;
    step("heartbit, and nobody is missed", || beat(&tree, nodes))?;
    step("remove 3: its children move to 1", || expect(&tree, "remove 3", "Ok"))?;
    step("what the deepest holds is there", || expect(&tree, &format!("exec {nodes} x"), &format!("Ok:{nodes}: 5")))?;
    step("kill 2, and half of all with it", || expect(&tree, "kill 2", "Ok"))?;
    step("pingall: those are down", || {
        let Answer::PingAll { down } = tree.call(Command::PingAll)? else { return Err("no list of nodes".into()) };
        let right = down.iter().copied().eq((2..=nodes).filter(|&id| is_below_2(id)));
        if right { Ok(()) } else { Err(format!("{} nodes are down, and not those below 2", down.len()).into()) }
    })?;
    step("node 7 works as before", || expect(&tree, "exec 7 y 1", "Ok:7"))?;
    step("drop", move || {
        drop(tree);
        Ok(())
    })
}

/// Does something, and says what it was and how long it took.
fn step(what: &str, work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let start = Instant::now();
    work().map_err(|error| format!("{what}: {error}"))?;
    println!("{what:<34}{:>9.3} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn expect(tree: &Tree, line: &str, expected: &str) -> Outcome<()> {
    let reply = tree.line(line)?;
    if reply == expected { Ok(()) } else { Err(format!("`{line}` was answered with `{reply}`").into()) }
}

fn create(tree: &Tree, nodes: i64) -> Outcome<()> {
    for first in (1..=nodes).step_by(AT_ONCE as usize) {
        let ids = first..=nodes.min(first + AT_ONCE - 1);
        let creates = ids.map(|id| Command::Create { id, parent: (id > 1).then_some(id / 2) });
        for ticket in tree.submit_all(creates)? {
            let answer = tree.wait(ticket)?.answer;
            if !matches!(answer, Answer::Created { .. }) {
                return Err(answer.to_string().into());
            }
        }
    }
    Ok(())
}

/// Two periods, long enough for so many nodes.
fn beat(tree: &Tree, nodes: i64) -> Outcome<()> {
    let period_ms = (nodes as u64 / 100).max(100);
    expect(tree, &format!("heartbit {period_ms}"), "Ok")?;
    tree.advance(Duration::from_millis(2 * period_ms))?;
    expect(tree, "heartbit 0", "Ok")?;
    match tree.notices().try_recv() {
        Ok(notice) => Err(notice.to_string().into()),
        Err(_) => Ok(()),
    }
}

/// The way up from a node halves its number: 2, or 3, is the last one before the top.
fn is_below_2(id: i64) -> bool {
    id >> (id.ilog2() - 1) == 2
}

/// What of this process is in memory.
fn resident_bytes() -> Outcome<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: u64 = pages.split(' ').nth(1).ok_or("statm has a second word")?.parse()?;
    Ok(resident * rustix::param::page_size() as u64)
}
