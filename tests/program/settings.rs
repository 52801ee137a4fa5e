//! What the program can say about itself: its configuration, its log, completions and a manual page.

use std::fs;
use std::process::Command;

use crate::harness::{Ended, MODES, Program, command, run};

fn config(args: &[&str]) -> String {
    let ended = run(&[&["config"], args].concat(), "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}: {ended:?}");
    ended.stdout
}

/// Runs it in an environment.
fn run_with(args: &[&str], env: &[(&str, &str)], input: &str) -> Ended {
    let mut command = command(args);
    command.envs(env.iter().copied());
    let mut program = Program::start(command);
    program.write_behind(input.into());
    program.end()
}

#[test]
fn without_a_mode_every_node_is_a_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("silent.ron");
    fs::write(&path, "(topology: tree)").unwrap();
    for args in [&[][..], &["--config", path.to_str().unwrap()]] {
        let mut program = Program::start(command(args));
        program.write("create 1\n");
        let line = program.line().unwrap();
        let pid = line.strip_prefix("Ok: ").expect("a pid");
        let called = fs::read(format!("/proc/{pid}/cmdline")).expect("a process");
        assert!(called.windows(7).any(|part| part == b"__node\0"), "{args:?}: {called:?}");
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn the_effective_configuration_can_be_read_back() {
    assert!(config(&[]).contains("mode: process,") && config(&[]).contains("reply_timeout: \"5s\","));
    let args = ["--variant", "26", "--mode", "simulated", "--seed", "7", "--reply-timeout", "1500ms"];
    let printed = config(&args);
    for line in ["commands: sum,", "mode: simulated,", "seed: 7,", "reply_timeout: \"1500ms\","] {
        assert!(printed.lines().any(|it| it.trim() == line), "{line}: {printed}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("printed.ron");
    fs::write(&path, &printed).unwrap();
    assert_eq!(config(&["--config", path.to_str().unwrap()]), printed);
}

#[test]
fn a_wrong_file_is_shown_with_a_caret_and_what_may_have_been_meant() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong.ron");
    fs::write(&path, "(\n    topology: bst,\n    sead: 7,\n)").unwrap();
    let path = path.to_str().unwrap();
    let ended = run(&["--config", path], "ping 1\n");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    let start = format!("nodetree: {path}: line 3, column 5: unknown field `sead`, did you mean `seed`?");
    assert!(lines[0].starts_with(&start), "{ended:?}");
    assert_eq!(lines[1..], [" 3 |     sead: 7,", "   |     ^^^^"]);
    fs::write(path, "(mode: simulated, reply_timeout: \"0s\")").unwrap();
    assert!(run(&["--config", path], "").stderr.contains("line 1, column"));
    for (file, said) in [("/dev/zero", "1 MiB"), ("/", "directory")] {
        let ended = run(&["--config", file], "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
}

#[test]
fn a_normal_dialogue_logs_nothing() {
    let input = "create 1\ncreate 2 1\ncreate 3 2\nexec 3 x 5\nexec 3 x\nping 3\npingall\npause 3\nresume 3\n\
                 remove 2\nkill 1\nfly\n";
    for mode in MODES {
        let ended = run(&["--mode", mode], input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{mode}: {ended:?}");
    }
}

#[test]
fn the_log_says_which_nodes_start_and_end() {
    let input = "create 1\nwait\nkill 1\nwait\n";
    let verbose = run(&["-v"], input);
    let of_environment = run_with(&[], &[("NODETREE_LOG", "info")], input);
    for ended in [verbose, of_environment] {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for part in ["control node: a node is started node=1", "a node was ended by signal 9 node=1", "mode=process"] {
            assert!(ended.stderr.contains(part), "{part}: {ended:?}");
        }
        assert!(!ended.stderr.contains("DEBUG"), "{ended:?}");
    }
    // The level reaches the nodes, and their lines hold their id.
    let ended = run(&["-vv"], "create 7\nwait\n");
    assert!(ended.stderr.lines().any(|line| line.contains("DEBUG node 7: ")), "{ended:?}");
}

#[test]
fn a_process_that_waits_is_logged_without_an_id_until_it_is_a_node() {
    let mut program = Program::start(command(&["-vv", "--spare", "1"]));
    let waits = program.error_line("a spare process stands by");
    let pid = waits.rsplit_once("pid=").expect("its pid").1.to_owned();
    program.write("create 7\n");
    assert_eq!(program.line(), Some(format!("Ok: {pid}")));
    assert!(program.error_line("serving").contains("DEBUG node 7: "));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let wrong = run_with(&[], &[("NODETREE_LOG", "loud")], "");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    assert!(wrong.stderr.contains("NODETREE_LOG: expected one of off, error, warn"), "{wrong:?}");
    let both = run_with(&["-v", "--mode", "simulated"], &[("NODETREE_LOG", "off")], "");
    assert!(both.stderr.contains("INFO control node: "), "{both:?}");
}

/// The program, with node 5 that does itself harm at its first request.
fn harmed(action: &str) -> Program {
    let mut command = command::<&str>(&[]);
    command.env("NODETREE_FAIL_POINTS", format!("5 Request 1 before {action}"));
    let mut program = Program::start(command);
    program.write("create 5\nexec 5 x\n");
    program
}

#[test]
fn a_node_that_crashes_is_logged_with_its_id() {
    for (action, how) in [("segv", "was ended by signal 11"), ("abort", "was ended by signal 6")] {
        let mut program = harmed(action);
        let line = program.error_line("a node has failed");
        assert!(line.contains("WARN control node: ") && line.contains(how) && line.ends_with("node=5"), "{line}");
        assert_eq!(program.end().code, Some(0));
    }
}

#[test]
fn a_panic_is_logged_by_the_node_itself() {
    let mut program = harmed("panic");
    let line = program.error_line("the command set panicked");
    assert!(line.contains("ERROR node 5: ") && line.contains("node=5 panic="), "{line}");
    assert!(program.error_line("ended with exit code 101").contains("node=5"));
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn nobody_who_reads_the_log_is_no_reason_to_end() {
    let mut command = command(&["-vv"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stderr(writer);
    drop(reader);
    let mut program = Program::start(command);
    program.write_behind(b"create 1\nexec 1 x 5\nexec 1 x\nwait\n".to_vec());
    let ended = program.end();
    assert_eq!((ended.code, ended.lines()[2]), (Some(0), "Ok:1: 5"), "{ended:?}");
}

#[test]
fn completions_are_for_every_shell_and_bash_reads_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell], "");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        // Not every shell is told the values of options.
        let values: &[&str] = if ["bash", "zsh", "fish"].contains(&shell) { &["simulated", "balanced"] } else { &[] };
        for word in ["reply-timeout", "completions"].iter().chain(values) {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nodetree.bash");
    fs::write(&path, run(&["completions", "bash"], "").stdout).unwrap();
    match Command::new("bash").arg("-n").arg(&path).output() {
        Ok(read) => assert!(read.status.success() && read.stderr.is_empty(), "{read:?}"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "there is no bash: not tried"),
    }
}

#[test]
fn the_manual_page_has_every_option() {
    let ended = run(&["man"], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.contains(".TH nodetree 1"), "{}", ended.stdout);
    let page = ended.stdout.replace("\\-", "-");
    let helps = [&["--help"][..], &["trace", "--help"], &["config", "--help"]].map(|args| run(args, "").stdout);
    let words = helps.iter().flat_map(|help| help.split(|c: char| !c.is_alphanumeric() && c != '-'));
    let options: Vec<&str> = words.filter(|word| word.starts_with("--") && word.len() > 2).collect();
    assert!(options.len() > 20, "{options:?}");
    for option in options {
        assert!(page.contains(option), "{option}: {page}");
    }
}

#[test]
fn what_is_generated_and_cannot_be_written_is_exit_code_1() {
    for args in [&["man"][..], &["completions", "bash"], &["config"]] {
        let mut command = command(args);
        command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let ended = Program::start(command).end();
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("standard output"), "{ended:?}");
    }
}
