//! What will happen in a simulation, and when.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use crate::actors::message::Nanos;
use crate::modes::local::Parcel;

/// How long a day is: shorter than any delay of a link, so that hardly anything is put into the day of now.
const DAY_NS: Nanos = 512;

/// So many days are a month, and the next so many are kept apart: longer than the delays of links.
const DAYS: u64 = 128;

/// A day with room for more events gives its memory back when it is over.
const KEPT: usize = 256;

struct Event {
    at: Nanos,
    number: u64,
    /// Nothing when it has happened.
    parcel: Option<Parcel>,
}

impl Event {
    fn order(&self) -> (Nanos, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// What is earlier is greater: a heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}

/// The events to come, by their time, then in the order in which they were scheduled.
///
/// A calendar queue (R. Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation event set
/// problem", 1988) whose days have a fixed length, because nearly everything happens within a few microseconds: events are
/// put behind each other, day by day, and a day is sorted when it comes. What is far away is put behind each other month by
/// month, and sorted into days when the month comes.
pub(super) struct Events {
    /// The number of the day of now.
    now: u64,
    today: Vec<Event>,
    /// When the events of today happen that have not, and where they are; the first one is the last.
    order: Vec<(Nanos, u64, u32)>,
    /// What was put into the day of now, or into one before it, when that had begun.
    late: BinaryHeap<Event>,
    /// The next days, each in the place of its number modulo [`DAYS`].
    days: [Vec<Event>; DAYS as usize],
    /// The places that have something in them.
    taken: u128,
    /// All of them begin after the day of now.
    months: BTreeMap<u64, Vec<Event>>,
    scheduled: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            now: 0,
            today: Vec::new(),
            order: Vec::new(),
            late: BinaryHeap::new(),
            days: [const { Vec::new() }; DAYS as usize],
            taken: 0,
            months: BTreeMap::new(),
            scheduled: 0,
        }
    }
}

impl Events {
    pub(super) fn push(&mut self, at: Nanos, parcel: Parcel) {
        let event = Event { at, number: self.scheduled, parcel: Some(parcel) };
        self.scheduled += 1;
        let day = at / DAY_NS;
        if day <= self.now {
            self.late.push(event);
        } else if day - self.now <= DAYS {
            self.put_into_day(event);
        } else {
            self.months.entry(day / DAYS).or_default().push(event);
        }
    }

    fn put_into_day(&mut self, event: Event) {
        let place = event.at / DAY_NS % DAYS;
        self.days[place as usize].push(event);
        self.taken |= 1 << place;
    }

    pub(super) fn next_at(&mut self) -> Option<Nanos> {
        self.begin_a_day();
        let late = self.late.peek().map(|event| event.at);
        let today = self.order.last().map(|(at, ..)| *at);
        late.into_iter().chain(today).min()
    }

    pub(super) fn pop(&mut self) -> Option<(Nanos, Parcel)> {
        self.begin_a_day();
        let today = self.order.last().map(|&(.., place)| place as usize);
        let is_late = match (self.late.peek(), today) {
            (Some(late), Some(place)) => *late > self.today[place],
            (late, _) => late.is_some(),
        };
        if is_late {
            let event = self.late.pop()?;
            return event.parcel.map(|parcel| (event.at, parcel));
        }
        self.order.pop();
        let event = &mut self.today[today?];
        event.parcel.take().map(|parcel| (event.at, parcel))
    }

    /// So many of the next events of today, if it has more than that.
    pub(super) fn next_ones(&self, count: usize) -> impl Iterator<Item = &Parcel> {
        let next = self.order.len().checked_sub(count).map_or(&[][..], |first| &self.order[first..]);
        next.iter().rev().filter_map(|(.., place)| self.today[*place as usize].parcel.as_ref())
    }

    /// When today is over, the next day begins on which something happens.
    fn begin_a_day(&mut self) {
        if !self.order.is_empty() || !self.late.is_empty() {
            return;
        }
        self.begin_a_month();
        let Some(next) = self.next_day() else { return };
        self.now = next;
        let place = next % DAYS;
        self.taken &= !(1 << place);
        self.today.clear();
        if self.today.capacity() > KEPT {
            self.today = Vec::new();
        }
        std::mem::swap(&mut self.today, &mut self.days[place as usize]);
        self.order.extend(self.today.iter().zip(0..).map(|(event, place)| (event.at, event.number, place)));
        self.order.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// Sorts the next month into days, if it begins before the next of these.
    fn begin_a_month(&mut self) {
        let next = self.next_day();
        let Some(month) = self.months.first_entry() else { return };
        let first = month.key() * DAYS;
        if next.is_none_or(|day| first <= day) {
            let events = month.remove();
            // Nothing happens before it.
            self.now = first - 1;
            events.into_iter().for_each(|event| self.put_into_day(event));
        }
    }

    /// The next of the days that are kept apart on which something happens.
    fn next_day(&self) -> Option<u64> {
        let tomorrow = self.now + 1;
        let days = self.taken.rotate_right((tomorrow % DAYS) as u32).trailing_zeros();
        (self.taken != 0).then(|| tomorrow + u64::from(days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::message::NodeKey;
    use crate::random::Random;

    fn parcel(number: u64) -> Parcel {
        Parcel::wake(NodeKey { id: 1, incarnation: number + 1 })
    }

    fn number(parcel: &Parcel) -> u64 {
        match parcel {
            Parcel::ToNode(key, _) => key.incarnation - 1,
            _ => panic!("another parcel came out"),
        }
    }

    /// Near and far, at the same time, at the time of now, and after nothing has happened for long.
    #[test]
    fn events_come_by_their_time_and_then_as_they_were_scheduled() {
        let (mut events, mut plain, mut random) = (Events::default(), Vec::new(), Random(5));
        let (mut now, mut scheduled) = (0, 0);
        for step in 0..20_000_u64 {
            let may_push = step / 250 % 3 == 0 || random.between((0, 3)) == 0;
            if may_push {
                let longest = [1, 600, 15_000, 40_000, 10_000_000][random.between((0, 4)) as usize];
                let at = now + random.between((0, longest)) / 64 * 64;
                events.push(at, parcel(scheduled));
                plain.push((at, scheduled));
                scheduled += 1;
            } else {
                let first = plain.iter().min().copied();
                plain.retain(|event| Some(*event) != first);
                assert_eq!(events.next_at(), first.map(|(at, _)| at));
                assert_eq!(events.pop().map(|(at, parcel)| (at, number(&parcel))), first);
                now = first.map_or(now + 1_000_000, |(at, _)| at);
            }
        }
        plain.sort_unstable();
        let rest = std::iter::from_fn(|| events.pop().map(|(at, parcel)| (at, number(&parcel))));
        assert!(rest.eq(plain));
        assert_eq!((events.next_at(), events.taken), (None, 0));
    }
}
