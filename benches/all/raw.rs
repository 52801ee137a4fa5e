//! The baselines: processes with nothing in them. This program plays all of them, when it is started with a role.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::table::Outcome;
use crate::{frames, large, stream};

/// What one message has in all baselines.
pub const FRAME_BYTES: usize = 64;

pub type Frame = [u8; FRAME_BYTES];

/// The first argument of a process that plays a role.
const ROLE: &str = "--role";

/// So much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Plays the role that was given, if any.
pub fn play_role() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).ok_or("a number is missing");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [ROLE, "echo", ..] => echo()?,
        [ROLE, "forward", ..] => forward()?,
        [ROLE, "codec", ..] => codec_echo()?,
        [ROLE, "frames", ..] => frames::answer()?,
        [ROLE, "node", ..] => node(number(2)?, number(3)?)?,
        [ROLE, "numbers", ..] => stream::write_numbers(number(2)?)?,
        [ROLE, "drop", ..] => stream::read_and_drop()?,
        [ROLE, "pass", ..] => stream::pass_on()?,
        [ROLE, "add", _, path, ..] => stream::add_up_file(number(2)?, path)?,
        [ROLE, "large", mode, ..] => large::play(mode.parse()?, number(3)?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// This program in a role.
pub fn role(name: &str, numbers: &[usize]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ROLE, name]).args(numbers.iter().map(usize::to_string));
    Ok(command)
}

/// A process that is killed when it is not wanted any more.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processes in the roles, and a socket to the first of them.
pub struct Raw {
    pub socket: UnixStream,
    _processes: Vec<Process>,
}

impl Raw {
    /// One that decodes and answers each message: in the role `codec` one by one, in the role `frames` in batches.
    pub fn one(name: &str) -> Outcome<Self> {
        let (socket, end) = UnixStream::pair()?;
        let process = role(name, &[])?.stdin(OwnedFd::from(end)).spawn()?;
        Ok(Self { socket, _processes: vec![Process(process)] })
    }

    /// A chain in which the last one answers.
    pub fn chain(depth: usize) -> Outcome<Self> {
        let (socket, mut above) = UnixStream::pair()?;
        let mut processes = Vec::new();
        for _ in 1..depth {
            let (down, below) = UnixStream::pair()?;
            let mut command = role("forward", &[])?;
            let process = command.stdin(OwnedFd::from(above)).stdout(OwnedFd::from(down)).spawn()?;
            processes.push(Process(process));
            above = below;
        }
        processes.push(Process(role("echo", &[])?.stdin(OwnedFd::from(above)).spawn()?));
        Ok(Self { socket, _processes: processes })
    }

    /// A binary tree of so many, numbered by levels, in which each answers the frames that begin with its number.
    pub fn tree(size: usize) -> Outcome<Self> {
        let (socket, top) = UnixStream::pair()?;
        let mut uplinks = vec![OwnedFd::from(top)];
        let mut processes = Vec::new();
        for (at, uplink) in (1..=size).map(|number| (number, number - 1)) {
            let (mut command, mut children) = (role("node", &[at, size])?, Vec::new());
            for _ in (2 * at..=2 * at + 1).filter(|child| *child <= size) {
                let (down, below) = UnixStream::pair()?;
                children.push(OwnedFd::from(down));
                uplinks.push(OwnedFd::from(below));
            }
            let mut children = children.into_iter().map(Stdio::from);
            let end = uplinks[uplink].try_clone()?;
            // Without unsafe code only these three descriptors can be handed over.
            command.stdin(end).stdout(children.next().unwrap_or_else(Stdio::null));
            command.stderr(children.next().unwrap_or_else(Stdio::null));
            processes.push(Process(command.spawn()?));
        }
        Ok(Self { socket, _processes: processes })
    }

    /// Sends a frame and waits for the answer.
    pub fn exchange(&mut self) -> Outcome<()> {
        let mut frame = [7; FRAME_BYTES];
        self.socket.write_all(&frame)?;
        self.socket.read_exact(&mut frame)?;
        Ok(())
    }

    /// Writes so many frames on one thread, each to the next of `targets`, and reads the answers on this one.
    pub fn pipeline(&mut self, count: usize, targets: usize) -> Outcome<()> {
        let mut writer = self.socket.try_clone()?;
        thread::scope(|scope| {
            let source = scope.spawn(move || {
                let frames: Vec<u8> = (0..count).flat_map(|at| [(at % targets + 1) as u8; FRAME_BYTES]).collect();
                frames.chunks(READ_BYTES).try_for_each(|chunk| writer.write_all(chunk))
            });
            let (mut buffer, mut left) = (vec![0; READ_BYTES], count * FRAME_BYTES);
            while left > 0 {
                left -= self.socket.read(&mut buffer)?;
            }
            source.join().map_err(|_| "the source panicked")??;
            Ok(())
        })
    }
}

fn socket(end: BorrowedFd<'_>) -> io::Result<UnixStream> {
    Ok(end.try_clone_to_owned()?.into())
}

fn echo() -> io::Result<()> {
    let (mut up, mut frame) = (socket(io::stdin().as_fd())?, [0; FRAME_BYTES]);
    while up.read_exact(&mut frame).is_ok() {
        up.write_all(&frame)?;
    }
    Ok(())
}

fn forward() -> io::Result<()> {
    let (mut up, mut down) = (socket(io::stdin().as_fd())?, socket(io::stdout().as_fd())?);
    let mut frame = [0; FRAME_BYTES];
    while up.read_exact(&mut frame).is_ok() {
        down.write_all(&frame)?;
        down.read_exact(&mut frame)?;
        up.write_all(&frame)?;
    }
    Ok(())
}

/// A node of a tree: whole frames are read in batches, and what goes the same way is written at once.
fn node(number: usize, size: usize) -> io::Result<()> {
    let up = socket(io::stdin().as_fd())?;
    let children = [socket(io::stdout().as_fd())?, socket(io::stderr().as_fd())?];
    let to_parent = Mutex::new(up.try_clone()?);
    thread::scope(|scope| {
        for child in (0..2).filter(|child| 2 * number + child <= size).map(|child| &children[child]) {
            let to_parent = &to_parent;
            scope.spawn(move || {
                in_batches(child, |frames| lock(to_parent).write_all(frames.as_flattened()));
            });
        }
        let (mut mine, mut theirs) = (Vec::new(), [Vec::new(), Vec::new()]);
        in_batches(&up, |frames| {
            for frame in frames {
                match child_towards(number, usize::from(frame[0])) {
                    None => mine.extend_from_slice(frame),
                    Some(child) => theirs[child].extend_from_slice(frame),
                }
            }
            lock(&to_parent).write_all(&mine)?;
            mine.clear();
            for (mut child, frames) in children.iter().zip(&mut theirs) {
                child.write_all(frames)?;
                frames.clear();
            }
            Ok(())
        });
    });
    Ok(())
}

fn lock(socket: &Mutex<UnixStream>) -> std::sync::MutexGuard<'_, UnixStream> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands out whole frames, as many as are there, until there are no more or nobody takes them.
fn in_batches(mut from: &UnixStream, mut take: impl FnMut(&[Frame]) -> io::Result<()>) {
    let (mut buffer, mut filled) = (vec![0; READ_BYTES], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer[filled..]) {
        filled += read;
        let (frames, rest) = buffer[..filled].as_chunks();
        if take(frames).is_err() {
            return;
        }
        let rest = filled - rest.len()..filled;
        filled = rest.len();
        buffer.copy_within(rest, 0);
    }
}

/// Below which child the target stands; none when it is this node.
fn child_towards(number: usize, mut target: usize) -> Option<usize> {
    while target > 2 * number + 1 {
        target /= 2;
    }
    target.checked_sub(2 * number)
}

/// What travels in the baseline with a codec: about as much as an exec.
#[derive(Serialize, Deserialize)]
struct Message {
    number: u64,
    payload: Vec<u8>,
}

type Codec = Framed<tokio::net::UnixStream, LengthDelimitedCodec>;

fn framed(socket: UnixStream) -> io::Result<Codec> {
    socket.set_nonblocking(true)?;
    Ok(Framed::new(tokio::net::UnixStream::from_std(socket)?, LengthDelimitedCodec::new()))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn codec_echo() -> Outcome<()> {
    let socket = socket(io::stdin().as_fd())?;
    runtime()?.block_on(async {
        let mut framed = framed(socket)?;
        while let Some(frame) = framed.next().await {
            let message: Message = postcard::from_bytes(&frame?)?;
            framed.send(Bytes::from(postcard::to_stdvec(&message)?)).await?;
        }
        Ok(())
    })
}

/// The asking side of the baseline with a codec.
pub struct CodecClient {
    framed: Codec,
    runtime: tokio::runtime::Runtime,
    _raw: Raw,
}

impl CodecClient {
    pub fn start() -> Outcome<Self> {
        let (raw, runtime) = (Raw::one("codec")?, runtime()?);
        let framed = runtime.block_on(async { framed(raw.socket.try_clone()?) })?;
        Ok(Self { framed, runtime, _raw: raw })
    }

    pub fn exchange(&mut self, count: usize) -> Outcome<()> {
        let framed = &mut self.framed;
        self.runtime.block_on(async {
            for number in 0..count as u64 {
                let message = Message { number, payload: vec![7; FRAME_BYTES - 16] };
                framed.send(Bytes::from(postcard::to_stdvec(&message)?)).await?;
                let frame = framed.next().await.ok_or("the other side has ended")??;
                assert_eq!(postcard::from_bytes::<Message>(&frame)?.number, number);
            }
            Ok(())
        })
    }
}

/// The smallest program that says something and waits: compiled when it is needed, as this one is not small.
pub struct Minimal {
    directory: TempDir,
}

impl Minimal {
    const SOURCE: &str = "use std::io::{Read, Write};
        fn main() {
            std::io::stdout().write_all(b\"x\").unwrap();
            std::io::stdout().flush().unwrap();
            std::io::stdin().read_exact(&mut [0]).unwrap();
        }";

    pub fn compile() -> Outcome<Self> {
        let minimal = Self { directory: tempfile::tempdir()? };
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(compiler);
        command.args(["--edition", "2024", "-C", "opt-level=3", "-", "-o"]).arg(minimal.path());
        let mut compiler = command.stdin(Stdio::piped()).spawn()?;
        if let Some(mut source) = compiler.stdin.take() {
            source.write_all(Self::SOURCE.as_bytes())?;
        }
        if compiler.wait()?.success() { Ok(minimal) } else { Err("the minimal program does not compile".into()) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("minimal")
    }

    /// Starts one, and waits for its first byte.
    pub fn start(&self) -> Outcome<Process> {
        let mut child = Command::new(self.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.as_mut().ok_or("no output")?;
        out.read_exact(&mut [0])?;
        Ok(Process(child))
    }
}
