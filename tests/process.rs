//! The process mode: nodes that are real processes, struck from outside with real signals.
#![cfg(target_os = "linux")]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use nodetree::testing::oracle::{Action, Commands};
use nodetree::testing::runner::kind;
use nodetree::testing::transcript::{Driver, Transcript};
use nodetree::{CommandSet, Dictionary, Mode, NodeTree, Notice, Reply, Sum, Ticket, Timer, TopologyKind};
use rustix::process::{Pid, Signal, getpid, kill_process};

/// Longer than anything here takes on a busy machine; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon it is known that somebody is silent, where that is to be seen.
const SHORT: Duration = Duration::from_millis(500);

fn tree_of<C: CommandSet>(topology: TopologyKind, reply_timeout: Duration) -> NodeTree<C> {
    let builder = NodeTree::<C>::builder().mode(Mode::Process).node_program(env!("CARGO_BIN_EXE_nodetree"));
    builder.topology(topology).reply_timeout(reply_timeout).start().expect("a process system starts")
}

fn tree() -> NodeTree<Dictionary> {
    tree_of(TopologyKind::Tree, PATIENCE)
}

fn say<C: CommandSet>(tree: &NodeTree<C>, line: &str) -> String {
    tree.line(line).expect("every line is answered")
}

#[track_caller]
fn check<C: CommandSet>(tree: &NodeTree<C>, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(say(tree, line), *reply, "to {line}");
    }
}

fn pid_in(reply: &str) -> Pid {
    let pid = reply.strip_prefix("Ok: ").and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    pid.unwrap_or_else(|| panic!("{reply:?} holds no pid"))
}

#[track_caller]
fn create<C: CommandSet>(tree: &NodeTree<C>, line: &str) -> Pid {
    pid_in(&say(tree, line))
}

fn strike(pid: Pid, signal: Signal) {
    kill_process(pid, signal).expect("the node is there");
}

/// The fields behind the name in `/proc/<pid>/stat`: the state, the parent, ...; none when there is no such process.
fn stat(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Neither running nor a zombie.
fn is_gone(pid: Pid) -> bool {
    stat(pid).is_none()
}

fn is_stopped(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| stat[0] == "T")
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn nodes_are_processes_of_their_own() {
    let tree = tree();
    let pids = [create(&tree, "create 10"), create(&tree, "create -7 10"), create(&tree, "create 12 -7")];
    check(
        &tree,
        &[
            ("exec 12 MyVar 5", "Ok:12"),
            ("exec 12 MyVar", "Ok:12: 5"),
            ("exec -7 MyVar", "Ok:-7: 'MyVar' not found"),
            ("ping 12", "Ok: 1"),
            ("pingall", "Ok: -1"),
            ("create 12 10", "Error: Already exists"),
        ],
    );
    for (pid, id) in pids.iter().zip(["10", "-7", "12"]) {
        let of = |what: &str| format!("/proc/{}/{what}", pid.as_raw_pid());
        let arguments = fs::read_to_string(of("cmdline")).unwrap();
        assert_eq!(arguments.split('\0').skip(1).collect::<Vec<_>>(), ["__node", id, "dictionary", ""]);
        assert_eq!(stat(*pid).unwrap()[1], getpid().as_raw_pid().to_string(), "flat in the operating system");
        for standard in ["fd/0", "fd/1"] {
            assert_eq!(fs::read_link(of(standard)).unwrap().to_str(), Some("/dev/null"));
        }
    }
    assert!(Command::new("true").status().unwrap().success(), "children that are no nodes are left to who has them");
}

#[test]
fn kill_nine_from_outside_takes_what_is_below_and_nothing_else() {
    let tree = tree();
    for line in ["create 1", "create 4 1", "create 5"] {
        create(&tree, line);
    }
    let (middle, below) = (create(&tree, "create 2 1"), create(&tree, "create 3 2"));
    check(&tree, &[("exec 4 a 4", "Ok:4"), ("exec 5 a 5", "Ok:5"), ("exec 3 a 3", "Ok:3")]);
    strike(middle, Signal::KILL);
    until("both are reaped", || is_gone(middle) && is_gone(below));
    check(
        &tree,
        &[
            ("ping 2", "Ok: 0"),
            ("ping 3", "Ok: 0"),
            ("exec 3 a", "Error:3: Node is unavailable"),
            ("create 9 3", "Error: Parent is unavailable"),
            ("ping 1", "Ok: 1"),
            ("exec 4 a", "Ok:4: 4"),
            ("exec 5 a", "Ok:5: 5"),
            ("pingall", "Ok: 2;3"),
        ],
    );
    assert_ne!(create(&tree, "create 2 1"), middle);
    create(&tree, "create 3 2");
    check(&tree, &[("exec 3 a", "Ok:3: 'a' not found"), ("pingall", "Ok: -1")]);
}

#[test]
fn what_is_under_way_at_a_death_is_answered() {
    let tree = tree();
    create(&tree, "create 1");
    let pid = create(&tree, "create 2 1");
    strike(pid, Signal::STOP);
    let tickets = tree.submit_lines(["exec 2 a 1", "ping 2", "exec 1 a 1", "exec 2 a"]).unwrap();
    assert_eq!(tree.wait(tickets[2]).unwrap().answer.to_string(), "Ok:1");
    strike(pid, Signal::KILL);
    let answers = tickets.iter().filter(|&&it| it != tickets[2]).map(|it| tree.wait(*it).unwrap().answer.to_string());
    let unavailable = "Error:2: Node is unavailable";
    assert_eq!(answers.collect::<Vec<_>>(), [unavailable, "Ok: 0", unavailable]);
}

#[test]
fn a_paused_node_is_silent_and_goes_on_where_it_was() {
    let tree = tree_of::<Dictionary>(TopologyKind::Tree, SHORT);
    create(&tree, "create 1");
    let pid = create(&tree, "create 2 1");
    create(&tree, "create 3 2");
    check(&tree, &[("exec 3 a 3", "Ok:3"), ("pause 2", "Ok"), ("pause 2", "Ok")]);
    assert!(is_stopped(pid));
    check(
        &tree,
        &[
            ("ping 3", "Ok: 0"),
            ("ping 1", "Ok: 1"),
            ("pingall", "Ok: 2;3"),
            ("exec 3 a", "Error:3: Node is unavailable"),
        ],
    );
    check(&tree, &[("resume 2", "Ok"), ("resume 2", "Ok")]);
    assert!(!is_stopped(pid));
    check(&tree, &[("ping 3", "Ok: 1"), ("exec 3 a", "Ok:3: 3"), ("pingall", "Ok: -1")]);
}

#[test]
fn a_signal_from_outside_is_seen_and_can_be_undone() {
    let tree = tree_of::<Dictionary>(TopologyKind::Tree, SHORT);
    let pid = create(&tree, "create 1");
    strike(pid, Signal::STOP);
    until("it is stopped", || is_stopped(pid));
    check(&tree, &[("ping 1", "Ok: 0"), ("resume 1", "Ok"), ("ping 1", "Ok: 1"), ("pause 1", "Ok")]);
    strike(pid, Signal::CONT);
    until("it answers", || say(&tree, "ping 1") == "Ok: 1");
}

#[test]
fn pauses_and_resumes_in_one_go_are_all_answered() {
    let tree = tree();
    let pid = create(&tree, "create 1");
    let lines = (0..100).map(|number| if number % 2 == 0 { "pause 1" } else { "resume 1" });
    let tickets = tree.submit_lines(lines).unwrap();
    for ticket in tickets {
        assert_eq!(tree.wait(ticket).unwrap().answer.to_string(), "Ok");
    }
    check(&tree, &[("ping 1", "Ok: 1"), ("exec 1 a 1", "Ok:1")]);
    // The last of the signals may still be on its way when the last answer comes.
    until("it goes on", || !is_stopped(pid));
}

#[test]
fn a_stopped_child_does_not_stop_its_parent_and_loses_nothing() {
    let tree = tree();
    create(&tree, "create 1");
    create(&tree, "create 2 1");
    check(&tree, &[("pause 2", "Ok")]);
    let lines: Vec<String> = (0..3000).map(|value| format!("exec 2 name{value} {value}")).collect();
    let tickets = tree.submit_lines(lines.iter().map(String::as_str)).unwrap();
    check(&tree, &[("exec 1 a 1", "Ok:1"), ("ping 1", "Ok: 1"), ("resume 2", "Ok")]);
    for ticket in tickets {
        assert_eq!(tree.wait(ticket).unwrap().answer.to_string(), "Ok:2");
    }
    check(&tree, &[("exec 2 name2999", "Ok:2: 2999"), ("exec 2 name0", "Ok:2: 0")]);
}

#[test]
fn remove_keeps_what_is_below_in_every_topology() {
    for topology in TopologyKind::ALL {
        let tree = tree_of::<Dictionary>(topology, PATIENCE);
        let ids = [50, 20, 70, 10, 30, 60, 80];
        let parent = |at: usize| {
            if topology == TopologyKind::List { [50, 50, 20, 70, 10, 30, 60][at] } else { ids[(at - 1) / 2] }
        };
        let mut pids = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            let line = if at == 0 { format!("create {id}") } else { format!("create {id} {}", parent(at)) };
            pids.push(create(&tree, &line));
            check(&tree, &[(&format!("exec {id} mine {id}"), &format!("Ok:{id}"))]);
        }
        for (removed, pid) in [(20, pids[1]), (50, pids[0])] {
            check(&tree, &[(&format!("remove {removed}"), "Ok"), ("pingall", "Ok: -1")]);
            assert!(is_gone(pid), "{topology}: {removed}");
        }
        for id in [70, 10, 30, 60, 80] {
            check(&tree, &[(&format!("exec {id} mine"), &format!("Ok:{id}: {id}"))]);
        }
        check(&tree, &[("exec 20 mine", "Error:20: Not found"), ("all", "Ok: 10 30 60 70 80")]);
    }
}

#[test]
fn dropping_the_system_leaves_no_process() {
    let tree = tree();
    let pids: Vec<Pid> =
        (1..=8).map(|id| create(&tree, &format!("create {id} {}", if id == 1 { -1 } else { id / 2 }))).collect();
    check(&tree, &[("pause 3", "Ok")]);
    strike(pids[3], Signal::STOP);
    // Some are on their way while the system ends. No other system has their ids: they are looked for by them.
    let late = [0, 1].map(|nth| 2 * i64::from(std::process::id()) + 1_000_000 + nth);
    let creates = late.map(|id| format!("create {id}"));
    tree.submit_lines([creates[0].as_str(), creates[1].as_str(), "exec 6 a 1"]).unwrap();
    drop(tree);
    assert!(pids.into_iter().all(is_gone));
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = |pid: &Pid| {
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        late.iter().any(|id| arguments.contains(&format!("__node\0{id}\0")))
    };
    assert!(children.filter_map(Pid::from_raw).find(ours).is_none());
}

#[test]
fn a_program_that_is_no_node_is_an_error_of_create() {
    for (program, expected) in
        [("/bin/true", "exit code 0"), ("/bin/false", "exit code 1"), ("/nowhere/node", "No such file")]
    {
        let builder = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(program);
        let tree = builder.start().unwrap();
        let reply = say(&tree, "create 1");
        assert!(reply.starts_with("Error: ") && reply.contains(expected), "{program}: {reply}");
        check(&tree, &[("ping 1", "Error: Not found"), ("pingall", "Ok: -1")]);
    }
}

/// The program in process mode, and the pids of the nodes that were created in it.
fn program_with(lines: &[&str]) -> (std::process::Child, Vec<Pid>) {
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

#[test]
fn no_node_outlives_a_control_node_that_is_killed() {
    let (mut program, pids) = program_with(&["create 1", "create 2 1", "create 3 2", "create 4", "pause 3"]);
    assert_eq!(pids.len(), 4);
    assert!(is_stopped(pids[2]));
    program.kill().unwrap();
    program.wait().unwrap();
    until("all nodes are gone", || {
        pids.iter().all(|&pid| is_gone(pid) || stat(pid).is_some_and(|stat| stat[0] == "Z"))
    });
}

#[test]
fn descriptors_are_one_per_node_and_one_more_at_the_top() {
    let count = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let (mut few, first) = program_with(&["create 1", "wait"]);
    let lines: Vec<String> = (2..=20).map(|id| format!("create {id} {}", id / 2)).collect();
    let all = ["create 1"].into_iter().chain(lines.iter().map(String::as_str)).chain(["wait"]).collect::<Vec<_>>();
    let (mut many, nodes) = program_with(&all);
    assert_eq!(count(many.id()) - count(few.id()), 19);
    // A leaf, and one with two children.
    let of = |pid: Pid| count(pid.as_raw_pid().unsigned_abs());
    assert_eq!(of(nodes[15]), of(first[0]));
    assert_eq!(of(nodes[1]), of(first[0]) + 2);
    for program in [&mut few, &mut many] {
        program.stdin = None;
        assert!(program.wait().unwrap().success());
    }
}

/// Holds a dialogue with the library; what comes from outside comes as signals.
struct Library<C: CommandSet> {
    tree: NodeTree<C>,
    replies: Receiver<Reply<C>>,
    notices: Receiver<Notice>,
    typed: VecDeque<Ticket>,
}

impl<C: CommandSet> Library<C> {
    fn hold(transcript: &Transcript) -> Result<(), String> {
        let reply_timeout = Duration::from_millis(transcript.reply_timeout_ms.unwrap_or(5000));
        let tree = tree_of::<C>(kind(transcript.topology), reply_timeout);
        let (replies, notices) = (tree.replies().unwrap(), tree.notices());
        let mut library = Self { tree, replies, notices, typed: VecDeque::new() };
        transcript.run(&mut library).map_err(|mismatch| mismatch.to_string())
    }

    fn pid_of(&self, id: i64) -> Pid {
        let drawing = say(&self.tree, "tree");
        let nodes = drawing.lines().map(|line| line.trim_start_matches(['├', '└', '│', '─', ' ']));
        let node = format!("{id} (");
        let mut pids = nodes.filter_map(|it| it.strip_prefix(&node)?.strip_suffix(')')?.parse().ok());
        pids.next().and_then(Pid::from_raw).expect("the node has a process")
    }
}

impl<C: CommandSet> Driver for Library<C> {
    fn type_line(&mut self, line: &str) {
        if line == "exit" {
            return; // The system ends with the dialogue.
        }
        self.typed.push_back(self.tree.submit_line(line).unwrap());
    }

    fn type_all(&mut self, lines: &[&str]) {
        self.typed.extend(self.tree.submit_lines(lines.iter().copied()).unwrap());
    }

    fn next_reply(&mut self) -> Option<String> {
        self.replies.recv_timeout(PATIENCE).ok().map(|reply| reply.answer.to_string())
    }

    fn next_notice(&mut self) -> Option<String> {
        self.notices.recv_timeout(PATIENCE).ok().map(|notice| notice.to_string())
    }

    fn pending_notices(&mut self) -> Vec<String> {
        self.notices.try_iter().map(|notice| notice.to_string()).collect()
    }

    fn pending_replies(&mut self) -> Vec<String> {
        self.replies.try_iter().map(|reply| reply.answer.to_string()).collect()
    }

    fn outside(&mut self, action: Action, id: i64) {
        let pid = self.pid_of(id);
        match action {
            Action::Kill => strike(pid, Signal::KILL),
            Action::Stop => {
                strike(pid, Signal::STOP);
                until("it is stopped", || is_stopped(pid));
            }
            Action::Continue => strike(pid, Signal::CONT),
        }
    }

    fn is_virtual_time(&self) -> bool {
        false
    }
}

/// Most of a dialogue is waiting, so they are all held at once.
#[test]
fn every_dialogue_comes_out_as_written() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let transcripts: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect();
    assert!(transcripts.len() >= 8);
    thread::scope(|scope| {
        for path in &transcripts {
            scope.spawn(move || {
                let transcript = Transcript::parse(&fs::read_to_string(path).unwrap()).unwrap();
                let outcome = match transcript.commands {
                    Commands::Sum => Library::<Sum>::hold(&transcript),
                    Commands::Dictionary => Library::<Dictionary>::hold(&transcript),
                    Commands::Timer => Library::<Timer>::hold(&transcript),
                    // Its requests are several lines: for the program, not for this driver.
                    Commands::Search => Ok(()),
                };
                assert_eq!(outcome, Ok(()), "{}", path.display());
            });
        }
    });
}
