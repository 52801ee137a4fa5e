//! A place of its own for a program: folders that must be empty in the end, and a look at what runs.

pub use crate::waiting::{pid_in, until};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::harness::{Program, command};

/// Where a program could leave something: each of these names a folder.
const VARIABLES: [&str; 8] = [
    "HOME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "WORKING_DIRECTORY",
];

pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder can be made"));
        VARIABLES.iter().for_each(|name| fs::create_dir(place.folder(name)).expect("a folder can be made"));
        place
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program in process mode, ready to be started in this place.
    pub fn program(&self, args: &[&str]) -> Command {
        self.here(command(&[&["--mode", "process"], args].concat()))
    }

    /// Lets a command run in this place.
    pub fn here(&self, mut command: Command) -> Command {
        command.envs(VARIABLES.map(|name| (name, self.folder(name))));
        command.current_dir(self.folder("WORKING_DIRECTORY"));
        command
    }

    /// Starts it, types, and gives back the pids in the first replies.
    pub fn with_nodes(&self, args: &[&str], creates: &[&str]) -> (Program, Vec<Pid>) {
        let mut program = Program::start(self.program(args));
        creates.iter().for_each(|line| program.write(format!("{line}\n")));
        let pids = creates.iter().map(|_| pid_in(&program.line().expect("a reply"))).collect();
        (program, pids)
    }

    /// What was typed at a terminal is kept, and is the only file that is.
    pub fn forget_history(&self) {
        let kept = self.folder("XDG_STATE_HOME").join("nodetree");
        fs::remove_file(kept.join("history")).expect("what was typed is kept");
        fs::remove_dir(kept).expect("nothing else is");
    }

    /// The program has ended: soon no node runs, and no file is there.
    #[track_caller]
    pub fn is_left_clean(&self) {
        let begun = Instant::now();
        until("no node runs", || nodes().is_empty());
        let took = begun.elapsed();
        let allowed = Duration::from_secs(1) + 20 * time_of_a_process();
        assert!(took < allowed, "nodes ran for {took:?} more, {allowed:?} are allowed on this machine");
        let found: Vec<_> =
            VARIABLES.iter().flat_map(|name| fs::read_dir(self.folder(name)).expect("it is there")).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// How long a process takes here to start and to end, that does nothing.
fn time_of_a_process() -> Duration {
    let begun = Instant::now();
    assert!(Command::new("true").status().expect("it starts").success());
    begun.elapsed()
}

/// The processes that run and have this among their words. (A zombie has no words.)
pub fn running(word: &str) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_word = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|it| it == word.as_bytes())
    };
    // Outside of a sandbox there are others.
    let ours = |pid: &i32| crate::sandbox::is_inside() || is_below_us(*pid);
    pids.filter(has_word).filter(ours).filter_map(Pid::from_raw).collect()
}

/// Whether this process, or one above it, is a child of ours.
fn is_below_us(mut pid: i32) -> bool {
    let us = std::process::id() as i32;
    while pid > 1 && pid != us {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    pid == us
}

/// All nodes that run.
pub fn nodes() -> Vec<Pid> {
    running("__node")
}
