use std::collections::VecDeque;

use super::*;

/// Says what it was told to say, whatever is typed.
#[derive(Default)]
struct Parrot {
    replies: VecDeque<&'static str>,
    notices: VecDeque<&'static str>,
    done: Vec<String>,
}

impl Driver for Parrot {
    fn type_line(&mut self, line: &str) {
        self.done.push(line.to_owned());
    }

    fn type_all(&mut self, lines: &[&str]) {
        self.done.push(lines.join("|"));
    }

    fn next_reply(&mut self) -> Option<String> {
        self.replies.pop_front().map(str::to_owned)
    }

    fn next_notice(&mut self) -> Option<String> {
        self.notices.pop_front().map(str::to_owned)
    }

    fn pending_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn pending_replies(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn outside(&mut self, action: Action, id: i64) {
        self.done.push(format!("{action:?} {id}"));
    }

    fn is_virtual_time(&self) -> bool {
        true
    }
}

fn run(text: &str, replies: &[&'static str], notices: &[&'static str]) -> Result<Vec<String>, Mismatch> {
    let (replies, notices) = (replies.iter().copied().collect(), notices.iter().copied().collect());
    let mut parrot = Parrot { replies, notices, done: Vec::new() };
    Transcript::parse(text).expect("a transcript").run(&mut parrot)?;
    Ok(parrot.done)
}

#[test]
fn a_dialogue_is_held_line_by_line() {
    let text = "> create 1\nOk: <pid>\n! kill 1\n? Heartbit: a\n? Heartbit: b\n> exec 1 time\nOk:1: <ms 900..>\n> tree\n-1\n└── 1\n";
    let done = run(text, &["Ok: 7", "Ok:1: 950", "-1\n└── 1"], &["Heartbit: b", "Heartbit: a"]);
    assert_eq!(done.expect("no difference"), ["create 1", "Kill 1", "exec 1 time", "tree"]);
}

#[test]
fn differences_are_found() {
    assert!(run("> create 1\nOk: <pid>\n", &["Ok: 0"], &[]).is_err());
    assert!(run("> create 1\nOk: <pid>\n", &[], &[]).is_err());
    assert!(run("> a\n<ms 900..>\n", &["1000"], &[]).is_err());
    assert!(run("> a\n<ms 900..>\n", &["899"], &[]).is_err());
    assert!(run("> a\nError:1: <text>\n", &["Error:1: "], &[]).is_err());
    assert!(run("> tree\n-1\n", &["-1\nmore"], &[]).is_err());
    assert!(run("? Heartbit: a\n", &[], &["Heartbit: b"]).is_err());
    assert!(run("? Heartbit: a\n", &[], &[]).is_err());
}

const ONE_WRITE: &str = "# one-write: true\n> create 1\n> exec 2 x 5\n> exec 2 x\n> ping 1\n> wait\n> all\n\
    Ok: <pid>\nOk:2\nOk:2: 5\nOk: 1\nOk\nOk: 1\n";

#[test]
fn one_write_is_compared_between_waits() {
    let done = run(ONE_WRITE, &["Ok:2", "Ok: 1", "Ok:2: 5", "Ok: 1000", "Ok", "Ok: 1"], &[]);
    assert_eq!(done.expect("no difference"), ["create 1|exec 2 x 5|exec 2 x|ping 1|wait|all"]);
}

#[test]
fn one_write_keeps_the_order_of_a_node_and_the_waits() {
    assert!(run(ONE_WRITE, &["Ok:2: 5", "Ok:2", "Ok: 1", "Ok: 1000", "Ok", "Ok: 1"], &[]).is_err());
    assert!(run(ONE_WRITE, &["Ok:2", "Ok:2: 5", "Ok: 1", "Ok", "Ok: 1000", "Ok: 1"], &[]).is_err());
    assert!(run(ONE_WRITE, &["Ok:2", "Ok:2: 5", "Ok: 1", "Ok: 1000", "Ok"], &[]).is_err());
}

#[test]
fn keys_are_read() {
    let text = "# topology: bst\n# commands: timer\n# reply-timeout: 1s\n# one-write: true\n";
    let transcript = Transcript::parse(text).expect("a transcript");
    assert_eq!((transcript.topology, transcript.commands), (Topology::Bst, Commands::Timer));
    assert_eq!((transcript.reply_timeout_ms, transcript.one_write), (Some(1000), true));
    assert!(Transcript::parse("# topology: ring\n").is_err());
    assert!(Transcript::parse("! fly 1\n").is_err());
}

#[test]
fn all_transcripts_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let files = std::fs::read_dir(folder).expect("the transcripts").filter_map(Result::ok);
    let texts: Vec<_> =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    assert!(texts.len() >= 11);
    for path in texts {
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(Transcript::parse(&text).is_ok_and(|it| !it.steps.is_empty()), "{}", path.display());
    }
}
