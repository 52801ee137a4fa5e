//! The program on a pseudo-terminal, and what is on its screen.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub const ROWS: u16 = 24;
pub const COLUMNS: u16 = 100;

/// Longer than anything here takes on a busy machine; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A terminal on which the program runs; the program is killed when a test fails.
pub struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<Shown>,
}

struct Shown {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What has been printed.
pub struct Seen {
    pub parser: vt100::Parser,
    /// All of it, as it came.
    pub bytes: Vec<u8>,
    is_closed: bool,
}

impl Seen {
    /// The lines of the screen that are not empty.
    pub fn lines(&self) -> Vec<String> {
        let text = self.parser.screen().contents();
        text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect()
    }

    /// The line on which the cursor stands.
    pub fn cursor_line(&self) -> String {
        let (row, _) = self.parser.screen().cursor_position();
        self.parser.screen().rows(0, COLUMNS).nth(usize::from(row)).unwrap_or_default()
    }

    /// Whether a line of the screen is this.
    pub fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|shown| shown.trim_end() == line)
    }

    /// The colour of the first character of the last line that begins like this.
    pub fn color_of(&self, start: &str) -> Option<vt100::Color> {
        let row = self.parser.screen().rows(0, COLUMNS).collect::<Vec<_>>();
        let row = row.iter().rposition(|line| line.starts_with(start))?;
        self.parser.screen().cell(u16::try_from(row).ok()?, 0).map(vt100::Cell::fgcolor)
    }
}

impl Terminal {
    /// Starts the program; what it keeps goes into `state`.
    pub fn start(args: &[&str], state: &Path, no_color: bool) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let window = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, window).expect("a terminal has a size");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let end = File::from(ioctl_tiocgptpeer(&master, flags).expect("the other end"));
        let copy = || Stdio::from(end.try_clone().expect("a descriptor"));
        // It gives the program a session whose terminal this is.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(env!("CARGO_BIN_EXE_nodetree")).args(args);
        command.env("XDG_STATE_HOME", state).env("TERM", "xterm-256color").env_remove("NODETREE_LOG");
        if no_color {
            command.env("NO_COLOR", "1");
        } else {
            command.env_remove("NO_COLOR");
        }
        let child = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().expect("setsid of util-linux");
        let keys = File::from(master);
        let seen =
            Seen { parser: vt100::Parser::new(size(ROWS), size(COLUMNS), 0), bytes: Vec::new(), is_closed: false };
        let shown = Arc::new(Shown { seen: Mutex::new(seen), changed: Condvar::new() });
        let (screen, writer) = (keys.try_clone().expect("a descriptor"), Arc::clone(&shown));
        thread::spawn(move || follow(screen, &writer));
        Self { child, keys, shown }
    }

    /// Presses keys.
    pub fn keys(&mut self, keys: impl AsRef<[u8]>) {
        self.keys.write_all(keys.as_ref()).expect("the terminal takes keys");
    }

    /// Waits until the screen is as it should be, and gives back what that says.
    pub fn until<T>(&self, what: &str, is_so: impl Fn(&Seen) -> Option<T>) -> T {
        let mut found = None;
        let waits = |seen: &mut Seen| {
            found = is_so(seen);
            found.is_none() && !seen.is_closed
        };
        let (seen, _) = self.shown.changed.wait_timeout_while(self.seen(), PATIENCE, waits).unwrap();
        found.unwrap_or_else(|| panic!("{what} does not come; on the screen is\n{}", seen.parser.screen().contents()))
    }

    /// Waits until a line of the screen is this.
    pub fn until_line(&self, line: &str) {
        self.until(line, |seen| seen.has(line).then_some(()));
    }

    /// What has been printed so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shown.seen.lock().unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process has a pid");
        kill_process(pid, signal).expect("the program is there");
    }

    /// Waits for the end; the exit code.
    pub fn end(mut self) -> Option<i32> {
        self.until("the end", |seen| seen.is_closed.then_some(()));
        self.child.wait().expect("the program can be waited for").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a terminal has a size")
}

/// The other end of the terminal fails to be read once the program has ended.
fn follow(mut screen: File, shown: &Shown) {
    let mut buffer = [0; 65_536];
    loop {
        let length = screen.read(&mut buffer).unwrap_or(0);
        let mut seen = shown.seen.lock().unwrap();
        seen.parser.process(&buffer[..length]);
        seen.bytes.extend(&buffer[..length]);
        seen.is_closed = length == 0;
        shown.changed.notify_all();
        if length == 0 {
            return;
        }
    }
}
