//! A node is killed from outside, as `kill -9 PID` does it, and what is not below it keeps working.

use std::time::{Duration, Instant};

use nodetree::{Dictionary, Mode, NodeTree};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A death is an event: nobody waits for a timeout to learn of it. This one is never reached.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> Outcome<()> {
    // Each node is a process that runs this same program; there this call does not return.
    nodetree::modes::process::serve_if_node::<Dictionary>();
    let tree = NodeTree::<Dictionary>::builder().mode(Mode::Process).reply_timeout(REPLY_TIMEOUT).start()?;
    let mut pids = Vec::new();
    for line in ["create 1", "create 2 1", "create 3 2", "create 4 2", "create 5 1", "create 6"] {
        pids.push(pid_in(&tree.line(line)?)?);
    }
    for id in 1..=6 {
        expect(&tree, &format!("exec {id} mine {id}"), &format!("Ok:{id}"))?;
    }
    println!("{}\n", tree.line("tree")?);

    println!("kill -9 {} (node 2, by its process)", pids[1].as_raw_pid());
    let struck = Instant::now();
    kill_process(pids[1], Signal::KILL)?;
    while tree.line("ping 2")? != "Ok: 0" {}
    let known = struck.elapsed();
    println!("known after {:.1} ms\n", known.as_secs_f64() * 1000.0);
    if known >= REPLY_TIMEOUT {
        return Err("it was known by a timeout only".into());
    }

    for id in [1, 5, 6] {
        println!(
            "node {id} has kept what it holds: {}",
            expect(&tree, &format!("exec {id} mine"), &format!("Ok:{id}: {id}"))?
        );
    }
    for id in [2, 3, 4] {
        let unavailable = format!("Error:{id}: Node is unavailable");
        println!("node {id} is gone, or below it: {}", expect(&tree, &format!("exec {id} mine"), &unavailable)?);
    }
    expect(&tree, "pingall", "Ok: 2;3;4")?;
    println!(
        "no process runs that nobody can reach: after {:.1} ms",
        gone(&pids[1..4], struck)?.as_secs_f64() * 1000.0
    );

    for line in ["create 2 1", "create 3 2", "create 4 2"] {
        pid_in(&tree.line(line)?)?;
    }
    expect(&tree, "pingall", "Ok: -1")?;
    expect(&tree, "exec 3 mine", "Ok:3: 'mine' not found")?;
    println!("\nthey come again, empty:\n{}", tree.line("tree")?);
    Ok(())
}

fn pid_in(reply: &str) -> Outcome<Pid> {
    let pid = reply.strip_prefix("Ok: ").ok_or_else(|| format!("no node was created: {reply}"))?;
    Ok(Pid::from_raw(pid.parse()?).ok_or("a pid is not 0")?)
}

fn expect(tree: &NodeTree<Dictionary>, line: &str, expected: &str) -> Outcome<String> {
    let reply = tree.line(line)?;
    if reply == expected { Ok(reply) } else { Err(format!("{line}: {reply:?}, expected {expected:?}").into()) }
}

/// How long it took from the blow until the last of these processes had been reaped.
fn gone(pids: &[Pid], struck: Instant) -> Outcome<Duration> {
    while pids.iter().any(|&pid| test_kill_process(pid).is_ok()) {
        if struck.elapsed() > REPLY_TIMEOUT {
            return Err("a process below the dead node still runs".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(struck.elapsed())
}
