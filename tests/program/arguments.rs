//! Arguments, the configuration file, and exit codes.

use std::fs;

use crate::harness::{Program, command, run};

/// Runs the program without input; what it says on standard error.
fn refused(args: &[&str]) -> String {
    let ended = run(args, "");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{args:?}: {ended:?}");
    ended.stderr
}

/// A configuration file, and the directory that holds it as long as it is there.
fn config_file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nodetree.ron");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn wrong_arguments_are_refused_with_what_was_expected() {
    let cases: [(&[&str], &str); 20] = [
        (&["--mode", "fast"], "[possible values: simulated, threads, process]"),
        (&["--topology", "ring"], "[possible values: list, tree, bst, balanced]"),
        (&["--commands", "product"], "[possible values: sum, dictionary, timer, search]"),
        (&["--variant", "49"], "from 1 to 48"),
        (&["--variant", "2021:1"], "2020:48"),
        (&["--variant", "25", "--topology", "bst"], "cannot be used with"),
        (&["--variant", "25", "--commands", "sum"], "cannot be used with"),
        (&["--reply-timeout", "5"], "500ms or 5s"),
        (&["--reply-timeout", "0s"], "from 1ms to 86400s"),
        (&["--reply-timeout", "25h"], "500ms or 5s"),
        (&["--seed", "x"], "--seed"),
        (&["--sead", "1"], "--sead"),
        (&["--mode"], "--mode"),
        (&["commands.txt"], "commands.txt"),
        (&["--trace", "/nowhere/trace.ron"], "/nowhere/trace.ron"),
        (&["--topology", "lits"], "'list'"),
        (&["completions", "basic"], "bash"),
        (&["completions"], "<SHELL>"),
        (&["man", "x"], "'x'"),
        (&["config", "--reply-timeout", "0s"], "from 1ms to 86400s"),
    ];
    for (args, expected) in cases {
        let said = refused(args);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_file_line_and_what_was_expected() {
    let cases = [
        ("(topology: bst,\n sead: 7)", "line 2", "`seed`"),
        ("(\n\n  topology: ring,\n)", "line 3", "`bst`"),
        ("(\n  mode: threads,\n  seed: \"x\",\n)", "line 3", "integer"),
        ("(\n  reply_timeout: \"soon\",\n)", "line 2", "500ms or 5s"),
        ("seed = 7", "line 1", "xpected"),
    ];
    for (text, line, expected) in cases {
        let (_directory, path) = config_file(text);
        assert_eq!(refused(&["config", "--config", &path]), refused(&["--config", &path]));
        let said = refused(&["--config", &path]);
        assert!(said.contains(&path) && said.contains(line) && said.contains(expected), "{text}: {said}");
    }
    assert!(refused(&["--config", "/nowhere/nodetree.ron"]).contains("/nowhere/nodetree.ron"));
}

#[test]
fn what_stands_on_the_command_line_wins_over_the_file() {
    let (_directory, path) = config_file("(topology: bst, commands: sum, mode: simulated)");
    let input = "create 5\ncreate 3\nexec 3 2 20 22\ntree\n";
    let of_file = run(&["--config", &path], input);
    assert_eq!(of_file.lines()[2..], ["Ok:3: 42", "-1", "└── 5 (1000)", "    └── 3 (1001)"]);
    let of_both = run(&["--config", &path, "--topology", "list", "--commands", "dictionary"], input);
    assert_eq!(of_both.lines()[3..], ["-1", "├── 3 (1001)", "└── 5 (1000)"]);
    assert!(of_both.lines()[2].starts_with("Error:3: "), "{of_both:?}");
}

#[test]
fn a_variant_chooses_topology_and_commands() {
    let ended = run(&["--mode", "simulated", "--variant", "26"], "create 5\nexec 5 2 1 2\ncreate 7 1\nexec 7 1 1\n");
    assert_eq!(ended.lines(), ["Ok: 1000", "Ok:5: 3", "Ok: 1001", "Ok:7: 1"]);
    let ended = run(&["--mode", "simulated", "--variant", "2020:48"], "create 5\nexec 5\naaa\na\n");
    assert_eq!(ended.lines(), ["Ok: 1000", "Ok:5: 0;1;2"]);
}

#[test]
fn help_names_every_option_and_shows_examples() {
    let ended = run(&["--help"], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let wanted = [
        "--mode",
        "--topology",
        "--commands",
        "--variant",
        "--config",
        "--seed",
        "--reply-timeout",
        "--trace",
        "--verbose",
    ];
    for word in wanted.into_iter().chain([
        "Examples:",
        "2020:45",
        "Exit codes",
        "NODETREE_LOG",
        "[default: process]",
        "completions bash",
        "nodetree man",
    ]) {
        assert!(ended.stdout.contains(word), "{word}");
    }
}

#[test]
fn an_output_that_fails_is_exit_code_1() {
    let inputs: [(&[&str], &str); 3] = [(&[], "ping 1\n"), (&["--mode", "simulated"], "ping 1\n"), (&["--help"], "")];
    for (args, input) in inputs {
        let mut command = command(args);
        command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let mut program = Program::start(command);
        program.write_behind(input.into());
        let ended = program.end();
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}

#[test]
fn nothing_to_print_is_nothing_that_can_fail() {
    let mut command = command::<&str>(&[]);
    command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert_eq!(Program::start(command).end().code, Some(0));
}

#[test]
fn an_input_that_cannot_be_read_is_exit_code_1() {
    let mut command = command::<&str>(&[]);
    command.stdin(fs::File::open("/").unwrap());
    let ended = Program::start(command).end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("standard input"), "{ended:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let (directory, _) = config_file("");
    let traced = |name: &str, seed: &str| {
        let path = directory.path().join(name);
        let path = path.to_str().unwrap();
        let input = "create 1\ncreate 2 1\nexec 2 x 5\nheartbit 100\nkill 1\nwait 2000\npingall\n";
        let ended = run(&["--mode", "simulated", "--seed", seed, "--trace", path], input);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        (ended.stdout, fs::read_to_string(path).unwrap())
    };
    let (first, again, other) = (traced("first", "7"), traced("again", "7"), traced("other", "8"));
    assert_eq!(first, again);
    assert_ne!(first.1, other.1);
    let events = nodetree::trace::read(first.1.as_bytes()).unwrap();
    assert!(events.len() > 20, "{events:?}");
}

#[test]
fn completions_and_the_manual_page_name_every_option() {
    for args in [&["completions", "bash"][..], &["completions", "zsh"], &["completions", "fish"], &["man"]] {
        let ended = run(args, "");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let text = ended.stdout.replace('\\', "");
        for option in ["reply-timeout", "topology", "color", "timing"] {
            assert!(text.contains(option), "{args:?}: {option}");
        }
    }
}

#[test]
fn the_time_of_a_reply_stands_behind_a_tab() {
    let input = "create 1\nexec 1 x 5\nfly\nwait\n";
    for mode in ["simulated", "threads"] {
        let ended = run(&["--mode", mode, "--timing"], input);
        let lines: Vec<_> = ended.lines().into_iter().map(|line| line.split_once('\t').unwrap()).collect();
        assert_eq!(lines.len(), 4, "{ended:?}");
        for (_, time) in &lines {
            assert!(time.strip_suffix(" ms").unwrap().parse::<f64>().unwrap() >= 0.0);
        }
    }
}
