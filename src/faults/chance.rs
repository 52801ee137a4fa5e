//! How likely something is.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::random::Random;

/// A probability from 0 to 1, in steps of a millionth. In RON it is a number like `0.3`.
///
/// ```
/// use nodetree::faults::Chance;
/// assert_eq!(Chance::new(0.3).map(|chance| chance.to_string()).as_deref(), Some("30 %"));
/// assert_eq!(Chance::new(1.0), Some(Chance::ALWAYS));
/// assert_eq!(Chance::new(1.5), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chance(u32);

/// How many steps there are from never to always.
const STEPS: u32 = 1_000_000;

impl Chance {
    /// It happens each time.
    pub const ALWAYS: Self = Self(STEPS);

    /// This probability; nothing for what is none.
    pub fn new(probability: f64) -> Option<Self> {
        // In range, so the number fits.
        (0.0..=1.0).contains(&probability).then(|| Self((probability * f64::from(STEPS)).round() as u32))
    }

    /// So many of a hundred, at most all of them.
    pub fn percent(percent: u32) -> Self {
        Self(percent.min(100) * (STEPS / 100))
    }

    /// Whether it happens this time.
    pub(super) fn happens(self, random: &mut Random) -> bool {
        random.between((0, u64::from(STEPS) - 1)) < u64::from(self.0)
    }

    pub(super) fn always() -> Self {
        Self::ALWAYS
    }

    pub(crate) fn probability(self) -> f64 {
        f64::from(self.0) / f64::from(STEPS)
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / f64::from(STEPS / 100))
    }
}

impl Serialize for Chance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.probability())
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let probability = f64::deserialize(deserializer)?;
        Self::new(probability).ok_or_else(|| D::Error::custom("expected a probability from 0.0 to 1.0"))
    }
}
