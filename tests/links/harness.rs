//! A system of processes in which some nodes are rogues, and the log of its control node.

use crate::waiting::pid_in;
pub use crate::waiting::until;
use std::fs;
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use nodetree::{Dictionary, Mode, NodeTree, TopologyKind};
use rustix::process::Pid;

/// Longer than anything here takes on a busy machine; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub type Tree = NodeTree<Dictionary>;

/// The id of a node that does this; see `rogue_node.rs`.
pub fn rogue(deed: i64, detail: usize) -> i64 {
    -(1000 + 100_000 * deed + detail as i64)
}

pub fn system(topology: TopologyKind, reply_timeout: Duration) -> Tree {
    listen();
    let builder = Tree::builder().mode(Mode::Process).node_program(env!("CARGO_BIN_EXE_rogue-node"));
    builder.topology(topology).reply_timeout(reply_timeout).start().expect("a process system starts")
}

pub fn say(tree: &Tree, line: &str) -> String {
    tree.line(line).expect("every line is answered")
}

#[track_caller]
pub fn check(tree: &Tree, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(say(tree, line), *reply, "to {line}");
    }
}

#[track_caller]
pub fn create(tree: &Tree, line: &str) -> Pid {
    pid_in(&say(tree, line))
}

/// Neither running nor a zombie.
pub fn is_gone(pid: Pid) -> bool {
    !fs::exists(format!("/proc/{}", pid.as_raw_pid())).expect("/proc can be read")
}

/// The most memory that a process has ever held.
pub fn peak_mib(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kilobytes") / 1024
}

pub fn descriptors(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pid.as_raw_pid())).expect("it runs").count()
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on the log of the control node, which is in this process, is kept.
fn listen() {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log);
    // Without a sandbox the tests share a process, and another one may have done it.
    let _ = subscriber.try_init();
}

/// What the control node has logged since it was asked last.
pub fn logged() -> String {
    let bytes = std::mem::take(&mut *LOG.lock().expect("nobody panics with it"));
    String::from_utf8(bytes).expect("a log is text")
}
