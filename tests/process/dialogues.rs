//! The written dialogues, held with the library; what comes from outside comes as signals.

use std::collections::VecDeque;
use std::time::Duration;
use std::{fs, thread};

use crossbeam_channel::Receiver;
use nodetree::testing::oracle::{Action, Commands};
use nodetree::testing::runner::kind;
use nodetree::testing::transcript::{Driver, Transcript};
use nodetree::{CommandSet, Dictionary, Mode, NodeTree, Notice, Reply, Search, Sum, Ticket, Timer};
use rustix::process::{Pid, Signal};

use crate::harness::{PATIENCE, is_stopped, say, strike, until};
use crate::sandbox::sandboxed;

/// Holds a dialogue with the library; what comes from outside comes as signals.
struct Library<C: CommandSet> {
    tree: NodeTree<C>,
    replies: Receiver<Reply<C>>,
    notices: Receiver<Notice>,
    typed: VecDeque<Ticket>,
    /// The lines of an exec that is not complete.
    open: Vec<String>,
}

impl<C: CommandSet> Library<C> {
    fn hold(transcript: &Transcript, spares: usize) -> Result<(), String> {
        let reply_timeout = Duration::from_millis(transcript.reply_timeout_ms.unwrap_or(5000));
        let builder = NodeTree::<C>::builder().mode(Mode::Process).node_program(env!("CARGO_BIN_EXE_nodetree"));
        let builder = builder.topology(kind(transcript.topology)).reply_timeout(reply_timeout);
        let tree = builder.spare_processes(spares).start().expect("a process system starts");
        until("spare processes stand by", || tree.spare_processes().len() == spares);
        let (replies, notices) = (tree.replies().unwrap(), tree.notices());
        let mut library = Self { tree, replies, notices, typed: VecDeque::new(), open: Vec::new() };
        transcript.run(&mut library).map_err(|mismatch| mismatch.to_string())
    }

    /// The command that is complete with this line: an exec of `search` is three lines.
    fn command(&mut self, line: &str) -> Option<String> {
        self.open.push(line.to_owned());
        let is_exec = self.open[0].split_whitespace().next() == Some("exec");
        let lines = if is_exec && C::NAME == Search::NAME { 3 } else { 1 };
        (self.open.len() == lines).then(|| std::mem::take(&mut self.open).join("\n"))
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
        if let Some(command) = self.command(line) {
            self.typed.push_back(self.tree.submit_line(&command).unwrap());
        }
    }

    fn type_all(&mut self, lines: &[&str]) {
        let commands: Vec<String> = lines.iter().filter_map(|line| self.command(line)).collect();
        self.typed.extend(self.tree.submit_lines(commands.iter().map(String::as_str)).unwrap());
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

#[test]
fn every_dialogue_comes_out_as_written() {
    sandboxed!({ every_dialogue_comes_out_with(0) });
}

#[test]
fn every_dialogue_comes_out_as_written_with_spare_processes() {
    sandboxed!({ every_dialogue_comes_out_with(2) });
}

/// Most of a dialogue is waiting, so they are all held at once.
fn every_dialogue_comes_out_with(spares: usize) {
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
                    Commands::Sum => Library::<Sum>::hold(&transcript, spares),
                    Commands::Dictionary => Library::<Dictionary>::hold(&transcript, spares),
                    Commands::Timer => Library::<Timer>::hold(&transcript, spares),
                    Commands::Search => Library::<Search>::hold(&transcript, spares),
                };
                assert_eq!(outcome, Ok(()), "{}", path.display());
            });
        }
    });
}
