//! The built program with pipes at its ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use rustix::process::{Pid, Signal, kill_process};

/// The modes in which the program is tried.
pub const MODES: [&str; 3] = ["simulated", "threads", "process"];

/// Longer than anything here takes on a busy machine; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, ready to be started.
pub fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetree"));
    command.env_remove("NODETREE_LOG");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a program ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What was printed, line by line.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// Gives the program its whole input and reads its whole output meanwhile.
pub fn run<S: AsRef<OsStr>>(args: &[S], input: impl AsRef<[u8]>) -> Ended {
    let mut program = Program::start(command(args));
    program.write_behind(input.as_ref().to_vec());
    program.end()
}

/// A program that runs. It is killed when a test fails.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    errors: Receiver<Vec<u8>>,
}

impl Program {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let input = child.stdin.take();
        let lines = lines_of(child.stdout.take());
        let errors = lines_of(child.stderr.take());
        Self { child, input, lines, errors }
    }

    /// Types text, as it is.
    pub fn write(&mut self, text: impl AsRef<[u8]>) {
        self.input.as_mut().expect("the input is open").write_all(text.as_ref()).expect("the program reads");
    }

    /// Writes on a thread of its own, and closes the input behind it. That the program ends earlier is no error.
    pub fn write_behind(&mut self, text: Vec<u8>) {
        let mut input = self.input.take().expect("the input is open");
        thread::spawn(move || drop(input.write_all(&text)));
    }

    /// Closes the input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next line of the output; none at its end.
    pub fn line(&mut self) -> Option<String> {
        self.line_within(PATIENCE).expect("a line comes, or the output ends")
    }

    /// The next line of the output, or none at its end; an error when nothing happens so long.
    pub fn line_within(&mut self, time: Duration) -> Result<Option<String>, RecvTimeoutError> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Ok(Some(text(&line))),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(timeout) => Err(timeout),
        }
    }

    /// Lines that have come already.
    pub fn lines_so_far(&self) -> Vec<String> {
        self.lines.try_iter().map(|line| text(&line)).collect()
    }

    /// The next line on standard error that holds this.
    #[allow(dead_code, reason = "not every test that has this file reads the log")]
    pub fn error_line(&mut self, part: &str) -> String {
        loop {
            let line = text(&self.errors.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nobody says {part:?}")));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program is there");
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kilobytes");
        kilobytes * 1024
    }

    /// Closes the input, reads what is still printed, and waits for the end.
    pub fn end(mut self) -> Ended {
        self.close_input();
        let stdout = rest_of(&self.lines);
        let stderr = rest_of(&self.errors);
        let code = self.wait().code();
        Ended { code, stdout, stderr }
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("the program can be waited for")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream as they come, each with its line end.
fn lines_of(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, lines) = unbounded();
    if let Some(stream) = stream {
        thread::spawn(move || {
            let mut stream = BufReader::with_capacity(1 << 16, stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
    }
    lines
}

fn rest_of(lines: &Receiver<Vec<u8>>) -> String {
    let mut all = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => all.extend(line),
            Err(RecvTimeoutError::Disconnected) => return String::from_utf8(all).expect("what is printed is text"),
            Err(RecvTimeoutError::Timeout) => panic!("the program hangs; printed: {}", String::from_utf8_lossy(&all)),
        }
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").expect("every line that is printed has its end");
    String::from_utf8(line.to_vec()).expect("what is printed is text")
}
