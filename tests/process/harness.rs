//! Systems of processes, what the kernel says of them, and signals.

pub use crate::waiting::{pid_in, until};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use nodetree::{CommandSet, Dictionary, Mode, NodeTree, TopologyKind};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How soon it is known that somebody is silent, where that is to be seen.
pub const SHORT: Duration = Duration::from_millis(500);

pub fn tree_of<C: CommandSet>(topology: TopologyKind, reply_timeout: Duration) -> NodeTree<C> {
    let builder = NodeTree::<C>::builder().mode(Mode::Process).node_program(env!("CARGO_BIN_EXE_nodetree"));
    builder.topology(topology).reply_timeout(reply_timeout).start().expect("a process system starts")
}

pub fn tree() -> NodeTree<Dictionary> {
    tree_of(TopologyKind::Tree, PATIENCE)
}

pub fn say<C: CommandSet>(tree: &NodeTree<C>, line: &str) -> String {
    tree.line(line).expect("every line is answered")
}

#[track_caller]
pub fn check<C: CommandSet>(tree: &NodeTree<C>, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(say(tree, line), *reply, "to {line}");
    }
}

/// All in one go; the replies in the order of the lines.
pub fn all_of<C: CommandSet>(tree: &NodeTree<C>, lines: &[&str]) -> Vec<String> {
    let tickets = tree.submit_lines(lines.iter().copied()).unwrap();
    tickets.into_iter().map(|ticket| tree.wait(ticket).unwrap().answer.to_string()).collect()
}

#[track_caller]
pub fn create<C: CommandSet>(tree: &NodeTree<C>, line: &str) -> Pid {
    pid_in(&say(tree, line))
}

pub fn strike(pid: Pid, signal: Signal) {
    kill_process(pid, signal).expect("the node is there");
}

/// The fields behind the name in `/proc/<pid>/stat`: the state, the parent, ...; none when there is no such process.
pub fn stat(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Neither running nor a zombie.
pub fn is_gone(pid: Pid) -> bool {
    stat(pid).is_none()
}

pub fn is_stopped(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| stat[0] == "T")
}

/// The program in process mode, and the pids of the nodes that were created in it.
pub fn program_with(lines: &[&str]) -> (std::process::Child, Vec<Pid>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
    let mut program = command.args(["--mode", "process"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (program.stdin.as_mut().unwrap(), BufReader::new(program.stdout.take().unwrap()));
    let mut replies = output.lines().map(Result::unwrap);
    let type_line = |line| {
        writeln!(input, "{line}").unwrap();
        replies.next().expect("a reply")
    };
    let pids = lines.iter().map(type_line).filter(|reply| reply != "Ok").map(|reply| pid_in(&reply)).collect();
    (program, pids)
}

/// A number of kilobytes in `/proc/<pid>/status`, in bytes: `VmHWM` is the most memory that it ever held.
pub fn bytes(pid: Pid, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// How many entries a folder of `/proc/<pid>` has: `fd`, `task`.
pub fn entries(pid: Pid, folder: &str) -> usize {
    fs::read_dir(format!("/proc/{}/{folder}", pid.as_raw_pid())).expect("the process runs").count()
}

/// A node as `tree` draws it.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub id: i64,
    pub parent: i64,
    /// None when it is down.
    pub pid: Option<Pid>,
}

/// The nodes of a system, parents first.
pub fn drawn<C: CommandSet>(tree: &NodeTree<C>) -> Vec<Drawn> {
    read_drawing(&say(tree, "tree"))
}

pub fn read_drawing(drawing: &str) -> Vec<Drawn> {
    let mut way = vec![-1];
    let mut nodes = Vec::new();
    for line in drawing.lines().skip(1) {
        let text = line.trim_start_matches(['├', '└', '│', '─', ' ']);
        let Some((id, rest)) = text.split_once(" (") else { continue };
        let indent = (line.chars().count() - text.chars().count()) / 4;
        let level = text.split_once(" depth ").map_or(indent, |(_, depth)| depth.parse().expect("a depth"));
        let (id, pid) = (id.parse().expect("an id"), rest.split_once(')').expect("a bracket").0);
        way.truncate(level);
        nodes.push(Drawn { id, parent: way[level - 1], pid: pid.parse().ok().and_then(Pid::from_raw) });
        way.push(id);
    }
    nodes
}

/// Those nodes and all below them.
pub fn with_below(nodes: &[Drawn], ids: &[i64]) -> BTreeSet<i64> {
    let mut all: BTreeSet<i64> = ids.iter().copied().collect();
    for node in nodes {
        if all.contains(&node.parent) {
            all.insert(node.id);
        }
    }
    all
}

/// What `pingall` says when exactly these are down.
pub fn down(ids: &BTreeSet<i64>) -> String {
    let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
    if texts.is_empty() { "Ok: -1".to_owned() } else { format!("Ok: {}", texts.join(";")) }
}

/// The one in the middle.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Numbers by chance, the same ones for the same seed (xorshift).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The processes that are nodes of this control node.
pub fn nodes_of(control: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Pid::from_raw);
    let parent = control.as_raw_pid().to_string();
    pids.filter(|&pid| stat(pid).is_some_and(|stat| stat[1] == parent)).collect()
}
