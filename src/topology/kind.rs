use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The rules by which nodes are placed.
///
/// ```
/// use nodetree::topology::TopologyKind;
/// let kind: TopologyKind = "bst".parse()?;
/// assert_eq!((kind, kind.number()), (TopologyKind::Bst, 3));
/// assert_eq!(TopologyKind::default().to_string(), "tree");
/// # Ok::<(), nodetree::topology::UnknownTopology>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "testing", derive(arbitrary::Arbitrary))]
#[serde(rename_all = "lowercase")]
pub enum TopologyKind {
    /// Chains that hang off the control node; a new node comes right after the named one.
    List,
    /// Any shape; a new node comes under the named one.
    #[default]
    Tree,
    /// One binary search tree of ids.
    Bst,
    /// One binary tree in which the sizes of the two subtrees differ by at most one at every node.
    Balanced,
}

impl TopologyKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::List, Self::Tree, Self::Bst, Self::Balanced];

    /// The number of the kind in the tables of variants, from 1 up.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The word by which it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tree => "tree",
            Self::Bst => "bst",
            Self::Balanced => "balanced",
        }
    }

    /// Whether a typed parent says where a new node comes; the other kinds place by themselves.
    ///
    /// ```
    /// use nodetree::topology::TopologyKind;
    /// assert!(TopologyKind::List.obeys_parent());
    /// assert!(!TopologyKind::Balanced.obeys_parent());
    /// ```
    pub const fn obeys_parent(self) -> bool {
        matches!(self, Self::List | Self::Tree)
    }
}

impl fmt::Display for TopologyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TopologyKind {
    type Err = UnknownTopology;

    fn from_str(word: &str) -> Result<Self, UnknownTopology> {
        Self::ALL.into_iter().find(|kind| kind.name() == word).ok_or_else(|| UnknownTopology(word.to_owned()))
    }
}

/// A word that names no topology; nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown topology `{0}`: expected list, tree, bst or balanced")]
pub struct UnknownTopology(pub String);
