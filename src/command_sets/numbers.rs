//! Many numbers as one block of bytes.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Numbers as they travel: as many bytes for each as the one needs that needs most.
///
/// They are written and read as one block: with an encoding of each number for itself, reading alone would take longer
/// than adding and sending together.
///
/// ```
/// use nodetree::command_sets::sum::Numbers;
/// let numbers = Numbers::new(&[7, -3, 40_000]);
/// assert_eq!((numbers.len(), numbers.sum()), (3, 40_004));
/// assert!(numbers.iter().eq([7, -3, 40_000]));
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Bytes")]
pub struct Numbers(
    /// The width, 2, 4 or 8, then each number in so many bytes, little-endian.
    Bytes,
);

/// Bytes that are no block of numbers.
#[derive(Debug, thiserror::Error)]
#[error("{bytes} bytes are no block of numbers")]
pub struct NotNumbers {
    bytes: usize,
}

impl Numbers {
    /// These numbers.
    pub fn new(numbers: &[i64]) -> Self {
        // What a number has beyond 16 and 32 bits, moved so that 0 is in the middle.
        let beyond = |bits: u32| {
            let beyond = |number: &i64| (*number as u64).wrapping_add(1 << (bits - 1)) >> bits;
            numbers.iter().map(beyond).fold(0, |all, beyond| all | beyond)
        };
        Self(Bytes::from(if beyond(16) == 0 {
            block(2, numbers, |number| (number as i16).to_le_bytes())
        } else if beyond(32) == 0 {
            block(4, numbers, |number| (number as i32).to_le_bytes())
        } else {
            block(8, numbers, i64::to_le_bytes)
        }))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.split_first().map_or(0, |(width, bytes)| bytes.len() / usize::from(*width))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        let (width, bytes) = self.0.split_first().map_or((8, &[][..]), |(width, bytes)| (*width, bytes));
        bytes.chunks_exact(usize::from(width)).map(|number| {
            // The sign fills what is not there.
            let sign = if number.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 };
            let mut all = [sign; 8];
            all[..number.len()].copy_from_slice(number);
            i64::from_le_bytes(all)
        })
    }

    /// What they come to.
    pub fn sum(&self) -> i128 {
        let Some((width, bytes)) = self.0.split_first() else { return 0 };
        match width {
            // So few bytes that 64 bits are enough.
            2 => bytes.as_chunks().0.iter().map(|number| i64::from(i16::from_le_bytes(*number))).sum::<i64>().into(),
            4 => bytes.as_chunks().0.iter().map(|number| i64::from(i32::from_le_bytes(*number))).sum::<i64>().into(),
            _ => bytes.as_chunks().0.iter().map(|number| i128::from(i64::from_le_bytes(*number))).sum(),
        }
    }
}

fn block<const WIDTH: usize>(width: u8, numbers: &[i64], bytes_of: impl Fn(i64) -> [u8; WIDTH]) -> Vec<u8> {
    let mut block = vec![0; 1 + WIDTH * numbers.len()];
    block[0] = width;
    for (bytes, number) in block[1..].as_chunks_mut().0.iter_mut().zip(numbers) {
        *bytes = bytes_of(*number);
    }
    block
}

impl TryFrom<Bytes> for Numbers {
    type Error = NotNumbers;

    fn try_from(bytes: Bytes) -> Result<Self, NotNumbers> {
        match bytes.split_first() {
            Some((width @ (2 | 4 | 8), numbers)) if numbers.len() % usize::from(*width) == 0 => Ok(Self(bytes)),
            _ => Err(NotNumbers { bytes: bytes.len() }),
        }
    }
}

impl FromIterator<i64> for Numbers {
    fn from_iter<T: IntoIterator<Item = i64>>(numbers: T) -> Self {
        Self::new(&Vec::from_iter(numbers))
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back_as_they_were() {
        for bits in 1..=64 {
            let most = i64::MAX >> (64 - bits);
            for numbers in [vec![most, !most, 0, 5, -1], vec![!most], vec![most], vec![]] {
                let block = Numbers::new(&numbers);
                assert!(block.iter().eq(numbers.iter().copied()), "{block:?}");
                assert_eq!(block.sum(), numbers.iter().map(|number| i128::from(*number)).sum());
                assert_eq!((block.len(), block.is_empty()), (numbers.len(), numbers.is_empty()));
                let bytes = postcard::to_stdvec(&block).unwrap();
                assert_eq!(postcard::from_bytes::<Numbers>(&bytes).unwrap(), block);
                let width = if bits <= 16 {
                    2
                } else if bits <= 32 {
                    4
                } else {
                    8
                };
                assert!(numbers.is_empty() || bytes.len() == 2 + width * numbers.len(), "{bits}");
            }
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&[][..], &[0], &[1, 1], &[3, 1, 1, 1], &[2, 1], &[4, 1, 1], &[8, 1, 1, 1, 1], &[16]] {
            assert!(
                postcard::from_bytes::<Numbers>(&postcard::to_stdvec(&Bytes::copy_from_slice(bytes)).unwrap()).is_err()
            );
        }
    }
}
