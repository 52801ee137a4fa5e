//! Reads standard input on a thread of its own, one piece each time it is asked.

use std::hint::black_box;
use std::io::{self, Read};
use std::ops::Deref;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::output::Source;

/// How much is read at once, and what a pipe is asked to hold: then its writer and we wait for each other less often.
const CHUNK_BYTES: usize = 256 * 1024;

/// glibc gives freed memory back to the kernel when it is more than twice the largest block that was ever freed.
const LARGEST_FREED_BYTES: usize = 512 * 1024;

/// A piece of the input; empty at its end.
#[derive(Default)]
pub struct Chunk {
    buffer: Vec<u8>,
    length: usize,
}

/// The pieces of a long request are made and freed all the time: to get their pages from the kernel each time anew takes
/// longer than all that is done with them.
fn keep_what_is_freed() {
    drop(black_box(Vec::<u8>::with_capacity(LARGEST_FREED_BYTES)));
}

impl From<Vec<u8>> for Chunk {
    fn from(buffer: Vec<u8>) -> Self {
        Self { length: buffer.len(), buffer }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Chunk {
    fn read(&mut self, source: &mut Source) -> io::Result<()> {
        self.buffer.resize(CHUNK_BYTES, 0);
        self.length = source.read(&mut self.buffer)?;
        Ok(())
    }
}

/// Standard input.
///
/// Nothing is read before it is wanted: what stands behind `exit`, or was not reached when a signal came, is left to
/// whoever reads the same input next (as far as it was not read together with what was wanted).
pub struct Input {
    wanted: Sender<Chunk>,
    chunks: Receiver<io::Result<Chunk>>,
}

impl Input {
    /// Starts the thread. It is never joined: a read of a terminal may last for ever, and the end of the program ends
    /// it.
    ///
    /// # Errors
    /// When the operating system refuses it.
    pub fn start() -> io::Result<Self> {
        let mut source = Source::stdin()?;
        source.widen(CHUNK_BYTES);
        keep_what_is_freed();
        let (wanted, wants) = bounded::<Chunk>(1);
        let (filled, chunks) = bounded(1);
        let read_on = move || {
            for mut chunk in wants {
                if filled.send(chunk.read(&mut source).map(|()| chunk)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("input".to_owned()).spawn(read_on)?;
        Ok(Self { wanted, chunks })
    }

    /// Lines that come by themselves, an empty piece at their end.
    pub fn of_lines(chunks: Receiver<io::Result<Chunk>>) -> Self {
        Self { wanted: bounded(1).0, chunks }
    }

    /// Asks for the next piece, in the place of one that is not needed any more; it comes to the receiver.
    pub fn ask(&self, used: Chunk) -> &Receiver<io::Result<Chunk>> {
        // The thread lives as long as this does; who types at an editor is not asked.
        let _ = self.wanted.send(used);
        &self.chunks
    }
}
