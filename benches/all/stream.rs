//! One request of 670 MB, through a pipe into a node that holds no more than a window of it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Instant;

use crate::Print;
use crate::program::{Program, read_proc};
use crate::raw::{Process, role};
use crate::table::{Goal, Outcome, Row, Unit, in_turns, is_measured, median};

/// The text of so many numbers is made once and written again and again.
const BLOCK_NUMBERS: usize = 100_000;

const READ_BYTES: usize = 64 * 1024;

/// A process writes the request into the program; the baseline into a process that reads and drops.
pub fn sum(print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = if is_measured() { (3, 100_000_000) } else { (1, BLOCK_NUMBERS) };
    let mut most = 0;
    let [ours, raw] = in_turns(
        rounds,
        [
            &mut || {
                let (time, memory) = into_the_program(count)?;
                most = most.max(memory);
                Ok(time)
            },
            &mut || into_nothing(count),
        ],
    )?;
    let what = format!("sum of {count} numbers through a pipe");
    let (ours, baseline) = (median(&ours), Some(("the pipe alone", median(&raw))));
    print(Row { what, unit: Unit::Time, ours, baseline, goal: Goal::Ratio(2.5) })?;
    let what = "most resident memory of its processes".to_owned();
    let limit = Goal::Most((64 * 1024 * 1024) as f64);
    print(Row { what, unit: Unit::Bytes, ours: most as f64, baseline: None, goal: limit })?;
    Ok(())
}

/// The time, and the most memory of the two processes.
fn into_the_program(count: usize) -> Outcome<(f64, u64)> {
    let mut program = Program::start(&["--commands", "sum"])?;
    let node = program.create(1, None)?;
    let start = Instant::now();
    let writer = Process(role("numbers", &[count])?.stdout(program.input.try_clone()?).spawn()?);
    let reply = program.next_line()?;
    let time = start.elapsed().as_secs_f64();
    let sum = block(BLOCK_NUMBERS).1 * (count / BLOCK_NUMBERS) as i64;
    assert_eq!(reply, format!("Ok:1: {sum}"));
    drop(writer);
    let mut most = 0;
    for pid in [program.pid(), node] {
        most = most.max(read_proc(&format!("/proc/{pid}/status"), &["VmHWM:"])? * 1024);
    }
    Ok((time, most))
}

fn into_nothing(count: usize) -> Outcome<f64> {
    let (input, output) = io::pipe()?;
    let mut reader = Process(role("drop", &[])?.stdin(input).stdout(Stdio::piped()).spawn()?);
    let mut said = reader.0.stdout.take().ok_or("no output")?;
    said.read_exact(&mut [0])?;
    let start = Instant::now();
    let writer = Process(role("numbers", &[count])?.stdout(output).spawn()?);
    said.read_exact(&mut [0])?;
    let time = start.elapsed().as_secs_f64();
    drop(writer);
    Ok(time)
}

/// The text of so many numbers, each behind a blank, and their sum.
fn block(numbers: usize) -> (Vec<u8>, i64) {
    let (mut text, mut sum, mut state) = (Vec::new(), 0, 1u64);
    for _ in 0..numbers {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 33) as i64 % 300_001 - 150_000;
        text.extend_from_slice(format!(" {number}").as_bytes());
        sum += number;
    }
    (text, sum)
}

/// The writer.
pub fn write_numbers(count: usize) -> io::Result<()> {
    let (text, _) = block(BLOCK_NUMBERS);
    // Not the standard library's, which looks for line ends.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    write!(out, "exec 1 {count}")?;
    for _ in 0..count / BLOCK_NUMBERS {
        out.write_all(&text)?;
    }
    out.write_all(b"\n")
}

/// The reader of the baseline: says when it is there and when everything has come.
pub fn read_and_drop() -> io::Result<()> {
    let (mut input, mut out, mut buffer) = (io::stdin().lock(), io::stdout(), vec![0; READ_BYTES]);
    out.write_all(b"x")?;
    out.flush()?;
    while input.read(&mut buffer)? > 0 {}
    out.write_all(b"x")?;
    out.flush()
}
