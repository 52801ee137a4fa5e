//! Signals to the control node, to its whole group, and from a terminal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::{Program, command};
use crate::place::{Place, until};
use crate::sandbox::{self, sandboxed};

const CREATES: [&str; 3] = ["create 1", "create 2 1", "create 3"];

/// Covers F22: each of the signals, with nodes that answer and one that is stopped.
#[test]
fn every_signal_drains_and_leaves_nothing() {
    sandboxed!({
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let place = Place::new();
            let (mut program, _) = place.with_nodes(&[], &CREATES);
            program.write("pause 2\nexec 1 x 1\nexec 3 x 1\n");
            let mut replies: Vec<_> = (0..3).map(|_| program.line().unwrap()).collect();
            replies.sort_unstable();
            assert_eq!(replies, ["Ok", "Ok:1", "Ok:3"]);
            program.signal(signal);
            let ended = program.end();
            assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""), "{signal:?}");
            place.is_left_clean();
        }
    });
}

/// Starts it in a group of its own, as a shell does with what runs in the foreground; strikes the whole group.
fn in_a_group(place: &Place, args: &[&str]) -> (Program, impl Fn(Signal)) {
    let mut command = place.program(args);
    command.process_group(0);
    let program = Program::start(command);
    let mut group = None;
    until("it runs", || {
        group = crate::place::running("process").first().copied();
        group.is_some()
    });
    let group: Pid = group.expect("it runs");
    (program, move |signal| kill_process_group(group, signal).expect("the group is there"))
}

/// Covers F22: as Ctrl-C does. The nodes are not struck, so what they can answer is answered, and the rest after 5 s.
#[test]
fn a_signal_to_the_whole_group_drains() {
    sandboxed!({
        let place = Place::new();
        let (mut program, strike) = in_a_group(&place, &["--reply-timeout", "60s"]);
        program.write(CREATES.join("\n") + "\npause 2\nheartbit 100\n");
        let mut replies: Vec<_> = (0..5).map(|_| program.line().unwrap()).collect();
        replies.retain(|reply| reply != "Ok");
        assert_eq!(replies.len(), 3);
        program.write("exec 2 x\nping 2\nexec 1 x\n");
        // Who is reported was asked before; and what was typed before the answer was read before, too.
        assert_eq!(program.line().as_deref(), Some("Ok:1: 'x' not found"));
        let begun = Instant::now();
        strike(Signal::INT);
        let ended = program.end();
        assert!(begun.elapsed() >= Duration::from_millis(4900), "{:?}", begun.elapsed());
        let mut lines = ended.lines();
        lines.retain(|line| !line.starts_with("Heartbit"));
        lines.sort_unstable();
        assert_eq!((ended.code, lines), (Some(0), vec!["Error:2: Node is unavailable", "Ok: 0"]));
        place.is_left_clean();
    });
}

/// Covers F22: the second one ends at once, and leaves nothing either.
#[test]
fn a_second_signal_leaves_nothing() {
    sandboxed!({
        let place = Place::new();
        let (mut program, strike) = in_a_group(&place, &["-vv", "--reply-timeout", "60s"]);
        program.write("create 1\npause 1\nwait\nexec 1 x\nwait 86400000\n");
        (0..3).for_each(|_| drop(program.line()));
        // An alarm in front of it would have it not read at all.
        program.error_line("wait 86400000");
        strike(Signal::INT);
        assert_eq!(program.line().as_deref(), Some("Error: Interrupted"));
        strike(Signal::TERM);
        assert_eq!(program.end().code, Some(130));
        place.is_left_clean();
    });
}

/// Whether whoever has started us lets us ignore it, as a shell does with what it starts in the background.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("this process is there");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("it says what is ignored");
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
    mask & (1 << (signal.as_raw() - 1)) != 0
}

/// Covers F22: SIGQUIT is not for us. It ends the control node as it ends any program, and the nodes end with it.
#[test]
fn sigquit_leaves_nothing() {
    sandboxed!({
        if is_ignored(Signal::QUIT) {
            return sandbox::skip("F22", "SIGQUIT is ignored here, and so by all that is started");
        }
        // No core file.
        setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) }).unwrap();
        let place = Place::new();
        let (mut program, strike) = in_a_group(&place, &[]);
        program.write(CREATES.join("\n") + "\n");
        (0..3).for_each(|_| drop(program.line()));
        strike(Signal::QUIT);
        assert_eq!(program.end().code, None);
        place.is_left_clean();
    });
}

/// A program at a terminal of its own.
struct Terminal {
    ours: File,
    child: std::process::Child,
    shown: String,
}

impl Terminal {
    fn new(place: &Place) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there are terminals");
        grantpt(&ours).expect("it is ours");
        unlockpt(&ours).expect("it is ours");
        let name = ptsname(&ours, Vec::new()).expect("it has a name").into_string().expect("of letters");
        let theirs = || Stdio::from(File::options().read(true).write(true).open(&name).expect("it can be opened"));
        let program = command(&["--mode", "process"]);
        let mut setsid = Command::new("setsid");
        // A session of its own, whose terminal this is.
        setsid.args(["--ctty", "--wait"]).arg(program.get_program()).args(program.get_args());
        setsid.stdin(theirs()).stdout(theirs()).stderr(theirs());
        let child = place.here(setsid).spawn().expect("setsid is part of the system");
        Self { ours: File::from(ours), child, shown: String::new() }
    }

    fn types(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).expect("it is open");
    }

    /// Reads until this is shown.
    fn shows(&mut self, what: &str, times: usize) {
        let mut buffer = [0; 4096];
        while self.shown.matches(what).count() < times {
            let length = self.ours.read(&mut buffer).unwrap_or(0);
            assert!(length > 0, "it ended: {}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }
}

/// Covers F22: at a terminal Ctrl-C clears the line and Ctrl-D ends; and a terminal that is closed (SIGHUP). Ctrl-C as a
/// signal comes to the whole group: see above.
#[test]
fn ctrl_c_at_a_terminal_and_its_end_leave_nothing() {
    sandboxed!({
        for closes in [false, true] {
            let place = Place::new();
            let mut terminal = Terminal::new(&place);
            terminal.types("create 1\ncreate 2 1\nexec 2 x 5\nexec 2 x\n");
            terminal.shows("Ok:2: 5", 1);
            terminal.shows("> ", 1);
            if !closes {
                // The line is given up, and there is a new one with a prompt.
                terminal.shown.clear();
                terminal.types("kill 1\x03");
                terminal.shows("\n\x1b[?2004h", 1);
            }
            let Terminal { mut ours, mut child, .. } = terminal;
            if closes {
                drop(ours);
                // Nothing can be printed any more, so it may also be the output that has failed.
                let status = child.wait().unwrap();
                assert!(matches!(status.code(), Some(0 | 1)) && status.signal().is_none(), "{status:?}");
            } else {
                ours.write_all(b"\x04").unwrap();
                assert_eq!(child.wait().unwrap().code(), Some(0));
            }
            place.forget_history();
            place.is_left_clean();
        }
    });
}
