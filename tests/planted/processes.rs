//! Bugs that only processes show: in their descriptors, and in what is left of them.

use std::collections::BTreeSet;
use std::fs;

use nodetree::planted::Bug;
use nodetree::testing::oracle::{Commands, Topology};
use nodetree::testing::runner::{Setup, builder};
use nodetree::testing::script::{Script, Step};
use nodetree::{Dictionary, NodeTree};
use proptest::prelude::Just;
use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::sandboxed;
use crate::{Hunt, lines};

fn hunt(bug: Bug, at_most: usize, check: fn(&(u64, Script)) -> Result<(), String>) -> Hunt<'static, (u64, Script)> {
    Hunt { bug, by: "a look at processes", steps: lines, at_most, shrinks: 0, check }
}

fn of_lines(lines: &[&str]) -> Just<(u64, Script)> {
    let steps = lines.iter().map(|line| Step { text: (*line).to_owned() }).collect();
    Just((0, Script { topology: Topology::Tree, commands: Commands::Dictionary, steps, one_write: false }))
}

/// Types the lines; the system, and the pids of the nodes that were created.
fn typed(script: &Script) -> Result<(NodeTree<Dictionary>, Vec<u32>), String> {
    let setup = Setup::process(env!("CARGO_BIN_EXE_nodetree"));
    let tree = builder::<Dictionary>(&setup, script.topology).start().map_err(|error| error.to_string())?;
    let reply = |step: &Step| tree.line(&step.text).map_err(|error| error.to_string());
    let replies: Vec<String> = script.steps.iter().map(reply).collect::<Result<_, _>>()?;
    let creates = script.steps.iter().zip(&replies).filter(|(step, _)| step.text.starts_with("create"));
    let pids = creates.filter_map(|(_, reply)| reply.strip_prefix("Ok: ")?.parse().ok()).collect();
    Ok((tree, pids))
}

/// Each end of a link is in one process alone.
fn each_end_is_in_one_process((_, script): &(u64, Script)) -> Result<(), String> {
    let (_tree, pids) = typed(script)?;
    let mut seen = BTreeSet::new();
    for pid in pids.into_iter().chain([std::process::id()]) {
        let folder = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|error| error.to_string())?;
        let targets = folder.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        for socket in targets.filter(|target| target.to_string_lossy().starts_with("socket:")) {
            if !seen.insert(socket.clone()) {
                return Err(format!("{} is held twice, by {pid} as well", socket.display()));
            }
        }
    }
    Ok(())
}

/// When a system has ended none of its processes is left, not even as a zombie.
fn nobody_is_left((_, script): &(u64, Script)) -> Result<(), String> {
    let (tree, pids) = typed(script)?;
    for pid in pids.iter().filter_map(|&pid| Pid::from_raw(pid.cast_signed())) {
        kill_process(pid, Signal::KILL).map_err(|error| error.to_string())?;
    }
    // Its parent sees the end of its link.
    while !pids.is_empty() && tree.line("ping 1").is_ok_and(|reply| reply == "Ok: 1") {}
    drop(tree);
    let left = pids.into_iter().find_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    left.map_or(Ok(()), |stat| Err(format!("left behind: {stat}")))
}

#[test]
fn descriptors_that_are_inherited() {
    sandboxed!({
        let values = of_lines(&["create 1", "create 2 1", "exec 2 x 1", "create 3", "pingall"]);
        hunt(Bug::CloseOnExecMissing, 1, each_end_is_in_one_process).is_successful_with(values);
    });
}

#[test]
fn a_zombie() {
    sandboxed!({
        let values = of_lines(&["create 1", "exec 1 x 1", "ping 1", "pingall"]);
        hunt(Bug::ZombieNotReaped, 1, nobody_is_left).is_successful_with(values);
    });
}
