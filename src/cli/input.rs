//! Reads standard input on a thread of its own, one piece each time it is asked.

use std::io::{self, Read};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::output::Source;

/// How much is read at once: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// Standard input.
///
/// Nothing is read before it is wanted: what stands behind `exit`, or was not reached when a signal came, is left to
/// whoever reads the same input next (as far as it was not read together with what was wanted).
pub struct Input {
    wanted: Sender<()>,
    chunks: Receiver<io::Result<Vec<u8>>>,
}

impl Input {
    /// Starts the thread. It is never joined: a read of a terminal may last for ever, and the end of the program ends
    /// it.
    ///
    /// # Errors
    /// When the operating system refuses it.
    pub fn start() -> io::Result<Self> {
        let mut source = Source::stdin()?;
        let (wanted, wants) = bounded(1);
        let (filled, chunks) = bounded(1);
        let read_on = move || {
            let mut buffer = vec![0; CHUNK_BYTES];
            for () in wants {
                let chunk = source.read(&mut buffer).map(|length| buffer[..length].to_vec());
                if filled.send(chunk).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("input".to_owned()).spawn(read_on)?;
        Ok(Self { wanted, chunks })
    }

    /// Lines that come by themselves, an empty piece at their end.
    pub fn of_lines(lines: Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { wanted: bounded(1).0, chunks: lines }
    }

    /// Asks for the next piece; it comes to the receiver, an empty one at the end of the input.
    pub fn ask(&self) -> &Receiver<io::Result<Vec<u8>>> {
        // The thread lives as long as this does; who types at an editor is not asked.
        let _ = self.wanted.send(());
        &self.chunks
    }
}
