//! How the terminal was before, so that it is left so, and how it is between two lines.

use std::io::{self, Write};
use std::sync::Mutex;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// What the editor switches on while a line is typed.
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// From now on, what is typed between two lines is neither echoed nor a signal; the editor reads it with its next line.
pub fn take_over() -> io::Result<()> {
    let before = tcgetattr(io::stdin())?;
    let mut between = before.clone();
    between.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    tcsetattr(io::stdin(), OptionalActions::Now, &between)?;
    *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
    Ok(())
}

/// Leaves the terminal as it was; once, and only when it was taken over. Whether it was.
pub fn restore() -> bool {
    let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(before) = before else { return false };
    // The terminal may be gone.
    let _ = io::stdout().write_all(BRACKETED_PASTE_OFF).and_then(|()| io::stdout().flush());
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    true
}
