//! What a wheel of timers is woken by.

use std::io;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::net::unix::pipe::Receiver;

/// A timer of the kernel. It wakes once, when the time has come; tokio's own timers wake a process up to 63 ms before as
/// well, to sort what is due, and once more whenever one is set. To the runtime it is the reading end of a pipe.
pub(super) struct Alarm(Receiver);

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(Receiver::from_owned_fd_unchecked(timer)?))
    }

    /// Waits until then. Whatever was waited for before is forgotten.
    pub(super) async fn ring_at(&self, at: Instant) -> io::Result<()> {
        // No time at all would mean never.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let once = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let time = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: once };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &time)?;
        loop {
            self.0.readable().await?;
            // It is not read: when it is set anew, it forgets that it has rung. The runtime is to wait for the next time.
            let _ = self.0.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            // It may have rung for what was waited for before.
            if Instant::now() >= at {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = io::Result<()>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test).unwrap();
    }

    #[test]
    fn it_rings_when_its_time_has_come_and_not_before() {
        run(async {
            let alarm = Alarm::new()?;
            let now = Instant::now();
            for at in [now, now + Duration::from_millis(30), now + Duration::from_micros(30_100), now] {
                alarm.ring_at(at).await?;
                assert!(Instant::now() >= at);
            }
            Ok(())
        });
    }

    #[test]
    fn what_was_waited_for_before_does_not_ring() {
        run(async {
            let alarm = Alarm::new()?;
            let start = Instant::now();
            tokio::select! {
                biased;
                rung = alarm.ring_at(start + Duration::from_millis(1)) => rung?,
                // Longer than that, while nobody looks at the alarm.
                () = async { std::thread::sleep(Duration::from_millis(20)) } => {}
            }
            let later = start + Duration::from_millis(60);
            alarm.ring_at(later).await?;
            assert!(Instant::now() >= later);
            Ok(())
        });
    }
}
