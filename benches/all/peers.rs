//! What a user would pick instead: a program of its own, as nothing else needs its dependencies (`benches/peers`).

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::raw::Process;
use crate::table::Outcome;

const PACKAGE: &str = "nodetree-peers";

/// The program with all of them, compiled as this one is.
pub struct Peers {
    program: PathBuf,
    directory: TempDir,
}

impl Peers {
    pub fn compile() -> Outcome<Self> {
        let this = std::env::current_exe()?;
        let mut above = this.ancestors().skip(2);
        let (directory, target) = (above.next().ok_or("no directory")?, above.next().ok_or("no directory")?);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", PACKAGE]);
        command.arg("--target-dir").arg(target);
        if directory.ends_with("release") {
            command.arg("--release");
        }
        if !command.status()?.success() {
            return Err("the peers do not compile".into());
        }
        Ok(Self { program: directory.join(PACKAGE), directory: tempfile::tempdir()? })
    }

    /// Tokio's mpsc there, and a oneshot back.
    pub fn channels(&self) -> Outcome<Peer> {
        self.start(&["mpsc"])
    }

    /// So many of ractor's actors in a chain, down and up.
    pub fn ractor_chain(&self, depth: usize) -> Outcome<Peer> {
        if depth == 1 { self.start(&["ask"]) } else { self.start(&["chain", &depth.to_string()]) }
    }

    /// Measures the bytes of one of so many actors, not a time.
    pub fn ractor_bytes(&self) -> Outcome<Peer> {
        self.start(&["bytes"])
    }

    /// A DEALER that asks a ROUTER in another process.
    pub fn dealer(&self) -> Outcome<Peer> {
        let path = tempfile::Builder::new().tempfile_in(self.directory.path())?.path().to_path_buf();
        self.start(&["dealer", &path.to_string_lossy()])
    }

    fn start(&self, arguments: &[&str]) -> Outcome<Peer> {
        let mut command = Command::new(&self.program);
        let mut process = Process(command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let input = process.0.stdin.take().ok_or("no input")?;
        let output = BufReader::new(process.0.stdout.take().ok_or("no output")?);
        Ok(Peer { input: Some(input), output, process })
    }
}

/// One of them, ready to measure.
pub struct Peer {
    /// Until it is told to end: it ends what it has started.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    process: Process,
}

impl Peer {
    /// What one of so many takes.
    pub fn measure(&mut self, count: usize) -> Outcome<f64> {
        writeln!(self.input.as_mut().ok_or("it was told to end")?, "{count}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.0.wait();
    }
}
