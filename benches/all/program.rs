//! The built program, with pipes at its ends.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::process::{ChildStdout, Command, Stdio};

use rustix::process::Pid;

use crate::raw::Process;
use crate::table::Outcome;

/// The program whose costs are measured, and which nodes run.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_nodetree");

pub struct Program {
    process: Process,
    pub input: PipeWriter,
    pub output: BufReader<ChildStdout>,
}

impl Program {
    pub fn start(arguments: &[&str]) -> Outcome<Self> {
        let (input, writer) = io::pipe()?;
        Self::with(input.into(), writer, arguments)
    }

    /// One whose standard input is a file.
    pub fn reading(file: File, arguments: &[&str]) -> Outcome<Self> {
        let (_, writer) = io::pipe()?;
        Self::with(file.into(), writer, arguments)
    }

    fn with(input: Stdio, writer: PipeWriter, arguments: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(PROGRAM);
        command.args(["--mode", "process"]).args(arguments).stdin(input).stdout(Stdio::piped());
        let mut process = Process(command.spawn()?);
        let output = process.0.stdout.take().ok_or("no output")?;
        Ok(Self { process, input: writer, output: BufReader::with_capacity(64 * 1024, output) })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Lets it end, and waits for that.
    pub fn exit(mut self) -> Outcome<()> {
        writeln!(self.input, "exit")?;
        self.process.0.wait()?;
        Ok(())
    }

    pub fn next_line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Types a line and waits for its reply.
    pub fn line(&mut self, line: &str) -> Outcome<String> {
        writeln!(self.input, "{line}")?;
        self.next_line()
    }

    /// Creates a node; gives back its pid.
    pub fn create(&mut self, id: usize, parent: Option<usize>) -> Outcome<u32> {
        let parent = parent.map_or("-1".to_owned(), |parent| parent.to_string());
        pid_of(&self.line(&format!("create {id} {parent}"))?)
    }
}

/// The pid in the reply to `create`.
pub fn pid_of(reply: &str) -> Outcome<u32> {
    let pid = reply.strip_prefix("Ok: ").ok_or_else(|| format!("no node: {reply}"))?;
    Ok(pid.parse()?)
}

/// As the system knows it.
pub fn pid(pid: u32) -> Outcome<Pid> {
    Ok(Pid::from_raw(pid.try_into()?).ok_or("a pid of 0")?)
}

/// The sum of what stands behind these words in a file of `/proc`.
pub fn read_proc(path: &str, words: &[&str]) -> Outcome<u64> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().filter(|line| words.iter().any(|word| line.starts_with(word)));
    let mut sum = 0;
    for line in lines {
        let number = line.split_ascii_whitespace().nth(1).ok_or("a word without a number")?;
        sum += number.parse::<u64>()?;
    }
    Ok(sum)
}
