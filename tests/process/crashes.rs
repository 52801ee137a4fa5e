//! Nodes that end themselves at a chosen moment, and in every way in which a program can crash.

use rustix::process::Pid;

use crate::harness::{is_gone, pid_in, until};
use crate::program::{Program, command};
use crate::sandbox::sandboxed;

fn ask(program: &mut Program, line: &str) -> String {
    program.write(format!("{line}\n"));
    program.line().expect("every line is answered")
}

#[track_caller]
fn says(program: &mut Program, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(ask(program, line), *reply, "to {line}");
    }
}

/// Node 2 stands between 1 and 3; 4 and 5 have nothing to do with it.
fn start(fail_point: &str) -> (Program, Pid) {
    let mut command = command(&["--mode", "process"]);
    command.env("NODETREE_FAIL_POINTS", fail_point);
    let mut program = Program::start(command);
    let mut create = |line: &str| pid_in(&ask(&mut program, line));
    create("create 1");
    let pid = create("create 2 1");
    for line in ["create 3 2", "create 4 1", "create 5"] {
        create(line);
    }
    (program, pid)
}

/// Node 2 has died as by `kill -9`. It comes back, empty, whatever it died of.
fn is_dead_and_comes_back(program: &mut Program, pid: Pid, what: &str) {
    until("it is reaped", || is_gone(pid));
    says(program, &[("ping 2", "Ok: 0"), ("ping 3", "Ok: 0"), ("pingall", "Ok: 2;3")]);
    says(program, &[("exec 3 a", "Error:3: Node is unavailable"), ("exec 4 a 4", "Ok:4"), ("exec 5 a 5", "Ok:5")]);
    says(program, &[("exec 4 a", "Ok:4: 4"), ("kill 2", "Error: Node is unavailable")]);
    assert!(ask(program, "create 2 1").starts_with("Ok: "), "{what}");
    assert!(ask(program, "create 3 2").starts_with("Ok: "), "{what}");
}

const UNAVAILABLE: &str = "Error:2: Node is unavailable";
const BELOW: &str = "Error:3: Node is unavailable";

/// F5, I4, I7. The first request of each kind only leads there. What was sent before the death is delivered; what was
/// not is an error, and of `ping` and `pingall` the answer may be either.
const MOMENTS: [(&str, &[&str], &[&str]); 15] = [
    ("2 Request 2 before kill", &["exec 2 a 1", "exec 2 a 2"], &[UNAVAILABLE]),
    ("2 Request 2 after kill", &["exec 2 a 1", "exec 2 a 2"], &[UNAVAILABLE]),
    ("2 Request 2 sent kill", &["exec 2 a 1", "exec 2 a 2"], &["Ok:2"]),
    ("2 Request 2 before kill", &["exec 2 a 1", "exec 2 a"], &[UNAVAILABLE]),
    ("2 Request 2 after kill", &["exec 2 a 1", "exec 2 a"], &[UNAVAILABLE]),
    ("2 Request 2 sent kill", &["exec 2 a 1", "exec 2 a"], &["Ok:2: 1"]),
    ("2 Request 1 before kill", &["exec 3 a 1"], &[BELOW]),
    ("2 Request 1 after kill", &["exec 3 a 1"], &[BELOW]),
    // Between the request that it has passed on and its death the reply may come by.
    ("2 Request 1 sent kill", &["exec 3 a 1"], &[BELOW, "Ok:3"]),
    ("2 Reply 1 before kill", &["exec 3 a 1"], &[BELOW]),
    ("2 Reply 1 after kill", &["exec 3 a 1"], &[BELOW]),
    ("2 Reply 1 sent kill", &["exec 3 a 1"], &["Ok:3"]),
    ("2 Ping 1 before kill", &["ping 2"], &["Ok: 0"]),
    ("2 Ping 1 sent kill", &["ping 2"], &["Ok: 1", "Ok: 0"]),
    ("2 Wave 1 after kill", &["pingall"], &["Ok: 2;3"]),
];

#[test]
fn a_death_at_each_moment_of_a_request_leaves_one_right_answer() {
    sandboxed!({
        for (fail_point, lines, allowed) in MOMENTS {
            let (mut program, pid) = start(fail_point);
            let (last, before) = lines.split_last().expect("a line");
            for line in before {
                assert!(ask(&mut program, line).starts_with("Ok"), "{fail_point}: {line}");
            }
            let reply = ask(&mut program, last);
            assert!(allowed.contains(&reply.as_str()), "{fail_point}: {last}: {reply}");
            is_dead_and_comes_back(&mut program, pid, fail_point);
            let ended = program.end();
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{fail_point}");
        }
    });
}

/// F5: of the execs that are under way at a death a first part is done, the rest is not, each is answered once.
#[test]
fn of_many_requests_at_a_death_a_first_part_is_answered() {
    sandboxed!({
        for at in ["before", "after", "sent"] {
            let (mut program, pid) = start(&format!("2 Request 20 {at} kill"));
            let lines: Vec<String> = (0..200).map(|at| format!("exec 2 a {at}\nexec 4 a {at}\n")).collect();
            program.write(lines.concat());
            let replies: Vec<String> = (0..400).map(|_| program.line().expect("a reply")).collect();
            let of_2: Vec<&str> = replies.iter().filter(|it| it.contains(":2")).map(String::as_str).collect();
            assert_eq!((of_2.len(), replies.iter().filter(|it| *it == "Ok:4").count()), (200, 200), "{at}");
            let done = of_2.iter().take_while(|&&reply| reply == "Ok:2").count();
            assert!(of_2[done..].iter().all(|&reply| reply == UNAVAILABLE), "{at}: {of_2:?}");
            assert!(done < 200 || at == "sent", "{at}"); // Among so many there is hardly a moment when all is sent.
            is_dead_and_comes_back(&mut program, pid, at);
            assert_eq!(program.end().code, Some(0));
        }
    });
}

/// F19: whatever a node ends of, it is a crash like any other.
#[test]
fn a_crash_of_any_kind_is_a_death() {
    sandboxed!({
        for action in ["kill", "abort", "segv", "panic", "overflow"] {
            for when in ["before", "after"] {
                let fail_point = format!("2 Request 2 {when} {action}");
                let (mut program, pid) = start(&fail_point);
                says(&mut program, &[("exec 2 a 1", "Ok:2")]);
                let reply = ask(&mut program, "exec 3 a 1");
                // A panic ends the node in order: what it has sent leaves it.
                let is_sent = (action, when, reply.as_str()) == ("panic", "after", "Ok:3");
                assert!(is_sent || reply == BELOW, "{fail_point}: {reply}");
                is_dead_and_comes_back(&mut program, pid, &fail_point);
                let ended = program.end();
                assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{fail_point}");
            }
        }
    });
}

/// F5, F13, F56: the new node or its parent dies in the middle of a create.
#[test]
fn a_death_in_the_middle_of_a_create_leaves_nothing_half_made() {
    sandboxed!({
        // The first link of a node is that to its parent.
        for (fail_point, is_parent) in [
            ("1 Link 2 before kill", true),
            ("1 Link 2 after kill", true),
            ("1 Greeting 1 before kill", true),
            ("1 Greeting 1 after kill", true),
            ("2 Link 1 before kill", false),
            ("2 Link 1 after kill", false),
        ] {
            let mut command = command(&["--mode", "process"]);
            command.env("NODETREE_FAIL_POINTS", fail_point);
            let mut program = Program::start(command);
            let pid = pid_in(&ask(&mut program, "create 1"));
            assert!(ask(&mut program, "create 5").starts_with("Ok: "));
            let reply = ask(&mut program, "create 2 1");
            assert!(reply.starts_with("Error: ") && reply.len() > 7, "{fail_point}: {reply}");
            if is_parent {
                assert_eq!(reply, "Error: Parent is unavailable", "{fail_point}");
                until("it is reaped", || is_gone(pid));
            }
            let (one, all) = if is_parent { ("Ok: 0", "Ok: 1") } else { ("Ok: 1", "Ok: -1") };
            says(&mut program, &[("ping 2", "Error: Not found"), ("ping 1", one), ("pingall", all)]);
            says(&mut program, &[("all", "Ok: 1 5"), ("exec 5 a 5", "Ok:5")]);
            assert_eq!(program.end().code, Some(0), "{fail_point}");
        }
    });
}
