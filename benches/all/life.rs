//! Processes: how long their beginning and their end take, and what they cost when they do nothing.

use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use nodetree::{Command, Dictionary, Mode, NodeTree};
use rustix::process::{Signal, kill_process};

use crate::program::{PROGRAM, Program, pid, pid_of, read_proc};
use crate::raw::Minimal;
use crate::table::{Goal, Outcome, Print, Row, Unit, in_turns, is_measured, median, percentile};

/// A node that stands aside, so that there always is one.
const OTHER: i64 = 0;

const ROUNDS: usize = 300;

fn rounds() -> usize {
    if is_measured() { ROUNDS } else { 3 }
}

fn start(spares: usize) -> Outcome<NodeTree<Dictionary>> {
    let builder = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(PROGRAM);
    let tree = builder.spare_processes(spares).start()?;
    pid_of(&tree.line(&format!("create {OTHER}"))?)?;
    Ok(tree)
}

/// From the submission of a create to its reply; the baseline until the first byte of a program that was started.
pub fn create(minimal: &Minimal, print: Print<'_>) -> Outcome<()> {
    let tree = start(0)?;
    let with_spare = start(1)?;
    let [ours, from_spare, raw] = in_turns(
        rounds(),
        [
            &mut || Ok(time_of_create(&tree)?.0),
            &mut || {
                let spare = stands_by(&with_spare)?;
                let (time, pid) = time_of_create(&with_spare)?;
                assert_eq!(pid, spare, "a process that was started for it");
                // The next one starts before something else is measured.
                stands_by(&with_spare)?;
                Ok(time)
            },
            &mut || {
                let start = Instant::now();
                let process = minimal.start()?;
                let time = start.elapsed().as_secs_f64();
                drop(process);
                Ok(time)
            },
        ],
    )?;
    let row = Row::new("create (submit → `Ok: pid`)", Unit::Time, median(&ours));
    print(row.beside("a minimal program until its first byte", median(&raw)).goal(Goal::Ratio(1.4)))?;
    let row = Row::new("create with a spare process waiting (submit → `Ok: pid`)", Unit::Time, median(&from_spare));
    print(row.beside("a minimal program until its first byte", median(&raw)).goal(Goal::Most(0.5e-3)))?;
    Ok(())
}

/// Creates a node and removes it; gives back how long the create took, and the pid.
fn time_of_create(tree: &NodeTree<Dictionary>) -> Outcome<(f64, u32)> {
    let replies = tree.replies()?;
    let start = Instant::now();
    tree.submit(Command::Create { id: 1, parent: None })?;
    let reply = replies.recv()?;
    let time = start.elapsed().as_secs_f64();
    let pid = pid_of(&reply.answer.to_string())?;
    assert_eq!(tree.line("remove 1")?, "Ok");
    Ok((time, pid))
}

/// Waits for a spare process. It does not spin: whoever has used up its share of a core is let wait when it is measured.
fn stands_by(tree: &NodeTree<Dictionary>) -> Outcome<u32> {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(10) {
        if let [pid, ..] = tree.spare_processes()[..] {
            return Ok(pid);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Err("no spare process stands by".into())
}

/// From kill -9 until a ping says so; the baseline until the end of stream of a program that was killed.
pub fn death(minimal: &Minimal, print: Print<'_>) -> Outcome<()> {
    let tree = start(0)?;
    let [ours, raw] = in_turns(
        rounds(),
        [
            &mut || {
                let victim = pid(pid_of(&tree.line("create 1")?)?)?;
                let start = Instant::now();
                kill_process(victim, Signal::KILL)?;
                while tree.line("ping 1")? != "Ok: 0" {}
                Ok(start.elapsed().as_secs_f64())
            },
            &mut || {
                let mut process = minimal.start()?;
                let start = Instant::now();
                kill_process(pid(process.0.id())?, Signal::KILL)?;
                let out = process.0.stdout.as_mut().ok_or("no output")?;
                assert_eq!(out.read(&mut [0])?, 0);
                Ok(start.elapsed().as_secs_f64())
            },
        ],
    )?;
    for (what, percent, most) in [("median", 50, 2e-3), ("99 %", 99, 20e-3)] {
        let row = Row::new(format!("kill -9 → `ping` says 0, {what}"), Unit::Time, percentile(&ours, percent));
        let row = row.beside("kill -9 until the end of stream", percentile(&raw, percent));
        print(row.goal(Goal::Most(most)))?;
    }
    Ok(())
}

/// How soon the end of a node is noticed, of so many: from the signal to the notice.
pub fn detection(signal: Signal, period: Duration, times: usize) -> Outcome<Vec<f64>> {
    let tree = NodeTree::<Dictionary>::builder().mode(Mode::Process).node_program(PROGRAM).start()?;
    assert_eq!(tree.line(&format!("heartbit {}", period.as_millis()))?, "Ok");
    let (notices, mut figures) = (tree.notices(), Vec::new());
    for round in 0..times {
        let victim = pid(pid_of(&tree.line("create 1")?)?)?;
        // So that it is struck at another moment between two beats each time.
        std::thread::sleep(period + period * (round as u32 % 7) / 7);
        let start = Instant::now();
        kill_process(victim, signal)?;
        // That it is there again, since the one before, may be told first.
        while notices.recv_timeout(Duration::from_secs(60))?.to_string() != "Heartbit: node 1 is unavailable now" {}
        figures.push(start.elapsed().as_secs_f64());
        // Whoever was only stopped.
        tree.line("kill 1")?;
        while tree.line("ping 1")? != "Ok: 0" {}
    }
    figures.sort_by(f64::total_cmp);
    Ok(figures)
}

/// Memory of its own, and what is done when there is nothing to do.
pub fn idle(minimal: &Minimal, print: Print<'_>) -> Outcome<()> {
    let (nodes, settling, while_idle) = if is_measured() { (100, 11, 5) } else { (3, 0, 0) };
    let mut program = Program::start(&[])?;
    let pids = (1..=nodes).map(|id| program.create(id, (id > 1).then_some(id / 2))).collect::<Outcome<Vec<_>>>()?;
    let private = pids.iter().map(|pid| private_bytes(*pid)).sum::<Outcome<f64>>()? / nodes as f64;
    let process = minimal.start()?;
    let row = Row::new("private memory of an idle node", Unit::Bytes, private);
    print(row.beside("a minimal program", private_bytes(process.0.id())?).goal(Goal::Most(0.5e6)))?;

    let all: Vec<u32> = pids.into_iter().chain([program.pid()]).collect();
    // The deadlines of their creation, which are 10 s, pass first.
    std::thread::sleep(Duration::from_secs(settling));
    let before = (switches(&all)?, ticks(&all)?);
    std::thread::sleep(Duration::from_secs(while_idle));
    let after = (switches(&all)?, ticks(&all)?);
    let figures = [("context switches", after.0 - before.0), ("ticks of processor time", after.1 - before.1)];
    for (name, ours) in figures {
        let what = format!("{name} of {nodes} idle nodes and the control node in {while_idle} s");
        print(Row::new(what, Unit::Count, ours as f64).goal(Goal::Most(0.0)))?;
    }
    Ok(())
}

pub fn private_bytes(pid: u32) -> Outcome<f64> {
    Ok(read_proc(&format!("/proc/{pid}/smaps_rollup"), &["Private_Clean:", "Private_Dirty:"])? as f64 * 1024.0)
}

/// How often any thread of them has given up a core, or lost it.
fn switches(pids: &[u32]) -> Outcome<u64> {
    let mut sum = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = task?.path().join("status");
            let words = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
            sum += read_proc(&status.to_string_lossy(), &words)?;
        }
    }
    Ok(sum)
}

/// User and system time of all of them, in clock ticks.
fn ticks(pids: &[u32]) -> Outcome<u64> {
    let mut sum = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
        for field in fields.split_ascii_whitespace().skip(11).take(2) {
            sum += field.parse::<u64>()?;
        }
    }
    Ok(sum)
}
