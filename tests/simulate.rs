//! `nodetree simulate`: the scenarios that are shown, in every mode, and what is said when something is wrong.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "shared with the tests of the prompt, which use all of it")]
#[path = "terminal/pty.rs"]
mod pty;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use nodetree::scenario::Scenario;
use pty::Terminal;

fn simulate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
    command.arg("simulate").args(args).stdin(Stdio::null()).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn scenarios() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).expect("there are scenarios").map(|it| it.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    files
}

/// Runs all of them at once, as most of each is waiting.
fn all_are_right(args: &[&str]) {
    let wrong: Vec<String> = thread::scope(|scope| {
        let run = |path: &Path| {
            let ended = simulate(&[&[path.to_str().expect("a path")], args].concat());
            (ended.status.code() != Some(0)).then(|| format!("{} {args:?}:\n{}", path.display(), said(&ended)))
        };
        let runs: Vec<_> = scenarios().into_iter().map(|path| scope.spawn(move || run(&path))).collect();
        runs.into_iter().filter_map(|run| run.join().expect("it is run to its end")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_shown_is_right_with_many_seeds() {
    all_are_right(&["--seeds", "0..50"]);
}

#[test]
fn what_is_shown_is_right_in_real_time() {
    all_are_right(&["--mode", "threads"]);
    all_are_right(&["--mode", "process"]);
}

#[test]
fn what_is_shown_says_what_it_shows() {
    for path in scenarios() {
        let text = fs::read_to_string(&path).expect("it can be read");
        let comments = text.lines().take_while(|line| line.starts_with("// ")).count();
        assert!(comments >= 2, "{}: it begins with some lines that say what it shows", path.display());
        let scenario: Scenario = text.parse().expect("a scenario");
        assert!(scenario.script.len() >= 5 && scenario.to_ron().parse() == Ok(scenario), "{}", path.display());
    }
}

fn file(folder: &Path, text: &str) -> String {
    let path = folder.join("scenario.ron");
    fs::write(&path, text).expect("it can be written");
    path.to_str().expect("a path").to_owned()
}

/// The run may be over before the end of the process has been seen.
#[test]
fn a_damaged_link_is_a_death_as_soon_as_it_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let script =
        "create 1\\ncreate 2 1\\nfault Corrupt(links: Above(1))\\nexec 1 x 5\\n#= Error:1: Node is unavailable\\n";
    let path = file(folder.path(), &format!("(system: (reply_timeout: \"60s\"), script: \"{script}\")"));
    for mode in ["simulated", "threads", "process"] {
        let ended = simulate(&[&path, "--mode", mode]);
        assert_eq!(ended.status.code(), Some(0), "{mode}: {}", said(&ended));
    }
}

const GOOD: &str = "(script: \"create 1\\nexec 1 x 5\\nexec 1 x\\n#= Ok:1: 5\\n\")";

#[test]
fn what_is_right_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), GOOD);
    let once = simulate(&[&path]);
    assert_eq!(once.status.code(), Some(0), "{}", said(&once));
    assert!(
        said(&once).starts_with("1 run, nothing wrong: 3 replies (3 of which only one was right"),
        "{}",
        said(&once)
    );
    let many = simulate(&[&path, "--seeds", "0..200"]);
    assert!(many.status.code() == Some(0) && many.stderr.is_empty(), "{}", said(&many));
    assert!(said(&many).starts_with("200 runs, nothing wrong: 600 replies"), "{}", said(&many));
    let empty = file(folder.path(), "()");
    assert!(said(&simulate(&[&empty])).starts_with("1 run, nothing wrong: 0 replies"));
}

/// What somebody expects wrongly is found like a bug.
const WRONG: &str = r#"(
    system: (reply_timeout: "1s"),
    script: "
        create 1
        create 2 1
        create 3 2
        pingall
        exec 3 y 6
        exec 2 x 5
        wait 700
        exec 2 x
        #= Ok:2: 6
        tree
    ",
    typing: AtOnce,
    faults: [(what: Drop(links: All, chance: 0.3)), (when: At("2s"), what: Pause(3))],
)"#;

#[test]
fn what_is_wrong_is_made_small_and_can_be_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), WRONG);
    let named = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (trace, smallest) = (named("trace.ron"), named("smallest.ron"));
    let failed = simulate(&[&path, "--seeds", "7..9", "--trace", &trace, "--smallest", &smallest]);
    let text = said(&failed);
    assert_eq!(failed.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("seed 7: reply 8 is not as expected\n  expected: Ok:2: 6\n  came:     Ok:2: 5\n"),
        "{text}"
    );
    assert!(text.contains("in the same way: 5 of 10 lines, 0 of 2 faults; "), "{text}");
    assert!(text.contains("what happened around it:\n") && text.contains("answer 4: Ok:2: 5"), "{text}");
    assert!(text.ends_with(&format!("run it again with:\n  nodetree simulate {path} --seed 7\n")), "{text}");
    let small: Scenario = fs::read_to_string(&smallest).expect("it was written").parse().expect("a scenario");
    let lines: Vec<&str> = small.script.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(lines, ["create 1", "create 2 1", "exec 2 x 5", "exec 2 x", "#= Ok:2: 6"]);
    // The smallest is wrong alone, and its trace is the one that was written.
    let again = simulate(&[&smallest]);
    assert!(again.status.code() == Some(1) && said(&again).contains("expected: Ok:2: 6"), "{}", said(&again));
    let replayed = Command::new(env!("CARGO_BIN_EXE_nodetree")).args(["replay", &trace]).output().expect("it runs");
    assert!(said(&replayed).starts_with("the same: "), "{}", said(&replayed));
}

#[test]
fn a_file_or_an_argument_that_is_wrong_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("(scrip: [])", "scenario.ron: line 1, column 2: unknown field `scrip`, did you mean `script`?"),
        ("(\n faults: [(what: Kil(5))])", "line 2, column 18: unknown value `Kil`, did you mean `Kill`?"),
        ("(system: (reply_timeout: \"0s\"))", "reply_timeout must be from 1ms to 86400s"),
        ("(script: \"", "scenario.ron: line 1"),
    ];
    for (text, expected) in cases {
        let refused = simulate(&[&file(folder.path(), text)]);
        assert!(refused.status.code() == Some(2) && said(&refused).contains(expected), "{text}: {}", said(&refused));
    }
    let path = file(folder.path(), GOOD);
    for args in [&["--seeds", "5"][..], &["--seeds", "5..5"], &["--seeds", "0..2", "--seed", "1"], &["--mode", "fast"]]
    {
        assert_eq!(simulate(&[&[path.as_str()], args].concat()).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(simulate(&["/nowhere/scenario.ron"]).status.code(), Some(2));
    let full = simulate(&[&path, "--trace", "/dev/full"]);
    assert!(full.status.code() == Some(1) && said(&full).contains("/dev/full: No space left"), "{}", said(&full));
}

/// The program as it is, and with a bug that tests can plant: the oracle finds it, nobody has stated anything.
#[test]
fn what_the_oracle_finds_is_made_small_and_can_be_run_again() {
    const SCENARIO: &str = r#"(
        system: (reply_timeout: "1s"),
        script: "
            create 1
            create 2 1
            create 3 2
            create 4
            exec 3 x 5
            pingall
            exec 3 x
            ping 4
            wait 100
            pingall
            tree
        ",
        faults: [
            (what: Delay(links: All, by: Between("1ms", "5ms"))),
            (when: At("50ms"), what: Pause(2)),
            (when: At("2s"), what: Kill(4)),
        ],
    )"#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), SCENARIO);
    let smallest = folder.path().join("smallest.ron");
    let with_the_bug = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
        command.arg("simulate").args(args).env("NODETREE_PLANTED", "PingallWithoutDescendants");
        command.stdin(Stdio::null()).output().expect("the program runs")
    };
    let found = with_the_bug(&[&path, "--seeds", "0..200", "--smallest", smallest.to_str().expect("a path")]);
    let text = said(&found);
    println!("{text}");
    assert_eq!(found.status.code(), Some(1), "{text}");
    let (first, _) = text.split_once('\n').expect("lines");
    let (seed, what) = first.strip_prefix("seed ").and_then(|rest| rest.split_once(": ")).expect("a seed");
    assert!(what.starts_with("I23 broken at ") && what.ends_with("\"pingall\""), "{text}");
    assert!(text.contains("\n  allowed: ") && text.contains("\n  came:    "), "{text}");
    assert!(text.contains("\nwhat happened around it:\n") && text.contains("pingall"), "{text}");
    let small: Scenario = fs::read_to_string(&smallest).expect("it was written").parse().expect("a scenario");
    assert!(text.contains(&small.to_ron()), "what is left is printed: {text}");
    assert!(small.script.len() <= 5 && small.faults.0.len() <= 1, "{text}");
    // The command that runs it again says the same; without the bug nothing is wrong.
    let (_, again) = text.split_once("\nrun it again with:\n  nodetree simulate ").expect("a command");
    let again: Vec<&str> = again.split_whitespace().collect();
    assert_eq!(again, [path.as_str(), "--seed", seed]);
    let repeated = with_the_bug(&again);
    assert!(repeated.status.code() == Some(1) && said(&repeated).starts_with(first), "{}", said(&repeated));
    let right = simulate(&[&path, "--seeds", "0..200"]);
    assert_eq!(right.status.code(), Some(0), "{}", said(&right));
}

/// How many of so many seeds a bar says are done. It is as long as it should be.
fn bar(line: &str, all: usize) -> Option<usize> {
    let (drawn, rest) = line.trim_end().strip_prefix('[')?.split_once("] ")?;
    let done = rest.strip_suffix(&format!(" of {all} seeds"))?.parse().ok()?;
    let is_right = drawn == format!("{:30}", "#".repeat(30 * done / all));
    assert!(is_right, "{line:?}");
    Some(done)
}

#[test]
fn at_a_terminal_a_bar_says_how_far_it_is_and_is_gone_in_the_end() {
    const ALL: usize = 2000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), GOOD);
    let terminal = Terminal::start(&["simulate", &path, "--seeds", "0..2000"], folder.path(), false);
    let summary = "2000 runs, nothing wrong: 6000 replies";
    terminal.until("what came of it", |seen| seen.lines().iter().any(|line| line.contains(" notices; ")).then_some(()));
    {
        let seen = terminal.seen();
        let lines = seen.lines();
        assert!(lines.len() <= 2 && lines[0].starts_with(summary), "nothing but that is left: {lines:?}");
        // All that was ever shown, as it was shown, each over the one before.
        let bytes = String::from_utf8_lossy(&seen.bytes).into_owned();
        let shown: Vec<&str> = bytes.split('\r').filter_map(|text| Some(text.split_once("\x1b[K")?.0)).collect();
        let (last, bars) = shown.split_last().expect("there was a bar");
        assert_eq!(*last, "", "it is wiped away");
        let done: Vec<_> = bars.iter().map(|line| bar(line, ALL).unwrap_or_else(|| panic!("{line:?}"))).collect();
        assert!(!done.is_empty() && done.is_sorted_by(|one, next| one < next), "{done:?}");
    }
    assert_eq!(terminal.end(), Some(0));
}
