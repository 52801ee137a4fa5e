//! System calls that are interrupted, under strace.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::sandbox::sandboxed;

/// What is typed: a tree, much for its nodes, a removal, a kill.
fn script() -> String {
    let creates = (1..=7).map(|id| format!("create {id} {}\n", if id == 1 { -1 } else { id / 2 }));
    let execs = (0..210).map(|number| match number % 3 {
        0 => format!("exec {} name {number}\n", number % 7 + 1),
        1 => format!("exec {} name\n", (number - 1) % 7 + 1),
        _ => format!("ping {}\n", number % 7 + 1),
    });
    let end = ["wait\nremove 2\nwait\nexec 4 name\nexec 5 name\nwait\nkill 3\nwait\npingall\nall\nexec 7 name\n"];
    creates.chain(["wait\n".to_owned()]).chain(execs).chain(end.map(str::to_owned)).collect()
}

/// What is replied behind the pids, in an order of its own: nothing may be lost, and nothing come twice.
fn replies_of(mut command: Command) -> Vec<String> {
    let mut program =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    program.stdin.take().expect("it is piped").write_all(script().as_bytes()).expect("it reads");
    let ended = program.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), said.as_str()), (Some(0), ""), "{}", String::from_utf8_lossy(&ended.stdout));
    let mut replies: Vec<String> = String::from_utf8(ended.stdout).expect("text").lines().map(str::to_owned).collect();
    assert!(replies.drain(..7).all(|pid| pid.starts_with("Ok: ")));
    replies.sort_unstable();
    replies
}

/// Covers F37: EINTR in whatever a node, the control node and their runtimes wait for or do with links, and in what the
/// program reads and prints. (A short write and EAGAIN come of a full socket:
/// `a_stopped_child_does_not_stop_its_parent_and_loses_nothing`. The kernel never says EAGAIN where it could go on, and the
/// runtime relies on that.)
#[test]
fn an_interrupted_system_call_loses_nothing_and_does_nothing_twice() {
    sandboxed!({
        if Command::new("strace").args(["-f", "true"]).output().is_ok_and(|it| it.status.success()) {
            let expected = replies_of(program(Command::new(env!("CARGO_BIN_EXE_nodetree"))));
            let folder = tempfile::tempdir().expect("a folder can be made");
            let log = folder.path().join("calls");
            // The first reads are those of the loader, which takes no interruption.
            for (calls, first) in [("sendmsg", 3), ("recvmsg", 3), ("epoll_wait", 3), ("waitid,wait4", 3), ("read", 9)]
            {
                let mut strace = Command::new("strace");
                let inject = format!("inject={calls}:error=EINTR:when={first}+7");
                strace.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-e", &inject, "-o"]).arg(&log);
                strace.arg(env!("CARGO_BIN_EXE_nodetree"));
                assert_eq!(replies_of(program(strace)), expected, "{calls}");
                let injected = fs::read_to_string(&log).expect("strace has written it").matches("(INJECTED)").count();
                eprintln!("{calls}: {injected} interrupted");
                assert!(injected > 0, "{calls}");
            }
        } else {
            eprintln!("SKIPPED: there is no strace here, or it may not trace");
        }
    });
}

fn program(mut command: Command) -> Command {
    command.args(["--mode", "process", "--reply-timeout", "60s"]);
    command
}
