//! Chance that is the same on every machine.

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): the same numbers on
/// every machine and in every version.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.next() % (high - low + 1)
    }
}

/// The natural logarithm of a number that is positive and normal. The C library's may differ from version to version and
/// from machine to machine in the last bit, and costs each node that starts another library to load.
pub(crate) fn ln(x: f64) -> f64 {
    // Two halves of ln 2: a whole number of times the first is exact.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const TERMS: u32 = 11;
    // x is m * 2^k, with m from half the square root of 2 to the root itself.
    let above = x.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits()).cast_signed() >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((above << 52).cast_unsigned()));
    // ln m = 2 artanh s = 2 (s + s^3 / 3 + s^5 / 5 + …), and s is less than 0.18.
    let s = (m - 1.0) / (m + 1.0);
    let series = (0..TERMS).rev().fold(0.0, |sum, term| sum * s * s + 1.0 / f64::from(2 * term + 1));
    let k = above as f64;
    k * LN_2_HIGH + (2.0 * s * series + k * LN_2_LOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_as_good_as_that_of_the_c_library() {
        let mut random = Random(7);
        let drawn = (0..1_000_000).map(|_| ((random.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64);
        let others =
            [f64::MIN_POSITIVE, 1e-300, 0.5, std::f64::consts::FRAC_1_SQRT_2, 1.0 - f64::EPSILON, 1.0, 2.0, 1e300];
        for x in drawn.chain(others) {
            assert!((ln(x) - x.ln()).abs() <= 8e-16 * x.ln().abs(), "{x}: {} and {}", ln(x), x.ln());
        }
    }

    #[test]
    fn the_logarithm_is_the_same_to_the_last_bit_everywhere() {
        let bits = [0.1, 0.3, 0.7, 0.999].map(|x| ln(x).to_bits());
        assert_eq!(bits, [0xc002_6bb1_bbb5_5515, 0xbff3_4378_fcbd_a721, 0xbfd6_d3c3_24e1_3f4f, 0xbf50_6467_0d97_9b73]);
    }
}
