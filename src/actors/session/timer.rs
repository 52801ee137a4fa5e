//! When to repeat what is not acknowledged, on links that may lose (RFC 6298 in small).

use std::num::NonZeroU64;

/// The slowest repeat, back-off included, as a multiple of the configured time.
const SLOWEST: u64 = 8;
/// The quickest repeat, as a fraction of the configured time.
const QUICKEST: u64 = 4;
/// Doublings after which the back-off grows no more: enough to get from the quickest repeat to the slowest.
const MAX_BACKOFF: u32 = (SLOWEST * QUICKEST).ilog2();

/// A round-trip estimate, a back-off and one deadline. It exists only at an end that has sent on a link that may lose.
#[derive(Clone, Debug, Hash)]
pub(super) struct Timer {
    configured: u64,
    smoothed: Option<u64>,
    variation: u64,
    backoff: u32,
    deadline: Option<u64>,
}

impl Timer {
    /// Not zero: a deadline has to lie in the future, or the same drive would repeat without end.
    pub(super) fn new(configured: NonZeroU64) -> Self {
        Self { configured: configured.get(), smoothed: None, variation: 0, backoff: 0, deadline: None }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    pub(super) fn disarm(&mut self) {
        self.deadline = None;
    }

    /// Starts anew, for segments that are on the way.
    pub(super) fn restart(&mut self, now: u64) {
        self.deadline = Some(now.saturating_add(self.interval()));
    }

    /// Starts anew for a sender that only waits for credit: the peer may be busy for long, and asking costs little,
    /// so there is neither a measured time nor a back-off.
    pub(super) fn restart_waiting(&mut self, now: u64) {
        self.deadline = Some(now.saturating_add(self.configured));
    }

    pub(super) fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(MAX_BACKOFF);
    }

    /// Takes the round trip of a segment that was sent once (Karn's rule: of a repeated one nobody knows which of the
    /// sendings was acknowledged). Only such a measurement ends the back-off.
    pub(super) fn measured(&mut self, round_trip: u64) {
        self.backoff = 0;
        let Some(smoothed) = self.smoothed else {
            self.variation = round_trip / 2;
            self.smoothed = Some(round_trip);
            return;
        };
        self.variation = self.variation - self.variation / 4 + smoothed.abs_diff(round_trip) / 4;
        self.smoothed = Some(smoothed - smoothed / 8 + round_trip / 8);
    }

    fn interval(&self) -> u64 {
        let slowest = self.configured.saturating_mul(SLOWEST);
        let estimate = self.smoothed.map_or(self.configured, |it| it.saturating_add(self.variation.saturating_mul(4)));
        let quickest = (self.configured / QUICKEST).max(1);
        estimate.max(quickest).saturating_mul(1 << self.backoff).min(slowest)
    }
}

#[cfg(test)]
mod tests {
    use super::Timer;
    use std::num::NonZeroU64;

    #[track_caller]
    fn check(timer: &Timer, interval: u64) {
        assert_eq!(timer.interval(), interval);
    }

    #[test]
    fn it_adapts_within_its_bounds_and_backs_off() {
        let mut timer = Timer::new(NonZeroU64::new(200).expect("not zero"));
        check(&timer, 200);
        timer.measured(100);
        check(&timer, 300);
        (0..100).for_each(|_| timer.measured(1));
        check(&timer, 50);
        (1..100).for_each(|_| timer.back_off());
        check(&timer, 1600);
        timer.measured(u64::MAX);
        timer.measured(u64::MAX);
        check(&timer, 1600);
    }

    #[test]
    fn the_shortest_time_still_passes() {
        let mut timer = Timer::new(NonZeroU64::MIN);
        timer.restart(7);
        assert!(timer.deadline() > Some(7));
    }
}
