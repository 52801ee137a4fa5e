//! The variants of the assignment: a topology, a command set and a check each.

use std::str::FromStr;

use crate::command_sets::CommandSetKind;
use crate::command_sets::words::{Echo, number};

/// Topology, command set and check of the variants of 2023, from number 1 up.
#[rustfmt::skip]
const OF_2023: [[u8; 3]; 48] = [
    [3, 3, 3], [2, 4, 3], [1, 1, 3], [1, 1, 2], [4, 1, 1], [4, 3, 1],
    [3, 4, 2], [4, 4, 1], [1, 2, 2], [4, 3, 3], [2, 3, 1], [4, 2, 1],
    [1, 3, 1], [1, 1, 1], [1, 2, 3], [2, 4, 1], [1, 4, 2], [3, 2, 2],
    [3, 3, 2], [2, 4, 2], [4, 3, 2], [3, 4, 3], [4, 4, 3], [2, 2, 1],
    [2, 2, 3], [3, 1, 2], [1, 4, 1], [1, 3, 2], [3, 1, 3], [3, 4, 1],
    [1, 4, 3], [3, 2, 3], [2, 1, 1], [2, 3, 3], [4, 1, 2], [3, 2, 1],
    [1, 2, 1], [1, 3, 3], [4, 4, 2], [2, 3, 2], [3, 1, 1], [2, 1, 3],
    [2, 1, 2], [4, 1, 3], [4, 2, 2], [2, 2, 2], [3, 3, 1], [4, 2, 3],
];

/// A variant of the assignment, as in `--variant 25` (2023) and `--variant 2020:45`.
///
/// ```
/// use nodetree::command_sets::CommandSetKind;
/// use nodetree::commands::Variant;
/// let variant: Variant = "25".parse()?;
/// assert_eq!(variant, Variant { topology: 2, commands: CommandSetKind::Dictionary, check: 3 });
/// let variant: Variant = "2020:48".parse()?;
/// assert_eq!(variant, Variant { topology: 4, commands: CommandSetKind::Search, check: 3 });
/// # Ok::<(), nodetree::commands::VariantError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The number of the topology: 1 list, 2 tree, 3 bst, 4 balanced.
    pub topology: u8,
    /// The command set.
    pub commands: CommandSetKind,
    /// The number of the check: 1 pingall, 2 ping, 3 heartbit. All three are always there.
    pub check: u8,
}

/// The text names no variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a variant from 1 to 48, or from 2020:1 to 2020:48, found {}", Echo(.0))]
pub struct VariantError(
    /// What was given.
    pub String,
);

impl Variant {
    /// The variant of 2023 with this number, from 1 to 48.
    pub fn of_2023(variant: u8) -> Option<Self> {
        let [topology, commands, check] = *OF_2023.get(usize::from(variant).checked_sub(1)?)?;
        Some(Self { topology, commands: CommandSetKind::from_number(commands)?, check })
    }

    /// The variant of 2020 with this number, from 1 to 48.
    pub fn of_2020(variant: u8) -> Option<Self> {
        let nth = variant.checked_sub(1).filter(|nth| *nth < 48)?;
        Some(Self {
            topology: nth / 12 + 1,
            commands: CommandSetKind::from_number(nth / 3 % 4 + 1)?,
            check: nth % 3 + 1,
        })
    }
}

impl FromStr for Variant {
    type Err = VariantError;

    fn from_str(text: &str) -> Result<Self, VariantError> {
        let read = |word: &str| number(word).and_then(|number| u8::try_from(number).ok());
        let variant = match text.strip_prefix("2020:") {
            Some(word) => read(word).and_then(Self::of_2020),
            None => read(text).and_then(Self::of_2023),
        };
        variant.ok_or_else(|| VariantError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_one_variant_of_each_year() {
        for of_year in [Variant::of_2020, Variant::of_2023] {
            let mut all: Vec<_> =
                (0..=u8::MAX).filter_map(of_year).map(|v| (v.topology, v.commands, v.check)).collect();
            assert_eq!(all.len(), 48);
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 48);
            assert!(all.iter().all(|(topology, _, check)| (1..=4).contains(topology) && (1..=3).contains(check)));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0", "49", "-1", "2020:0", "2020:49", "2020:", "2023:1", "x", "2020:2020:1", "1 ", "+1"] {
            assert_eq!(text.parse::<Variant>(), Err(VariantError(text.to_owned())));
        }
    }
}
