//! Execs: how long one takes, and how many go through.

use std::io::{BufRead, Write};
use std::thread;
use std::time::Instant;

use crossbeam_channel::Receiver;
use nodetree::{Command, Dictionary, Mode, NodeTree, Reply};

use crate::Print;
use crate::program::{PROGRAM, Program};
use crate::raw::{CodecClient, Raw};
use crate::table::{Goal, Outcome, Row, Unit, in_turns, is_measured, median, rate};

const ROUNDS: usize = 15;

/// A library's tree in which the last node of a chain is asked.
struct Chain {
    tree: NodeTree<Dictionary>,
    replies: Receiver<Reply<Dictionary>>,
    depth: usize,
}

impl Chain {
    fn start(depth: usize) -> Outcome<Self> {
        let tree = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(PROGRAM).start()?;
        for id in 1..=depth {
            let parent = if id == 1 { -1 } else { id as i64 - 1 };
            let reply = tree.line(&format!("create {id} {parent}"))?;
            assert!(reply.starts_with("Ok"), "{reply}");
        }
        assert_eq!(tree.line(&format!("exec {depth} x 5"))?, format!("Ok:{depth}"));
        let replies = tree.replies()?;
        Ok(Self { tree, replies, depth })
    }

    /// From the submission until the reply is there, on a plain thread.
    fn exchange(&self) -> Outcome<()> {
        self.tree.submit(Command::Exec { id: self.depth as i64, request: Ok(Dictionary::load("x")) })?;
        self.replies.recv()?;
        Ok(())
    }
}

/// One exec after the other.
pub fn latency(depth: usize, print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = if is_measured() { (ROUNDS, 2_000) } else { (1, 20) };
    let (ours, mut raw, mut codec) = (Chain::start(depth)?, Raw::chain(depth)?, CodecClient::start()?);
    let time = |work: &mut dyn FnMut() -> Outcome<()>| -> Outcome<f64> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64() / count as f64)
    };
    let [ours, raw, codec] = in_turns(
        rounds,
        [
            &mut || time(&mut || (0..count).try_for_each(|_| ours.exchange())),
            &mut || time(&mut || (0..count).try_for_each(|_| raw.exchange())),
            &mut || time(&mut || codec.exchange(count)),
        ],
    )?;
    let what = format!("exec at depth {depth}, one by one (submit → recv)");
    let row = |baseline, figures: &[f64], goal| Row {
        what: what.clone(),
        unit: Unit::Time,
        ours: median(&ours),
        baseline: Some((baseline, median(figures))),
        goal: Goal::Ratio(goal),
    };
    if depth == 1 {
        print(row("64 bytes to a process and back", &raw, 4.0))?;
        print(row("the same with tokio, frames and postcard", &codec, 2.0))?;
    } else {
        print(row("64 bytes along a chain of processes", &raw, 2.2))?;
    }
    Ok(())
}

/// As fast as the program's pipes take and give them, in turn to each node of a binary tree.
pub fn pipelined(nodes: usize, print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = if is_measured() { (ROUNDS, 100_000) } else { (1, 1_000) };
    let (mut ours, mut raw) = (Program::start(&[])?, Raw::tree(nodes)?);
    for id in 1..=nodes {
        ours.create(id, (id > 1).then_some(id / 2))?;
        assert_eq!(ours.line(&format!("exec {id} x 5"))?, format!("Ok:{id}"));
    }
    let lines: String = (0..count).map(|at| format!("exec {} x\n", at % nodes + 1)).collect();
    let [ours, raw] = in_turns(
        rounds,
        [
            &mut || {
                let start = Instant::now();
                through_pipes(&mut ours, &lines, count)?;
                Ok(rate(count, start.elapsed()))
            },
            &mut || {
                let start = Instant::now();
                raw.pipeline(count, nodes)?;
                Ok(rate(count, start.elapsed()))
            },
        ],
    )?;
    let (what, baseline, goal) = match nodes {
        1 => ("execs at depth 1 (pipe → pipe)".to_owned(), "batches of frames to a process and back", 200_000.0),
        _ => (format!("execs over a tree of {nodes} (pipe → pipe)"), "batches of frames over such a tree", 100_000.0),
    };
    let (ours, baseline) = (median(&ours), Some((baseline, median(&raw))));
    print(Row { what, unit: Unit::PerSecond, ours, baseline, goal: Goal::Least(goal) })?;
    Ok(())
}

/// Writes the lines on a thread of their own, and reads a reply to each.
fn through_pipes(program: &mut Program, lines: &str, count: usize) -> Outcome<()> {
    let (input, output) = (&mut program.input, &mut program.output);
    thread::scope(|scope| {
        let source = scope.spawn(|| input.write_all(lines.as_bytes()));
        let mut left = count;
        while left > 0 {
            let replies = output.fill_buf()?;
            let length = replies.len();
            left -= memchr::memchr_iter(b'\n', replies).count();
            output.consume(length);
            assert!(length > 0, "the program has ended");
        }
        source.join().map_err(|_| "the source panicked")??;
        Ok(())
    })
}
