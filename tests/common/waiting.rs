//! What tests of processes wait for, and read out of replies.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// Longer than anything takes on a busy machine; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The pid in the reply to a create.
#[track_caller]
pub fn pid_in(reply: &str) -> Pid {
    let pid = reply.strip_prefix("Ok: ").and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    pid.unwrap_or_else(|| panic!("{reply:?} holds no pid"))
}
