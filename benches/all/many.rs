//! Many nodes that are processes, and many commands: what does not show with a few.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::exec::through_pipes;
use crate::life::private_bytes;
use crate::program::{Program, pid_of, read_proc};
use crate::raw::{Minimal, Process};
use crate::table::{Goal, Outcome, Print, Row, Scale, Unit, in_turns, median};

/// The seconds that all threads of these processes have run. Ticks would miss whoever runs for a moment only.
fn time_of_processor(pids: &[u32]) -> Outcome<f64> {
    let mut nanos = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split(' ').next().ok_or("no number")?.parse::<u64>()?;
        }
    }
    Ok(nanos as f64 / 1e9)
}

/// A program with so many nodes in a binary tree, their pids, and how long that took.
fn forest(nodes: usize) -> Outcome<(Program, Vec<u32>, f64)> {
    let mut program = Program::start(&["--reply-timeout", "60s"])?;
    let lines: String = (1..=nodes).map(|id| format!("create {id} {}\n", parent(id))).collect();
    let start = Instant::now();
    let mut input = program.input.try_clone()?;
    let pids = thread::scope(|scope| {
        let source = scope.spawn(move || input.write_all(lines.as_bytes()));
        let pids: Outcome<Vec<u32>> = (0..nodes).map(|_| pid_of(&program.next_line()?)).collect();
        source.join().map_err(|_| "the source panicked")??;
        pids
    })?;
    Ok((program, pids, start.elapsed().as_secs_f64()))
}

fn parent(id: usize) -> i64 {
    if id == 1 { -1 } else { id as i64 / 2 }
}

/// Many are created, asked and ended, beside as many of the minimal programs.
pub fn many(minimal: &Minimal, print: Print<'_>) -> Outcome<()> {
    raise_descriptor_limit();
    let (rounds, nodes) = Scale::asked().pick((1, 10), (1, 500), (2, 5_000));
    let (mut waves, mut ends, mut raw_ends) = (Vec::new(), Vec::new(), Vec::new());
    let [ours, raw] = in_turns(
        rounds,
        [
            &mut || {
                let (mut program, pids, time) = forest(nodes)?;
                let start = Instant::now();
                assert_eq!(program.line("pingall")?, "Ok: -1");
                waves.push(start.elapsed().as_secs_f64());
                let start = Instant::now();
                program.exit()?;
                await_end(&pids);
                ends.push(start.elapsed().as_secs_f64());
                Ok(time)
            },
            &mut || {
                let start = Instant::now();
                let started: Vec<Process> = (0..nodes).map(|_| minimal.start()).collect::<Outcome<_>>()?;
                let time = start.elapsed().as_secs_f64();
                let start = Instant::now();
                drop(started);
                raw_ends.push(start.elapsed().as_secs_f64());
                Ok(time)
            },
        ],
    )?;
    let row =
        Row::new(format!("{nodes} node processes created (pipe → the last `Ok: pid`)"), Unit::Time, median(&ours));
    print(row.beside("as many minimal programs until their first byte", median(&raw)).goal(Goal::Ratio(1.8)))?;
    let sorted = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures
    };
    let row = Row::new(format!("pingall, {nodes} node processes"), Unit::Time, median(&sorted(waves)));
    print(row.goal(Goal::Most(1.0)))?;
    let what = format!("exit → all gone, {nodes} node processes");
    let row = Row::new(what, Unit::Time, median(&sorted(ends)));
    print(row.beside("as many minimal programs killed and reaped", median(&sorted(raw_ends))).goal(Goal::Most(1.0)))?;
    Ok(())
}

fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn await_end(pids: &[u32]) {
    let mut left: BTreeSet<u32> = pids.iter().copied().collect();
    while !left.is_empty() {
        left.retain(|pid| fs::exists(format!("/proc/{pid}")).unwrap_or(false));
    }
}

/// A tree that does nothing but beat.
pub fn beating(print: Print<'_>) -> Outcome<()> {
    let (nodes, seconds) = Scale::asked().pick((10, 0), (200, 5), (1_000, 20));
    let (mut program, mut pids, _) = forest(nodes)?;
    pids.push(program.pid());
    assert_eq!(program.line("heartbit 1000")?, "Ok");
    thread::sleep(Duration::from_secs(seconds.min(2)));
    let (before, start) = (time_of_processor(&pids)?, Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let share = (time_of_processor(&pids)? - before) / start.elapsed().as_secs_f64();
    let row = Row::new(format!("heartbit 1000, {nodes} idle node processes, in all"), Unit::Share, share);
    print(row.goal(Goal::Most(0.05 * nodes as f64 / 1_000.0)))?;
    Ok(())
}

/// What a command costs when there are many nodes beside its own, and when many were before it.
pub fn growth(print: Print<'_>) -> Outcome<()> {
    let siblings = Scale::asked().pick(10, 200, 1_000);
    let (mut few, mut many) = (Program::start(&[])?, Program::start(&[])?);
    for id in 1..=siblings {
        many.create(id, None)?;
    }
    few.create(1, None)?;
    let count = Scale::asked().pick(100, 2_000, 5_000);
    let exchange = |program: &mut Program| {
        let start = Instant::now();
        for _ in 0..count {
            assert!(program.line("exec 1 x 5")?.starts_with("Ok:1"));
        }
        Ok(start.elapsed().as_secs_f64() / f64::from(count))
    };
    let rounds = Scale::asked().pick(1, 5, 9);
    let [many, few] = in_turns(rounds, [&mut || exchange(&mut many), &mut || exchange(&mut few)])?;
    let row =
        Row::new(format!("exec, processes, {siblings} nodes at its depth (pipe → pipe)"), Unit::Time, median(&many));
    print(row.beside("one node at that depth", median(&few)).goal(Goal::Ratio(1.1)))?;
    long_life(print)
}

/// The same commands again and again.
fn long_life(print: Print<'_>) -> Outcome<()> {
    let (parts, count) = Scale::asked().pick((2, 1_000), (10, 20_000), (20, 50_000));
    let mut program = Program::start(&[])?;
    let pids = [program.pid(), program.create(1, None)?];
    let lines = "exec 1 x 5\n".repeat(count);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..parts {
        let start = Instant::now();
        through_pipes(&mut program, &lines, count)?;
        times.push(start.elapsed().as_secs_f64() / count as f64);
        let mut resident = 0;
        for pid in pids {
            resident += read_proc(&format!("/proc/{pid}/status"), &["VmRSS:"])? * 1024;
        }
        memory.push(resident as f64);
    }
    let half = |figures: &mut [f64]| {
        figures.sort_by(f64::total_cmp);
        median(figures)
    };
    let (first, last) = times.split_at_mut(parts / 2);
    let row = Row::new(format!("an exec among the last of {} (pipe → pipe)", parts * count), Unit::Time, half(last));
    print(row.beside("among the first half", half(first)).goal(Goal::Ratio(1.1)))?;
    // By then all that is kept for the next time has been needed once.
    let (after_half, at_the_end) = (memory[parts / 2], median(&memory[parts - 1..]));
    let row = Row::new(format!("memory of both processes after {} execs", parts * count), Unit::Bytes, at_the_end);
    print(row.beside("after half of them", after_half).goal(Goal::Ratio(1.05)))?;
    Ok(())
}

/// The private memory of a node among so many.
pub fn memory_of_one(nodes: usize) -> Outcome<f64> {
    let (_program, pids, _) = forest(nodes)?;
    Ok(pids.iter().map(|pid| private_bytes(*pid)).sum::<Outcome<f64>>()? / nodes as f64)
}
