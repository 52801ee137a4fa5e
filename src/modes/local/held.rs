//! Which end of which link, in little.

use crate::actors::End;
use crate::actors::message::{LinkId, Side};

/// An end of a link in one word, in the same order: there are two for each node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held(u64);

impl Held {
    pub(super) fn of(End { link: LinkId(link), side }: End) -> Self {
        Self(link << 1 | side as u64)
    }

    pub(super) fn end(self) -> End {
        let side = if self.0 & 1 == Side::Upper as u64 { Side::Upper } else { Side::Lower };
        End { link: LinkId(self.0 >> 1), side }
    }
}
