//! What the machine refuses: processes, descriptors, memory, and programs that are no nodes. One create fails with a
//! clear reply, everything else goes on, nothing half-made remains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nodetree::{Dictionary, Mode, NodeTree};
use rustix::process::{Pid, Resource, Rlimit, Signal, getuid, prlimit};

use crate::harness::{all_of, check, create, is_gone, pid_in, say, strike, tree, until};
use crate::program::Program;
use crate::sandbox::{self, sandboxed};

const NODETREE: &str = env!("CARGO_BIN_EXE_nodetree");

fn limit(pid: Pid, resource: Resource, to: u64) {
    let limits = Rlimit { current: Some(to), maximum: Some(to) };
    prlimit(Some(pid), resource, limits).expect("a limit can be lowered");
}

fn ask(program: &mut Program, line: &str) -> String {
    program.write(format!("{line}\n"));
    program.line().expect("every line is answered")
}

/// Creates roots from this id on until one is refused; the reply to that, and how many there are.
fn create_until_refused(program: &mut Program, from: i64) -> (String, usize) {
    for id in from..from + 200 {
        let reply = ask(program, &format!("create {id}"));
        if !reply.starts_with("Ok: ") {
            assert!(reply.starts_with("Error: ") && reply.len() > 7, "{reply}");
            assert_eq!(ask(program, &format!("ping {id}")), "Error: Not found", "nothing half-made");
            return (reply, (id - from) as usize);
        }
    }
    panic!("200 nodes, and no limit was met");
}

/// The program as a user of its own, whose number of processes is limited; `None` where that cannot be done.
fn as_limited_user(processes: u64) -> Option<Command> {
    let mut command = Command::new("setpriv");
    let words = ["--reuid=61437", "--regid=61437", "--clear-groups"];
    command.args(words).arg("prlimit").arg(format!("--nproc={processes}:100"));
    let reaches = Command::new("setpriv").args(words).args(["test", "-x", NODETREE]).status();
    (getuid().is_root() && reaches.is_ok_and(|status| status.success())).then_some(command)
}

/// F13: the user may have no more processes. Needs root, to become a user of its own.
#[test]
fn no_process_left_is_an_error_of_create() {
    sandboxed!({
        let Some(mut command) = as_limited_user(24) else {
            return sandbox::skip("F13", "this user cannot become one whose processes are counted apart");
        };
        command.args([NODETREE, "--mode", "process"]);
        let mut program = Program::start({
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        });
        let (reply, created) = create_until_refused(&mut program, 1);
        assert!(created >= 3, "{created}");
        assert!(reply.contains("unavailable") || reply.contains("os error 11"), "{reply}");
        for _ in 0..20 {
            assert!(ask(&mut program, "create 1000 1").starts_with("Error: "), "again and again");
        }
        assert_eq!(ask(&mut program, "pingall"), "Ok: -1");
        for id in 1..=created {
            assert_eq!(ask(&mut program, &format!("exec {id} a {id}")), format!("Ok:{id}"));
        }
        // Where one goes there is room for one.
        assert_eq!(ask(&mut program, "remove 2"), "Ok");
        let pid = pid_in(&ask(&mut program, "create 1000 1"));
        assert_eq!(ask(&mut program, "exec 1000 a 5"), "Ok:1000");
        let ended = program.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
        until("the last node is gone", || is_gone(pid));
    });
}

/// F14: every limit from too few to start to enough for some nodes. About 10 s.
#[test]
fn no_descriptor_left_is_an_error_of_create() {
    sandboxed!({
        let (mut refused, mut started) = (Vec::new(), Vec::new());
        for descriptors in 4..=44 {
            let with_few = || {
                let mut command = Command::new("prlimit");
                command.args([&format!("--nofile={descriptors}"), NODETREE, "--mode", "process"]);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                Program::start(command)
            };
            let mut program = with_few();
            program.write_behind(b"create 1\n".to_vec());
            if program.line().is_some() {
                assert_eq!(program.end().code, Some(0), "{descriptors}");
                started.push(descriptors);
                live_with_few_descriptors(with_few(), descriptors);
            } else {
                let ended = program.end();
                assert_ne!(ended.code, Some(0), "{descriptors}");
                assert!(!ended.stderr.is_empty() && !ended.stderr.contains("panicked"), "{descriptors}: {ended:?}");
                refused.push(descriptors);
            }
        }
        eprintln!("with {refused:?} descriptors it does not start, with {started:?} it does");
        assert!(!started.is_empty() && refused.iter().max() < started.iter().max());
    });
}

fn live_with_few_descriptors(mut program: Program, descriptors: i32) {
    let first = ask(&mut program, "create 1");
    if !first.starts_with("Ok: ") {
        assert!(first.starts_with("Error: ") && first.len() > 7, "{descriptors}: {first}");
        assert_eq!(ask(&mut program, "ping 1"), "Error: Not found");
        assert_eq!(ask(&mut program, "pingall"), "Ok: -1");
        assert_eq!(program.end().code, Some(0), "{descriptors}");
        return;
    }
    let (_, created) = create_until_refused(&mut program, 2);
    for id in 1..=created + 1 {
        assert_eq!(ask(&mut program, &format!("exec {id} a {id}")), format!("Ok:{id}"), "{descriptors}");
    }
    assert_eq!(ask(&mut program, "pingall"), "Ok: -1");
    assert_eq!(ask(&mut program, "kill 1"), "Ok");
    if created == 0 {
        return assert_eq!(program.end().code, Some(0), "{descriptors}"); // The first one takes one less to start.
    }
    // Its descriptors are closed a moment after its end.
    until("there is room for one", || ask(&mut program, "create 1").starts_with("Ok: "));
    assert_eq!(ask(&mut program, "exec 1 a"), "Ok:1: 'a' not found");
    assert_eq!(program.end().code, Some(0), "{descriptors}");
}

fn lowest_free_descriptor(pid: Pid) -> u64 {
    let is_free = |number: &u64| fs::read_link(format!("/proc/{}/fd/{number}", pid.as_raw_pid())).is_err();
    (0..).find(is_free).expect("there are more numbers than descriptors")
}

/// F14: the parent, not the control node, has no descriptor left for one more child.
#[test]
fn a_parent_without_descriptors_refuses_a_child_and_lives() {
    sandboxed!({
        let tree = tree();
        let pid = create(&tree, "create 1");
        create(&tree, "create 2 1");
        check(&tree, &[("exec 1 a 1", "Ok:1"), ("exec 2 a 2", "Ok:2")]);
        limit(pid, Resource::Nofile, lowest_free_descriptor(pid));
        for _ in 0..3 {
            let reply = say(&tree, "create 3 1");
            assert!(reply.starts_with("Error: ") && reply.len() > 7, "{reply}");
            check(&tree, &[("ping 3", "Error: Not found"), ("pingall", "Ok: -1")]);
            check(&tree, &[("exec 1 a", "Ok:1: 1"), ("exec 2 a", "Ok:2: 2"), ("all", "Ok: 1 2")]);
        }
        create(&tree, "create 3");
        check(&tree, &[("remove 2", "Ok")]);
        create(&tree, "create 4 1");
        check(&tree, &[("pingall", "Ok: -1"), ("exec 1 a", "Ok:1: 1")]);
    });
}

/// A file that is a node's program, or looks like one.
fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn tree_with(program: &Path) -> NodeTree<Dictionary> {
    NodeTree::builder().mode(Mode::Process).node_program(program).start().expect("a process system starts")
}

/// F15: whatever is wrong with the program of the nodes, it is an error of each create, at most 10 s later.
#[test]
fn a_program_that_cannot_be_a_node_is_an_error_of_create() {
    sandboxed!({
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| script(directory.path(), name, text);
        let plain = file("plain", "#!/bin/sh\nexit 0\n");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
        let truncated = file("truncated", "");
        let whole = fs::read(NODETREE).unwrap();
        fs::write(&truncated, &whole[..1 << 16]).unwrap();
        let empty = file("empty", "");
        // A frame of 8 bytes: the version of the format, a string of 6 bytes.
        let other = file("other", "#!/bin/sh\nprintf '\\000\\000\\000\\010\\001\\006others' >&0\nexec sleep 1000\n");
        let babbler = file("babbler", "#!/bin/sh\nyes nonsense >&0 2>/dev/null\n");
        let silent = file("silent", "#!/bin/sh\nexec sleep 1000\n");
        let cases: [(&Path, &[&str]); 8] = [
            (&directory.path().join("missing"), &["No such file"]),
            (directory.path(), &["ermission denied"]),
            (&plain, &["ermission denied"]),
            (&truncated, &["xec format", "signal"]),
            (&empty, &["xec format", "exit code"]),
            (&other, &["its program is others, this is nodetree "]),
            (&babbler, &["its program "]),
            (&silent, &["its program does not answer"]),
        ];
        std::thread::scope(|scope| {
            for (path, texts) in cases {
                scope.spawn(move || is_refused(path, texts, 0));
                scope.spawn(move || is_refused(path, texts, 2));
            }
        });
        if sandbox::is_inside() {
            until("no process of a failed create is left", || sandbox::others().is_empty());
        }
    });
}

fn is_refused(program: &Path, texts: &[&str], spares: usize) {
    let builder = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(program);
    let tree = builder.spare_processes(spares).start().expect("a process system starts");
    let begun = Instant::now();
    for _ in 0..if texts[0].contains("does not answer") { 1 } else { 2 } {
        let reply = say(&tree, "create 1");
        let is_clear = texts.iter().any(|text| reply.contains(text));
        assert!(reply.starts_with("Error: ") && is_clear, "{}: {reply}", program.display());
        assert!(!reply.contains('\n'));
        check(&tree, &[("ping 1", "Error: Not found"), ("all", "Ok:"), ("pingall", "Ok: -1")]);
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{}: {:?}", program.display(), begun.elapsed());
}

/// F15: the program goes while the system runs, and comes back.
#[test]
fn a_program_that_is_renamed_meanwhile_is_missed_by_creates_only() {
    sandboxed!({
        let directory = tempfile::tempdir().unwrap();
        let (name, other) = (directory.path().join("node"), directory.path().join("moved"));
        std::os::unix::fs::symlink(NODETREE, &name).unwrap();
        let tree = tree_with(&name);
        let pid = create(&tree, "create 1");
        fs::rename(&name, &other).unwrap();
        let replies = all_of(&tree, &["create 2 1", "create 3 2", "exec 1 a 1", "create 4"]);
        assert!(replies[0].contains("No such file"), "{replies:?}");
        assert_eq!(replies[1..3], ["Error: Parent not found", "Ok:1"]);
        assert!(replies[3].contains("No such file"), "{replies:?}");
        strike(pid, Signal::KILL);
        until("the death is known", || say(&tree, "ping 1") == "Ok: 0");
        assert!(say(&tree, "create 1").contains("No such file"));
        check(&tree, &[("ping 1", "Ok: 0"), ("all", "Ok: 1")]);
        fs::rename(&other, &name).unwrap();
        create(&tree, "create 1");
        create(&tree, "create 2 1");
        check(&tree, &[("pingall", "Ok: -1")]);
    });
}
