//! Standard input and output as plain files: without the line buffer and the lock of the standard library, and waiting
//! also where somebody made the descriptor non-blocking.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

/// Standard output.
pub struct Output(File);

/// Standard input.
pub struct Source(File);

impl Output {
    /// A descriptor of its own for standard output.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn stdout() -> io::Result<Self> {
        Ok(Self(io::stdout().as_fd().try_clone_to_owned()?.into()))
    }
}

impl Source {
    /// A descriptor of its own for standard input.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn stdin() -> io::Result<Self> {
        Ok(Self(io::stdin().as_fd().try_clone_to_owned()?.into()))
    }

    /// Lets the pipe that it may be hold at least so much; whatever else it is stays as it is.
    pub fn widen(&self, bytes: usize) {
        if fcntl_getpipe_size(&self.0).is_ok_and(|size| size < bytes) {
            let _ = fcntl_setpipe_size(&self.0, bytes);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, PollFlags::OUT)?,
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, PollFlags::IN)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

fn wait(file: &File, for_what: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::new(file, for_what)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
