//! The words by which topologies and command sets are chosen.

use std::fmt;
use std::str::FromStr;

use super::{Commands, Topology};

/// A word that names neither a topology nor a command set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such topology or command set: {word:?}")]
pub struct UnknownName {
    /// The word.
    pub word: String,
}

impl Topology {
    /// All four.
    pub const ALL: [Self; 4] = [Self::List, Self::Tree, Self::Bst, Self::Balanced];

    /// As `--topology` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tree => "tree",
            Self::Bst => "bst",
            Self::Balanced => "balanced",
        }
    }
}

impl Commands {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Dictionary, Self::Timer, Self::Search];

    /// As `--commands` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Dictionary => "dictionary",
            Self::Timer => "timer",
            Self::Search => "search",
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Topology {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|it| it.name() == word).ok_or_else(|| UnknownName { word: word.to_owned() })
    }
}

impl FromStr for Commands {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|it| it.name() == word).ok_or_else(|| UnknownName { word: word.to_owned() })
    }
}
