//! Execs: how long one takes, and how many go through.

use std::io::{BufRead, Write};
use std::thread;
use std::time::Instant;

use crossbeam_channel::Receiver;
use nodetree::{Command, Dictionary, Mode, NodeTree, Reply};

use crate::frames;
use crate::peers::{Peer, Peers};
use crate::program::{PROGRAM, Program};
use crate::raw::{CodecClient, Raw};
use crate::table::{Goal, Outcome, Print, Row, Scale, Unit, in_turns, is_measured, median, rate};

const ROUNDS: usize = 15;

/// A library's tree in which the last node of a chain is asked.
pub struct Chain {
    tree: NodeTree<Dictionary>,
    replies: Receiver<Reply<Dictionary>>,
    depth: usize,
}

impl Chain {
    pub fn start(depth: usize) -> Outcome<Self> {
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
    pub fn exchange(&self) -> Outcome<()> {
        self.tree.submit(Command::Exec { id: self.depth as i64, request: Ok(Dictionary::load("x")) })?;
        self.replies.recv()?;
        Ok(())
    }
}

/// One exec after the other.
pub fn latency(depth: usize, peers: &Peers, print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = if is_measured() { (ROUNDS, 2_000) } else { (1, 20) };
    let (ours, mut raw, mut codec) = (Chain::start(depth)?, Raw::chain(depth)?, CodecClient::start()?);
    let mut queue: Peer = peers.dealer()?;
    let [ours, raw, codec, queue] = in_turns(
        rounds,
        [
            &mut || each(count, || ours.exchange()),
            &mut || each(count, || raw.exchange()),
            &mut || each(1, || codec.exchange(count)).map(|time| time / count as f64),
            &mut || queue.measure(count),
        ],
    )?;
    let what = format!("exec, processes, depth {depth} (submit → recv)");
    let row = Row::new(what, Unit::Time, median(&ours));
    if depth == 1 {
        print(row.clone().beside("64 bytes to a process and back", median(&raw)).goal(Goal::Ratio(3.0)))?;
        print(row.clone().beside("the same with tokio, frames and postcard", median(&codec)))?;
        print(row.beside("zeromq, DEALER to ROUTER over ipc", median(&queue)))?;
    } else {
        print(row.beside("64 bytes along a chain of processes", median(&raw)).goal(Goal::Ratio(1.8)))?;
    }
    Ok(())
}

/// The time of one out of so many.
pub fn each(count: usize, mut exchange: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    (0..count).try_for_each(|_| exchange())?;
    Ok(start.elapsed().as_secs_f64() / count as f64)
}

/// As fast as the program's pipes take and give them, in turn to each node of a binary tree.
pub fn pipelined(nodes: usize, print: Print<'_>) -> Outcome<()> {
    let [ours, raw, framed] = rates(nodes)?;
    let what = format!("execs, processes, spread over {nodes} (pipe → pipe)");
    let row = Row::new(what, Unit::PerSecond, median(&ours)).on_all_cores();
    let (baseline, least, ratio) = match nodes {
        1 => ("batches of frames to a process and back", 500_000.0, 2.0),
        15 => ("batches of frames over such a tree", 300_000.0, 4.0),
        _ => ("batches of frames over such a tree", 60_000.0, 4.0),
    };
    print(row.clone().beside(baseline, median(&raw)).goal(Goal::Least(least)).goal(Goal::Ratio(ratio)))?;
    if nodes == 1 {
        print(row.beside("the same frames in batches to a process and back, with the codec", median(&framed)))?;
        let alone = frames::codec_alone(Scale::asked().pick(1_000, 100_000, 100_000))?;
        print(Row::new("the codec alone, a request and its reply", Unit::Time, alone))?;
    }
    Ok(())
}

/// How many a second go over a tree: ours through the program, those of the forwarders, and of two processes with the
/// codec.
pub fn rates(nodes: usize) -> Outcome<[Vec<f64>; 3]> {
    let (rounds, count) = Scale::asked().pick((1, 1_000), (5, 100_000), (ROUNDS, 100_000));
    let (mut ours, mut raw, framed) = (Program::start(&[])?, Raw::tree(nodes)?, Raw::one("frames")?);
    for id in 1..=nodes {
        ours.create(id, (id > 1).then_some(id / 2))?;
        assert_eq!(ours.line(&format!("exec {id} x 5"))?, format!("Ok:{id}"));
    }
    let lines: String = (0..count).map(|at| format!("exec {} x\n", at % nodes + 1)).collect();
    let time = |work: &mut dyn FnMut() -> Outcome<()>| {
        let start = Instant::now();
        work()?;
        Ok(rate(count, start.elapsed()))
    };
    in_turns(
        rounds,
        [
            &mut || time(&mut || through_pipes(&mut ours, &lines, count)),
            &mut || time(&mut || raw.pipeline(count, nodes)),
            &mut || frames::exchanged(&framed, count),
        ],
    )
}

/// Writes the lines on a thread of their own, and reads a reply to each.
pub fn through_pipes(program: &mut Program, lines: &str, count: usize) -> Outcome<()> {
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
