//! What may come through a pipe, and what is printed for it.

use crate::harness::{MODES, Program, command, run};

/// Types all at once, with a `wait` where the order of replies matters; the replies of all modes must be the same, but
/// for the pids of processes. Gives back those of an in-process mode.
fn replies(input: impl AsRef<[u8]>) -> Vec<String> {
    let of_modes = MODES.map(|mode| {
        let ended = run(&["--mode", mode], &input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{mode}: {}", ended.stdout);
        ended.lines().into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let [simulated, threads, process] = of_modes;
    assert_eq!(simulated, threads);
    assert_eq!(simulated.len(), process.len(), "{process:?}");
    for (line, of_process) in simulated.iter().zip(&process) {
        assert!(agree(line, of_process), "{line:?}, {of_process:?}");
    }
    simulated
}

/// Whether two lines say the same, where the first has numbers from 1000 up for pids.
fn agree(simulated: &str, process: &str) -> bool {
    let words = |line: &str| line.split(' ').map(|word| word.trim_matches(['(', ')']).to_owned()).collect::<Vec<_>>();
    let (simulated, process) = (words(simulated), words(process));
    let is_number = |word: &str, least: u32| word.parse::<u32>().is_ok_and(|number| number >= least);
    let same = |(one, other): (&String, &String)| one == other || is_number(one, 1000) && is_number(other, 1);
    simulated.len() == process.len() && simulated.iter().zip(&process).all(same)
}

#[test]
fn the_last_line_counts_without_its_end() {
    assert_eq!(replies("ping 1"), ["Error: Not found"]);
    assert_eq!(replies(""), [""; 0]);
    assert_eq!(replies("\n"), [""; 0]);
    assert_eq!(replies("# no command"), [""; 0]);
}

#[test]
fn blanks_comments_and_carriage_returns_are_nothing() {
    let input = "\r\n \t \r\n# a comment\r\n  create\t1  \r\n\n\n   # indented\nwait\r\nexec 1 x\r\n\n";
    let expected = ["Ok: 1000", "Ok", "Ok:1: 'x' not found"];
    let came = replies(input);
    // A comment begins with the first character of the line, or of its first word.
    let came: Vec<_> = came.iter().filter(|line| !line.contains("Unknown command")).collect();
    assert_eq!(came, expected);
}

#[test]
fn bytes_that_are_no_text_are_one_error_for_each_line() {
    assert_eq!(replies(b"\xff\xfe\xfd\nping 1\n"), ["Error: Not UTF-8", "Error: Not found"]);
    assert_eq!(replies(b"ping 1\0\n"), ["Error: Usage: ping id"]);
    assert_eq!(replies(b"\0\0\n"), ["Error: Unknown command: \\u{0}\\u{0}"]);
    assert_eq!(replies(b"\xff"), ["Error: Not UTF-8"]);
}

#[test]
fn a_line_of_64_kib_is_read_and_a_longer_one_is_not() {
    let padded = |length: usize| format!("ping 2{}\nping 1\n", " ".repeat(length - 6));
    assert_eq!(replies(padded(65_536)), ["Error: Not found"; 2]);
    assert_eq!(replies(padded(65_537)), ["Error: Line too long", "Error: Not found"]);
}

#[test]
fn what_stands_behind_exit_is_not_read() {
    for word in ["exit", "quit"] {
        assert_eq!(replies(format!("ping 1\n{word}\nping 1\nfly\n")), ["Error: Not found"]);
    }
}

#[test]
fn a_script_in_one_write_is_what_typing_it_slowly_is() {
    let script =
        "create 1\ncreate 2 1\nexec 2 x 5\nexec 2 x\nwait\ncreate 2 1\nwait\nall\nwait\ntree\nwait\nhelp ping\n";
    let drawing = ["-1", "└── 1 (1000)", "    └── 2 (1001)"];
    let came = replies(script);
    assert_eq!(came[..5], ["Ok: 1000", "Ok: 1001", "Ok:2", "Ok:2: 5", "Ok"]);
    assert_eq!(came[5..9], ["Error: Already exists", "Ok", "Ok: 1 2", "Ok"]);
    assert_eq!(came[9..12], drawing);
    assert_eq!(came[12..14], ["Ok", "ping id"]);
    assert_eq!(came.last().map(String::as_str), Some(""));
}

#[test]
fn a_reply_comes_while_the_input_stays_open() {
    for mode in MODES {
        let mut program = Program::start(command(&["--mode", mode]));
        program.write("create 1\n");
        assert!(program.line().is_some_and(|line| line.starts_with("Ok: ")));
        program.write("exec 1");
        program.write(" x 7\nexec 1 x\n");
        assert_eq!(program.line().as_deref(), Some("Ok:1"));
        assert_eq!(program.line().as_deref(), Some("Ok:1: 7"));
        let ended = program.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    }
}

#[test]
fn exit_ends_while_the_input_stays_open() {
    for mode in MODES {
        let mut program = Program::start(command(&["--mode", mode]));
        program.write("ping 1\nexit\n");
        assert_eq!(program.line().as_deref(), Some("Error: Not found"));
        assert_eq!(program.line(), None);
    }
}

#[test]
fn notices_come_unasked_and_once() {
    let input = "create 1\ncreate 2 1\nwait\nheartbit 50\nkill 1\nwait 1000\nheartbit 0\n";
    let lines = replies(input);
    let notices: Vec<_> = lines.iter().filter(|line| line.starts_with("Heartbit")).collect();
    assert_eq!(notices.len(), 2, "{lines:?}");
    assert_eq!(lines.len(), 7 + 2, "{lines:?}");
    assert_eq!(lines[7..], ["Ok", "Ok"]);
}
