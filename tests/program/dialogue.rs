//! The dialogues of `tests/transcripts`, typed into the program.

use std::collections::VecDeque;
use std::time::Duration;

use nodetree::testing::oracle::Action;
use nodetree::testing::transcript::{Driver, Transcript};

use crate::harness::{Program, command};

/// How long a reply may take, besides what it waits for.
const REPLY: Duration = Duration::from_secs(60);

/// How many times `wait 50` is typed for a notice.
const WAITS: usize = 2000;

/// A program that is typed into, line by line.
pub struct Typist {
    program: Program,
    is_virtual: bool,
    replies: VecDeque<String>,
    notices: VecDeque<String>,
    /// Whether what was typed last has a reply of several lines that does not say where it ends.
    draws: bool,
}

impl Typist {
    pub fn new(transcript: &Transcript, mode: &str) -> Self {
        let mut args = vec!["--mode".to_owned(), mode.to_owned()];
        args.extend(["--topology".to_owned(), transcript.topology.to_string()]);
        args.extend(["--commands".to_owned(), transcript.commands.to_string()]);
        if let Some(ms) = transcript.reply_timeout_ms {
            args.extend(["--reply-timeout".to_owned(), format!("{ms}ms")]);
        }
        let program = Program::start(command(&args));
        let is_virtual = mode == "simulated";
        Self { program, is_virtual, replies: VecDeque::new(), notices: VecDeque::new(), draws: false }
    }

    /// Ends the dialogue; the exit code, and what was printed that nobody had taken.
    pub fn end(self) -> (Option<i32>, String) {
        let ended = self.program.end();
        (ended.code, ended.stdout + &ended.stderr)
    }

    /// Reads one line and sorts it; whether one came.
    fn read(&mut self, within: Duration) -> bool {
        let Ok(Some(line)) = self.program.line_within(within) else { return false };
        self.sort(line);
        true
    }

    fn sort(&mut self, line: String) {
        let kind = if line.starts_with("Heartbit: ") { &mut self.notices } else { &mut self.replies };
        kind.push_back(line);
    }

    fn sort_all(&mut self) {
        self.program.lines_so_far().into_iter().for_each(|line| self.sort(line));
    }

    /// The next line that is no notice.
    fn reply_line(&mut self) -> Option<String> {
        while self.replies.is_empty() {
            if !self.read(REPLY) {
                return None;
            }
        }
        self.replies.pop_front()
    }

    fn type_unasked(&mut self, line: &str) {
        self.program.write(format!("{line}\n"));
        assert_eq!(self.reply_line().as_deref(), Some("Ok"), "to {line}");
    }

    /// A drawing ends where the `Ok` of the `wait` behind it comes.
    fn drawing(&mut self, first: String) -> Option<String> {
        let mut drawing = first;
        loop {
            match self.reply_line()? {
                line if line == "Ok" => return Some(drawing),
                line => drawing = drawing + "\n" + &line,
            }
        }
    }
}

impl Driver for Typist {
    fn type_line(&mut self, line: &str) {
        self.draws = line.trim() == "tree";
        self.program.write(format!("{line}\n{}", if self.draws { "wait\n" } else { "" }));
    }

    fn type_all(&mut self, lines: &[&str]) {
        self.draws = false;
        self.program.write(lines.join("\n") + "\n");
    }

    fn next_reply(&mut self) -> Option<String> {
        let first = self.reply_line()?;
        if self.draws { self.drawing(first) } else { Some(first) }
    }

    fn next_notice(&mut self) -> Option<String> {
        for _ in 0..WAITS {
            self.sort_all();
            if !self.notices.is_empty() {
                break;
            }
            if self.is_virtual {
                self.type_unasked("wait 50");
            } else if !self.read(REPLY) {
                break;
            }
        }
        self.notices.pop_front()
    }

    fn pending_notices(&mut self) -> Vec<String> {
        self.sort_all();
        self.notices.drain(..).collect()
    }

    fn pending_replies(&mut self) -> Vec<String> {
        self.sort_all();
        self.replies.drain(..).collect()
    }

    fn outside(&mut self, action: Action, id: i64) {
        match action {
            Action::Kill => self.type_unasked(&format!("kill {id}")),
            Action::Stop => self.type_unasked(&format!("pause {id}")),
            Action::Continue => self.type_unasked(&format!("resume {id}")),
        }
    }

    fn is_virtual_time(&self) -> bool {
        self.is_virtual
    }
}
