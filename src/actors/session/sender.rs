//! The sending half: keeps what is not acknowledged, and decides what goes out next.

use super::SessionConfig;
use super::receiver::KEPT_CAPACITY;
use super::timer::Timer;
use crate::planted::{Bug, is_planted};
use std::collections::VecDeque;
use std::num::NonZeroU64;

/// One segment that is neither acknowledged nor given up.
#[derive(Debug)]
struct Entry<T> {
    payload: T,
    /// When it was first sent, or pushed while it is only queued.
    since: u64,
    bytes: u32,
    repeated: bool,
}

/// A segment that goes out.
pub(super) struct Sent<T> {
    pub(super) seq: u64,
    pub(super) payload: T,
    pub(super) ack_now: bool,
}

/// Segments from `front()` on: first those on the way, from `fresh` on those that are only queued.
///
/// `front() <= repeat <= fresh <= next_seq()`.
#[derive(Debug)]
pub(super) struct Sender<T> {
    /// `entries[i]` has number `front() + i`.
    entries: VecDeque<Entry<T>>,
    /// Everything below was given up.
    base: u64,
    /// Everything below was acknowledged.
    acked: u64,
    /// The first number that was never sent.
    fresh: u64,
    /// The first number that is due to be repeated; `fresh` when none is.
    repeat: u64,
    /// The highest credit that the peer announced.
    credit: u64,
    queued_bytes: usize,
    /// `None` until the first packet, and always without `resend_after_ns`: it keeps idle sessions small.
    timer: Option<Box<Timer>>,
    resend_after_ns: Option<NonZeroU64>,
    /// Bytes on the way; at most `window_bytes`, or one segment.
    way_bytes: u32,
    window_bytes: u32,
    /// Bytes sent since a packet last asked for an ack.
    unasked_bytes: u32,
    /// Whether the peer was asked for an ack since it last let us go on.
    asked: bool,
    probe: bool,
}

impl<T: Clone> Sender<T> {
    pub(super) fn new(config: &SessionConfig) -> Self {
        Self {
            entries: VecDeque::new(),
            base: 0,
            acked: 0,
            fresh: 0,
            repeat: 0,
            credit: 0,
            queued_bytes: 0,
            timer: None,
            resend_after_ns: config.resend_after_ns.map(|it| it.try_into().unwrap_or(NonZeroU64::MIN)),
            way_bytes: 0,
            window_bytes: u32::try_from(config.window_bytes).unwrap_or(u32::MAX),
            unasked_bytes: 0,
            asked: false,
            probe: false,
        }
    }

    pub(super) fn push(&mut self, now: u64, payload: T, bytes: usize) -> u64 {
        let seq = self.next_seq();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.queued_bytes += bytes as usize;
        self.entries.push_back(Entry { payload, since: now, bytes, repeated: false });
        seq
    }

    pub(super) fn give_up_below(&mut self, seq: u64) {
        let seq = seq.min(self.next_seq());
        if seq <= self.base {
            return;
        }
        self.drop_below(seq);
        self.base = seq;
        self.front_moved();
        if self.is_idle() {
            self.disarm();
        }
    }

    /// Takes in what the peer says. An ack of what was never sent is not believed.
    pub(super) fn acknowledge(&mut self, now: u64, ack: u64, credit: u64) {
        if credit > self.credit {
            self.credit = credit;
            self.asked = false;
        }
        if ack <= self.acked || ack > self.fresh {
            return;
        }
        let newest = self.drop_below(ack);
        self.acked = ack;
        self.front_moved();
        self.restart_timer(now, newest);
    }

    /// The next segment to go out: a repeat that is due, else a new one if it is allowed.
    pub(super) fn next_segment(&mut self, now: u64, window: u32) -> Option<Sent<T>> {
        self.check_timer(now);
        let again = self.repeat < self.fresh;
        let sent = if again {
            self.send_again()
        } else if self.may_send(window) {
            self.send_fresh(now, window)
        } else {
            return None;
        };
        if !(again && is_planted(Bug::TimerNotSetAgain)) {
            self.arm(now);
        }
        Some(sent)
    }

    /// The last one to be repeated asks for an ack, so that one round trip settles what was in doubt.
    fn send_again(&mut self) -> Sent<T> {
        let seq = self.repeat;
        let entry = self.entry(seq);
        entry.repeated = true;
        let payload = entry.payload.clone();
        self.repeat += 1;
        let ack_now = self.repeat == self.fresh;
        if ack_now {
            self.note_asked();
        }
        Sent { seq, payload, ack_now }
    }

    fn send_fresh(&mut self, now: u64, window: u32) -> Sent<T> {
        if self.on_way() == 0 {
            self.disarm();
        }
        let seq = self.fresh;
        let entry = self.entry(seq);
        entry.since = now;
        let (payload, bytes) = (entry.payload.clone(), entry.bytes);
        self.fresh += 1;
        self.repeat = self.fresh;
        self.queued_bytes -= bytes as usize;
        self.way_bytes += bytes;
        self.unasked_bytes = self.unasked_bytes.saturating_add(bytes);
        Sent { seq, payload, ack_now: self.asks_with_data(window) }
    }

    /// A segment asks for an ack when it is the last one that may go, and once per quarter of the bytes: the peer does
    /// not count them, and would hold back an ack that we wait for.
    fn asks_with_data(&mut self, window: u32) -> bool {
        let stalls = self.is_stalled(window) && !self.asked;
        let ask = stalls || self.unasked_bytes >= self.window_bytes / 4;
        if ask {
            self.note_asked();
        }
        ask
    }

    /// Whether to ask the peer for an ack without a segment: we wait, and have not asked since it last let us go on.
    pub(super) fn ask_if_stalled(&mut self, now: u64, window: u32) -> bool {
        if !self.is_stalled(window) {
            return false;
        }
        self.arm(now);
        let ask = !self.asked;
        if ask {
            self.note_asked();
        }
        ask
    }

    fn note_asked(&mut self) {
        self.asked = true;
        self.unasked_bytes = 0;
    }

    fn is_stalled(&self, window: u32) -> bool {
        self.fresh < self.next_seq() && !self.may_send(window)
    }

    /// Whether there is a new segment that the window, the bytes and the credit allow. A packet's `base` moves the peer
    /// before its segment is stored, so a window from `base` on is allowed whatever credit was heard of.
    fn may_send(&self, window: u32) -> bool {
        let on_way = self.on_way();
        let Some(next) = self.entries.get(on_way) else { return false };
        let credit = self.credit.max(self.base.saturating_add(u64::from(window)));
        let fits = self.way_bytes.checked_add(next.bytes).is_some_and(|bytes| bytes <= self.window_bytes);
        on_way < window as usize && self.fresh < credit && (fits || on_way == 0)
    }

    pub(super) fn resend(&mut self) {
        self.repeat = self.front();
        self.asked = false;
        self.disarm();
    }

    pub(super) fn probe(&mut self) {
        self.probe = true;
    }

    pub(super) fn probe_due(&self) -> bool {
        self.probe
    }

    pub(super) fn take_probe(&mut self) -> bool {
        std::mem::take(&mut self.probe)
    }

    fn entry(&mut self, seq: u64) -> &mut Entry<T> {
        let index = (seq - self.front()) as usize;
        &mut self.entries[index]
    }

    /// Drops what is below `seq`; the caller then raises `base` or `acked`. Returns the last one dropped.
    fn drop_below(&mut self, seq: u64) -> Option<Entry<T>> {
        let mut last = None;
        for number in self.front()..seq {
            let entry = self.entries.pop_front().expect("there is an entry for every number from the front on");
            if number < self.fresh {
                self.way_bytes -= entry.bytes;
            } else {
                self.queued_bytes -= entry.bytes as usize;
            }
            if is_planted(Bug::AnswersKept) {
                std::mem::forget(entry.payload.clone());
            }
            last = Some(entry);
        }
        last
    }

    fn front_moved(&mut self) {
        self.fresh = self.fresh.max(self.front());
        self.repeat = self.repeat.max(self.front());
        self.asked = false;
        if self.entries.is_empty() && self.entries.capacity() > KEPT_CAPACITY {
            self.entries = VecDeque::new();
        }
    }
}

/// The timer: after each run of `transmit`, armed exactly while something is on the way or queued.
impl<T> Sender<T> {
    pub(super) fn deadline(&self) -> Option<u64> {
        self.timer.as_ref().and_then(|it| it.deadline())
    }

    fn check_timer(&mut self, now: u64) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.repeat = self.front();
        self.asked = false;
        let waits_only = self.on_way() == 0;
        if let Some(timer) = &mut self.timer {
            if !waits_only {
                timer.back_off();
            }
            timer.disarm();
        }
    }

    fn restart_timer(&mut self, now: u64, newest: Option<Entry<T>>) {
        if let (Some(timer), Some(entry)) = (&mut self.timer, newest.filter(|it| !it.repeated)) {
            timer.measured(now.saturating_sub(entry.since));
        }
        self.disarm();
        if self.on_way() > 0 {
            self.arm(now);
        }
    }

    fn arm(&mut self, now: u64) {
        let Some(configured) = self.resend_after_ns else { return };
        let waits_only = self.on_way() == 0;
        let timer = self.timer.get_or_insert_with(|| Box::new(Timer::new(configured)));
        if timer.deadline().is_some() {
            return;
        }
        if waits_only { timer.restart_waiting(now) } else { timer.restart(now) }
    }

    fn disarm(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.disarm();
        }
    }
}

/// What the callers may know.
impl<T> Sender<T> {
    fn front(&self) -> u64 {
        self.base.max(self.acked)
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.front() + self.entries.len() as u64
    }

    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    pub(super) fn oldest_since(&self) -> Option<u64> {
        self.entries.front().map(|it| it.since)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn on_way(&self) -> usize {
        (self.fresh - self.front()) as usize
    }

    pub(super) fn way_bytes(&self) -> usize {
        self.way_bytes as usize
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }
}
