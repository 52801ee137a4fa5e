//! How far it is, on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// No more often than this is it shown.
const EVERY: Duration = Duration::from_millis(100);

/// The columns of a bar.
const WIDTH: u64 = 30;

/// A bar where it is known how much there is, else a count. It is gone when it is dropped.
pub struct Progress {
    what: &'static str,
    all: Option<u64>,
    /// How many were done; when that was last shown. Nothing where nobody looks.
    done: Option<Mutex<(u64, Instant)>>,
}

impl Progress {
    /// Nothing is done of all these.
    pub fn new(what: &'static str, all: Option<u64>) -> Self {
        let is_seen = io::stderr().is_terminal();
        Self { what, all, done: is_seen.then(|| Mutex::new((0, Instant::now()))) }
    }

    /// One more is done.
    pub fn step(&self) {
        let Some(Ok(mut done)) = self.done.as_ref().map(Mutex::lock) else { return };
        done.0 += 1;
        if done.1.elapsed() >= EVERY {
            done.1 = Instant::now();
            show(&format!("\r{}\x1b[K", line(self.what, self.all, done.0)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.done.is_some() {
            show("\r\x1b[K");
        }
    }
}

fn line(what: &str, all: Option<u64>, done: u64) -> String {
    let Some(all) = all else { return format!("{done} {what}") };
    let full = (u128::from(WIDTH) * u128::from(done.min(all)) / u128::from(all.max(1))) as usize;
    format!("[{:1$}] {done} of {all} {what}", "#".repeat(full), WIDTH as usize)
}

/// A terminal that is gone is nobody's to be told.
fn show(text: &str) {
    let mut terminal = io::stderr();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_bar_is_as_long_as_much_is_done() {
        assert_eq!(line("seeds", Some(4), 0), format!("[{}] 0 of 4 seeds", " ".repeat(30)));
        assert_eq!(line("seeds", Some(4), 1), format!("[{}{}] 1 of 4 seeds", "#".repeat(7), " ".repeat(23)));
        assert_eq!(
            line("seeds", Some(u64::MAX), u64::MAX),
            format!("[{0}] {1} of {1} seeds", "#".repeat(30), u64::MAX)
        );
        assert_eq!(line("tries", None, 7), "7 tries");
    }
}
