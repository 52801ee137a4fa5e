//! How ids are hashed.

use std::hash::{BuildHasherDefault, Hasher};

/// So many neighbouring ids, as a power of two, are kept side by side.
const NEIGHBOURS: u32 = 5;

/// For tables by id. Where ids are numbers one after the other, as people and programs choose them, those of nodes that
/// are made, asked or ended together are found together: in a table of a million entries each look at another place is a
/// wait for the memory. Other ids are spread as by any hash.
pub(crate) type IdHash = BuildHasherDefault<IdHasher>;

#[derive(Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The mixer of SplitMix64, for the block that the id is in.
        let mut z = (id >> NEIGHBOURS).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        self.0 = z.wrapping_add(id & ((1 << NEIGHBOURS) - 1));
    }

    fn write_i64(&mut self, id: i64) {
        self.write_u64(id as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::BuildHasher;

    use super::*;

    /// How many of 4096 places 4096 ids use; chance would use 2589.
    fn places(id: impl Fn(i64) -> i64) -> usize {
        let hashes = (0..4096).map(|number| IdHash::default().hash_one(id(number)));
        hashes.map(|hash| hash % 4096).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn neighbours_are_side_by_side_and_no_step_between_ids_makes_them_meet() {
        let hash = |id: i64| IdHash::default().hash_one(id);
        assert!((64..96).zip(65..96).all(|(id, next)| hash(id) + 1 == hash(next)));
        for power in 0..52 {
            let used = places(|number| number << power);
            assert!(used > 2200, "a step of 2 to the power of {power}: {used} places");
        }
        assert!(places(|number| -number * 1_000_003) > 2200);
    }
}
