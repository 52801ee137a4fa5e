//! 128 bits that stand for a state.

use std::hash::{Hash, Hasher};

/// Odd numbers without a pattern: the fractional parts of square roots of primes.
const LANES: [[u64; 2]; 2] =
    [[0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b], [0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1]];

/// Two hashes of 64 bits side by side, each a chain of folded multiplications.
///
/// Among ten million states the chance that two of them have the same 128 bits is about 1 in 10²⁴.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint([u64; 2]);

impl Default for Fingerprint {
    fn default() -> Self {
        Self([LANES[0][0], LANES[1][0]])
    }
}

fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

impl Fingerprint {
    /// Of one value.
    pub(crate) fn of(value: &impl Hash) -> u128 {
        let mut hasher = Self::default();
        value.hash(&mut hasher);
        hasher.whole()
    }

    #[inline]
    fn add(&mut self, word: u64) {
        let [one, other] = self.0;
        // A lane that has become 0 would stay 0 without the addition.
        self.0 = [
            folded(one ^ word, LANES[0][1]).wrapping_add(LANES[0][0]),
            folded(other.rotate_left(23) ^ word, LANES[1][1]).wrapping_add(LANES[1][0]),
        ];
    }

    pub(crate) fn whole(self) -> u128 {
        u128::from(folded(self.0[0], LANES[1][0])) << 64 | u128::from(folded(self.0[1], LANES[0][0]))
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.whole() as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
        self.add(bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.add(word.into());
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.add(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.add(word as u64);
        self.add((word >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }
}

/// Fingerprints are as good as random: half of one says where it lies.
#[derive(Default)]
pub(crate) struct Half(u64);

impl Hasher for Half {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.0 = word as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn small_values_differ_in_both_halves() {
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        for one in 0..200_u64 {
            for other in 0..200_i64 {
                let print = Fingerprint::of(&(one, other, [one == 3, other == 7]));
                seen[0].insert(print as u64);
                seen[1].insert((print >> 64) as u64);
            }
        }
        assert_eq!(seen.map(|half| half.len()), [40_000; 2]);
    }
}
