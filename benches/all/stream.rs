//! Long requests: numbers to add up, of which a node holds no more than a window, and texts to search.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use crate::program::{Program, pid_of, read_proc};
use crate::raw::{Process, role};
use crate::table::{Goal, Outcome, Print, Row, Scale, Unit, in_turns, median};

/// The text of so many numbers is made once and written again and again.
const BLOCK_NUMBERS: usize = 100_000;

const READ_BYTES: usize = 64 * 1024;

/// A process writes the request into the program; the baseline into a process that reads and drops.
pub fn sum(print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = Scale::asked().pick((1, BLOCK_NUMBERS), (3, 10_000_000), (5, 100_000_000));
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
    let row = Row::new(format!("sum of {count} numbers (pipe → reply)"), Unit::Time, median(&ours));
    print(row.beside("the pipe alone", median(&raw)).goal(Goal::Ratio(2.0)))?;
    let row = Row::new("most memory of a process meanwhile", Unit::Bytes, most as f64);
    print(row.goal(Goal::Most((32 * 1024 * 1024) as f64)))?;
    Ok(())
}

/// The request is a file on standard input; the baseline reads the file and adds up its numbers, byte by byte.
pub fn sum_of_file(print: Print<'_>) -> Outcome<()> {
    let (rounds, count) = Scale::asked().pick((1, BLOCK_NUMBERS), (3, 10_000_000), (5, 100_000_000));
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("numbers");
    let mut file = File::create(&path)?;
    writeln!(file, "create 1")?;
    write_request(&mut file, count)?;
    // So that it is still there to be looked at.
    writeln!(file, "wait 600000")?;
    let path = path.to_string_lossy();
    let mut most = 0;
    let [ours, raw] = in_turns(
        rounds,
        [
            &mut || {
                let start = Instant::now();
                let mut program = Program::reading(File::open(&*path)?, &["--commands", "sum"])?;
                let node = pid_of(&program.next_line()?)?;
                assert_eq!(program.next_line()?, format!("Ok:1: {}", sum_of(count)));
                most = most.max(most_memory(&[program.pid(), node])?);
                Ok(start.elapsed().as_secs_f64())
            },
            &mut || {
                let start = Instant::now();
                let mut process = Process(role("add", &[count])?.arg(&*path).stdout(Stdio::piped()).spawn()?);
                let mut said = String::new();
                process.0.stdout.take().ok_or("no output")?.read_to_string(&mut said)?;
                assert_eq!(said.parse(), Ok(sum_of(count)));
                Ok(start.elapsed().as_secs_f64())
            },
        ],
    )?;
    let row = Row::new(format!("sum of {count} numbers (file on standard input → reply)"), Unit::Time, median(&ours));
    let goal = 1.5 * count as f64 / 1e8;
    print(row.beside("reading the file and adding in a byte loop", median(&raw)).goal(Goal::Most(goal)))?;
    let row = Row::new("most memory of a process meanwhile", Unit::Bytes, most as f64);
    print(row.goal(Goal::Most((32 * 1024 * 1024) as f64)))?;
    Ok(())
}

/// Searches: one match in a long text, a text and a pattern that are alike everywhere, and matches at each position.
pub fn search(print: Print<'_>) -> Outcome<()> {
    let (rounds, length) = Scale::asked().pick((1, 100_000), (3, 10_000_000), (5, 100_000_000));
    rare(rounds, length, print)?;
    alike(rounds, length, print)?;
    let everywhere = Searched::new("a".repeat(length), "a".to_owned());
    let [ours] = in_turns(rounds.min(3), [&mut || everywhere.through_the_program(length)])?;
    let row = Row::new(
        format!("search in {length} characters, a match at each (pipe → the last)"),
        Unit::Time,
        median(&ours),
    );
    print(row.goal(Goal::Most(4.0 * length as f64 / 1e8)))?;
    Ok(())
}

fn rare(rounds: usize, length: usize, print: Print<'_>) -> Outcome<()> {
    let (mut text, pattern) = (String::with_capacity(length), "theneedle");
    while text.len() + 64 < length {
        text.push_str("hayandstrawthenettleandthenoodle");
    }
    text.push_str(pattern);
    let searched = Searched::new(text, pattern.to_owned());
    let [ours, found, carried] = in_turns(
        rounds,
        [&mut || searched.through_the_program(1), &mut || searched.with_memmem(), &mut || searched.only_carried()],
    )?;
    let row = Row::new(format!("search in {length} characters, one match (pipe → reply)"), Unit::Time, median(&ours));
    let limit = 3.0 * median(&found) + median(&carried);
    print(row.clone().beside("3 memmem and the way to a second process", limit).goal(Goal::Ratio(1.0)))?;
    print(row.clone().beside("memmem alone", median(&found)))?;
    print(row.beside("the way to a second process alone", median(&carried)))?;
    Ok(())
}

/// What is quadratic where each position is tried.
fn alike(rounds: usize, length: usize, print: Print<'_>) -> Outcome<()> {
    let make = |length: usize| Searched::new("a".repeat(length), format!("{}b", "a".repeat(length / 2)));
    let (all, tenth) = (make(length), make(length / 10));
    let [all, tenth] = in_turns(rounds, [&mut || all.through_the_program(0), &mut || tenth.through_the_program(0)])?;
    let what = format!("search in {length} characters, nearly a match at each (pipe → reply)");
    let row = Row::new(what, Unit::Time, median(&all));
    print(row.beside("ten times that of a tenth", 10.0 * median(&tenth)).goal(Goal::Ratio(1.3)))?;
    Ok(())
}

/// A text and a pattern, and the request with both.
struct Searched {
    request: String,
    text: Range<usize>,
    pattern: String,
}

impl Searched {
    fn new(text: String, pattern: String) -> Self {
        let request = format!("exec 1\n{text}\n{pattern}\n");
        Self { request, text: 7..7 + text.len(), pattern }
    }

    /// From the first byte of the request to the last of the reply, which names so many matches.
    fn through_the_program(&self, matches: usize) -> Outcome<f64> {
        let mut program = Program::start(&["--commands", "search"])?;
        program.create(1, None)?;
        let (input, output) = (&mut program.input, &mut program.output);
        let start = Instant::now();
        let found = thread::scope(|scope| {
            let source = scope.spawn(|| input.write_all(self.request.as_bytes()));
            let found = count_matches(output)?;
            source.join().map_err(|_| "the source panicked")??;
            Outcome::Ok(found)
        })?;
        let time = start.elapsed().as_secs_f64();
        assert_eq!(found, matches);
        Ok(time)
    }

    fn with_memmem(&self) -> Outcome<f64> {
        let start = Instant::now();
        let text = &self.request.as_bytes()[self.text.clone()];
        let matches = memchr::memmem::find_iter(text, self.pattern.as_bytes()).count();
        assert_eq!(std::hint::black_box(matches), 1);
        Ok(start.elapsed().as_secs_f64())
    }

    /// Through a pipe to a process that hands it over a socket to another one, which drops it.
    fn only_carried(&self) -> Outcome<f64> {
        let ((input, mut output), (middle, end)) = (io::pipe()?, UnixStream::pair()?);
        let passing = Process(role("pass", &[])?.stdin(input).stdout(OwnedFd::from(middle)).spawn()?);
        let mut last = role("drop", &[])?.stdin(OwnedFd::from(end)).stdout(Stdio::piped()).spawn().map(Process)?;
        let mut said = last.0.stdout.take().ok_or("no output")?;
        said.read_exact(&mut [0])?;
        let start = Instant::now();
        output.write_all(self.request.as_bytes())?;
        drop(output);
        said.read_exact(&mut [0])?;
        let time = start.elapsed().as_secs_f64();
        drop(passing);
        Ok(time)
    }
}

/// How many matches the reply names.
fn count_matches(output: &mut impl BufRead) -> Outcome<usize> {
    let mut start = [0; 6];
    output.read_exact(&mut start)?;
    assert_eq!(&start, b"Ok:1: ");
    let is_none = output.fill_buf()?.first() == Some(&b'-');
    let mut separators = 0;
    loop {
        let piece = output.fill_buf()?;
        let end = memchr::memchr(b'\n', piece);
        let length = end.unwrap_or(piece.len());
        separators += memchr::memchr_iter(b';', &piece[..length]).count();
        output.consume(end.map_or(length, |end| end + 1));
        match (end, length) {
            (Some(_), _) if is_none => return Ok(0),
            (Some(_), _) => return Ok(separators + 1),
            (None, 0) => return Err("the program has ended".into()),
            _ => {}
        }
    }
}

/// The time, and the most memory of the two processes.
fn into_the_program(count: usize) -> Outcome<(f64, u64)> {
    let mut program = Program::start(&["--commands", "sum"])?;
    let node = program.create(1, None)?;
    let start = Instant::now();
    let writer = Process(role("numbers", &[count])?.stdout(program.input.try_clone()?).spawn()?);
    let reply = program.next_line()?;
    let time = start.elapsed().as_secs_f64();
    assert_eq!(reply, format!("Ok:1: {}", sum_of(count)));
    drop(writer);
    Ok((time, most_memory(&[program.pid(), node])?))
}

/// The most that one of them has had in memory.
fn most_memory(pids: &[u32]) -> Outcome<u64> {
    pids.iter().try_fold(0, |most, pid| Ok(most.max(read_proc(&format!("/proc/{pid}/status"), &["VmHWM:"])? * 1024)))
}

fn sum_of(count: usize) -> i64 {
    block(BLOCK_NUMBERS).1 * (count / BLOCK_NUMBERS) as i64
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
    // Not the standard library's, which looks for line ends.
    write_request(&mut File::from(io::stdout().as_fd().try_clone_to_owned()?), count)
}

fn write_request(out: &mut File, count: usize) -> io::Result<()> {
    let (text, _) = block(BLOCK_NUMBERS);
    write!(out, "exec 1 {count}")?;
    for _ in 0..count / BLOCK_NUMBERS {
        out.write_all(&text)?;
    }
    out.write_all(b"\n")
}

/// The reader of the baseline: says when it is there and when everything has come.
pub fn read_and_drop() -> io::Result<()> {
    let (mut input, mut out, mut buffer) = (input(), io::stdout(), vec![0; READ_BYTES]);
    out.write_all(b"x")?;
    out.flush()?;
    while input.read(&mut buffer)? > 0 {}
    out.write_all(b"x")?;
    out.flush()
}

/// Whoever hands on what comes.
pub fn pass_on() -> io::Result<()> {
    let (mut input, mut buffer) = (input(), vec![0; READ_BYTES]);
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..length])?;
    }
}

/// Adds up the numbers of a request in a file, as a plain loop over its bytes does.
pub fn add_up_file(count: usize, path: &str) -> io::Result<()> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; READ_BYTES]);
    // Before the numbers stand `create 1`, `exec`, `1` and how many they are.
    let (mut sum, mut number, mut is_negative, mut words) = (0i64, 0i64, false, 0);
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return write!(io::stdout(), "{sum}");
        }
        for &byte in &buffer[..length] {
            match byte {
                b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
                b'-' => is_negative = true,
                b' ' | b'\n' => {
                    words += 1;
                    if words > 5 && words <= count + 5 {
                        sum += if is_negative { -number } else { number };
                    }
                    (number, is_negative) = (0, false);
                }
                _ => number = 0,
            }
        }
    }
}

/// Standard input without the standard library's buffer.
fn input() -> File {
    File::from(io::stdin().as_fd().try_clone_to_owned().expect("standard input is open"))
}
