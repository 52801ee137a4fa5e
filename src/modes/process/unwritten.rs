//! What waits to be written to a link: frames, and beside them the long byte strings that they carry, which are not copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

use bytes::{Buf, Bytes};
use serde::Serialize;

use crate::modes::wire::{LENGTH_BYTES, WireError, append, append_without};

/// What a buffer that is empty may keep.
const KEPT_BYTES: usize = 64 * 1024;

/// A byte string of this length is worth a place of its own.
const LONG_BYTES: usize = 8 * 1024;

/// So many pieces are written with one call at the most.
const SLICES: usize = 16;

/// Frames, the first of which begin with what was written already.
#[derive(Default)]
pub(super) struct Unwritten {
    /// The frames, without the long byte strings in them.
    bytes: Vec<u8>,
    /// How much of `bytes` was written.
    gone: usize,
    /// What was left out, each with the place in `bytes` where it belongs.
    long: VecDeque<(usize, Bytes)>,
    long_bytes: usize,
}

impl Unwritten {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.gone + self.long_bytes
    }

    /// Adds a frame that carries this.
    pub(super) fn add(&mut self, message: &impl Serialize, carried: Option<&Bytes>) -> Result<(), WireError> {
        let Some(carried) = carried.filter(|carried| carried.len() >= LONG_BYTES) else {
            return append(message, &mut self.bytes);
        };
        if let Some(place) = append_without(message, carried, &mut self.bytes)? {
            self.long_bytes += carried.len();
            self.long.push_back((place, carried.clone()));
        }
        Ok(())
    }

    /// Adds a frame that is damaged, so that nobody can read it.
    pub(super) fn add_damaged(&mut self, message: &impl Serialize) -> Result<(), WireError> {
        let at = self.bytes.len();
        append(message, &mut self.bytes)?;
        // The length is whole, or the reader would wait for the rest.
        self.bytes.iter_mut().skip(at + LENGTH_BYTES).for_each(|byte| *byte = !*byte);
        Ok(())
    }

    /// What comes next, at most so much of it.
    pub(super) fn next(&self, limit: usize) -> Slices<'_> {
        let (mut slices, mut at) = (Slices { all: [IoSlice::new(&[]); SLICES], count: 0, left: limit }, self.gone);
        for (place, carried) in &self.long {
            slices.add(&self.bytes[at..*place]);
            slices.add(carried);
            at = *place;
            if slices.is_full() {
                return slices;
            }
        }
        slices.add(&self.bytes[at..]);
        slices
    }

    /// So much was written.
    pub(super) fn forget(&mut self, mut sent: usize) {
        loop {
            let place = self.long.front().map_or(self.bytes.len(), |(place, _)| *place);
            let now = sent.min(place - self.gone);
            self.gone += now;
            sent -= now;
            let Some((_, carried)) = self.long.front_mut().filter(|_| sent > 0) else { break };
            let now = sent.min(carried.len());
            carried.advance(now);
            self.long_bytes -= now;
            sent -= now;
            if carried.is_empty() {
                self.long.pop_front();
            }
        }
        self.give_back();
    }

    fn give_back(&mut self) {
        let gone = self.gone;
        if gone < self.bytes.len() && gone < (self.bytes.len() / 2).max(KEPT_BYTES) {
            return;
        }
        self.bytes.drain(..gone);
        self.gone = 0;
        self.long.iter_mut().for_each(|(place, _)| *place -= gone);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }
}

/// Pieces that follow each other.
pub(super) struct Slices<'a> {
    all: [IoSlice<'a>; SLICES],
    count: usize,
    /// How many bytes more are wanted.
    left: usize,
}

impl<'a> Slices<'a> {
    fn is_full(&self) -> bool {
        self.left == 0 || self.count == SLICES
    }

    fn add(&mut self, bytes: &'a [u8]) {
        let bytes = &bytes[..bytes.len().min(self.left)];
        if !bytes.is_empty() && !self.is_full() {
            self.all[self.count] = IoSlice::new(bytes);
            self.count += 1;
            self.left -= bytes.len();
        }
    }
}

impl<'a> Deref for Slices<'a> {
    type Target = [IoSlice<'a>];

    fn deref(&self) -> &[IoSlice<'a>] {
        &self.all[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However much each call takes, what is written is what `append` makes of the frames.
    #[test]
    fn what_is_written_is_the_frames_in_order() {
        for step in [1, 7, 1000, LONG_BYTES, 100_000] {
            let (mut unwritten, mut written, mut expected) = (Unwritten::default(), Vec::new(), Vec::new());
            for round in 0..30usize {
                let carried = Bytes::from(vec![round as u8; [0, 5, LONG_BYTES - 1, LONG_BYTES, 48 * 1024][round % 5]]);
                let message = (round, carried.clone(), "behind it");
                unwritten.add(&message, (round % 3 > 0).then_some(&carried)).unwrap();
                append(&message, &mut expected).unwrap();
                write(&mut unwritten, &mut written, if step == 1 { 1 } else { 2 * step });
                assert_eq!(written.len() + unwritten.len(), expected.len());
            }
            while unwritten.len() > 0 {
                write(&mut unwritten, &mut written, step.max(7));
            }
            assert!(written == expected, "in steps of {step}");
            assert!(unwritten.bytes.capacity() <= KEPT_BYTES && unwritten.long.is_empty());
        }
    }

    fn write(unwritten: &mut Unwritten, written: &mut Vec<u8>, limit: usize) {
        let before = written.len();
        let slices = unwritten.next(limit);
        slices.iter().for_each(|slice| written.extend_from_slice(slice));
        assert!(written.len() - before <= limit);
        unwritten.forget(written.len() - before);
    }

    #[test]
    fn what_is_long_is_not_copied() {
        let mut unwritten = Unwritten::default();
        let carried = Bytes::from(vec![1; LONG_BYTES]);
        unwritten.add(&(1u8, &carried), Some(&carried)).unwrap();
        assert!(unwritten.next(usize::MAX).iter().any(|slice| std::ptr::eq(&**slice, &*carried)));
    }

    #[test]
    fn a_frame_that_is_too_long_leaves_nothing() {
        let mut unwritten = Unwritten::default();
        unwritten.add(&7u64, None).unwrap();
        let (before, carried) = (unwritten.len(), Bytes::from(vec![0; 200_000]));
        assert!(unwritten.add(&carried, Some(&carried)).is_err());
        assert!(unwritten.add(&carried, None).is_err());
        assert_eq!(unwritten.len(), before);
    }
}
