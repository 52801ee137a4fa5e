//! The receiving half: puts segments in order, each once, and decides when the peer is to be told.

use super::{Delivered, SessionConfig};
use crate::planted::{Bug, is_planted};
use std::collections::VecDeque;

/// Slots above which a buffer is given back when it has become empty.
pub(super) const KEPT_CAPACITY: usize = 64;

/// Segments from `taken` on, and what the peer knows of them.
///
/// `taken <= received <= taken + slots.len()` and `slots.len() <= window`; the slots below `received` are full.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    /// `slots[i]` is for number `taken + i`.
    slots: VecDeque<Option<T>>,
    /// Everything below was handed to the caller or skipped.
    taken: u64,
    /// Everything below has come or was skipped: the ack.
    received: u64,
    /// The credit that the last packet announced.
    announced: u64,
    window: u32,
    full_slots: u32,
    /// Segments that came in order since the last packet.
    unannounced: u32,
    /// Whether each segment is worth an ack at once.
    eager: bool,
    owed: bool,
    /// Whether numbers were given up since the last `take`.
    skipped: bool,
    /// What the planted bug delivers again.
    #[cfg(feature = "testing")]
    again: Option<Box<(u64, T)>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(config: &SessionConfig) -> Self {
        let window = config.window.max(1);
        Self {
            slots: VecDeque::new(),
            taken: 0,
            received: 0,
            announced: u64::from(window),
            window,
            full_slots: 0,
            unannounced: 0,
            eager: config.eager_ack || config.resend_after_ns.is_some(),
            owed: false,
            skipped: false,
            #[cfg(feature = "testing")]
            again: None,
        }
    }

    pub(super) fn window(&self) -> u32 {
        self.window
    }

    pub(super) fn buffered(&self) -> usize {
        self.full_slots as usize
    }

    /// The peer wants nothing below `base`: drops what was not taken, stops waiting for what has not come.
    pub(super) fn skip_to(&mut self, base: u64) {
        let Some(gap @ 1..) = base.checked_sub(self.taken) else { return };
        let stored = usize::try_from(gap).map_or(self.slots.len(), |gap| gap.min(self.slots.len()));
        self.full_slots -= self.slots.drain(..stored).flatten().count() as u32;
        self.taken = base;
        self.skipped = true;
        self.received = self.received.max(base);
        self.extend_order();
        self.release_if_empty();
    }

    /// Stores a segment, unless it was received before, was given up, or is beyond the credit.
    pub(super) fn store(&mut self, seq: u64, payload: T) {
        if seq >= self.credit() {
            return self.owe();
        }
        if self.has(seq) {
            #[cfg(feature = "testing")]
            self.deliver_again(seq, payload);
            return self.owe();
        }
        let before = self.received;
        self.fill(seq, payload);
        self.extend_order();
        self.unannounced = self.unannounced.saturating_add(1);
        // Disorder, and the end of a disorder, is news to the peer at once.
        self.owed |= self.eager || self.received != before.saturating_add(1);
    }

    /// Of a number below the credit: whether it was received, skipped or refused before.
    fn has(&self, seq: u64) -> bool {
        seq < self.received || self.slots.get((seq - self.taken) as usize).is_some_and(Option::is_some)
    }

    fn fill(&mut self, seq: u64, payload: T) {
        let index = (seq - self.taken) as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index, || None);
            self.slots.push_back(Some(payload));
        } else {
            self.slots[index] = Some(payload);
        }
        self.full_slots += 1;
    }

    fn extend_order(&mut self) {
        while let Some(Some(_)) = self.slots.get((self.received - self.taken) as usize) {
            self.received += 1;
        }
    }

    pub(super) fn take(&mut self) -> Option<Delivered<T>> {
        #[cfg(feature = "testing")]
        if let Some(again) = self.again.take() {
            return Some(Delivered { seq: again.0, payload: again.1, skipped: false });
        }
        if self.received == self.taken {
            return None;
        }
        let payload = self.slots.pop_front().flatten().expect("every slot below `received` is full");
        let seq = self.taken;
        self.taken += 1;
        self.full_slots -= 1;
        self.release_if_empty();
        Some(Delivered { seq, payload, skipped: std::mem::take(&mut self.skipped) })
    }

    pub(super) fn has_delivery(&self) -> bool {
        #[cfg(feature = "testing")]
        if self.again.is_some() {
            return true;
        }
        self.received > self.taken
    }

    fn release_if_empty(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEPT_CAPACITY {
            self.slots = VecDeque::new();
        }
    }

    /// The next packet tells the peer, with or without a segment.
    pub(super) fn owe(&mut self) {
        self.owed = true;
    }

    /// Whether the peer is to be told now, be it without a segment: something asked for it, or a quarter of the window
    /// was received or was taken without its knowing.
    pub(super) fn owes(&self) -> bool {
        let quarter = (self.window / 4).max(1);
        self.owed || self.unannounced >= quarter || self.credit() - self.announced >= u64::from(quarter)
    }

    /// The ack and the credit for a packet that now goes out.
    pub(super) fn announce(&mut self) -> (u64, u64) {
        self.owed = false;
        self.unannounced = 0;
        self.announced = self.credit();
        (self.received, self.announced)
    }

    /// Saturates for a hostile base only: the number `u64::MAX` is never stored, so `taken` cannot overflow.
    fn credit(&self) -> u64 {
        let taken = if is_planted(Bug::CreditNeverReturned) { 0 } else { self.taken };
        taken.saturating_add(u64::from(self.window))
    }

    #[cfg(feature = "testing")]
    fn deliver_again(&mut self, seq: u64, payload: T) {
        if is_planted(Bug::AtMostOnceMissing) {
            self.again = Some(Box::new((seq, payload)));
        }
    }
}
