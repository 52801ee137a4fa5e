//! A growing text that is never moved: it holds its characters once, in large pages where the system has them.

use std::fmt;
use std::ops::Deref;

use memmap2::{Advice, MmapMut};

/// Characters of one block: what a large page holds. In pages of 4 KiB, asking the kernel for each of them takes longer
/// than the search.
const BLOCK: usize = 2 * 1024 * 1024;

/// A text that is no longer than this needs no large page. (Its room doubles, so it may become twice as long.)
const SHORT: usize = 256 * 1024;

/// How much is looked at in one piece: a turn must end.
const RUN: usize = 64 * 1024;

/// A text in blocks. A `Vec` would hold everything twice whenever it grows, and free it in one long step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chars {
    blocks: Vec<Block>,
    length: usize,
}

/// Part of a text; only the last one is not full.
enum Block {
    /// A short text, or where the system gives no pages.
    Short(Vec<u8>),
    /// So many characters are there.
    Long(MmapMut, usize),
}

impl Chars {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The character at `index`, which must be below [`len`](Self::len).
    #[inline]
    pub(super) fn at(&self, index: usize) -> u8 {
        self.blocks[index / BLOCK][index % BLOCK]
    }

    /// Some of the characters from `index` on; none only at the end of the text.
    pub(super) fn run(&self, index: usize) -> &[u8] {
        let rest = self.blocks.get(index / BLOCK).and_then(|block| block.get(index % BLOCK..)).unwrap_or_default();
        &rest[..rest.len().min(RUN - index % RUN)]
    }

    pub(super) fn extend(&mut self, mut more: &[u8]) {
        while !more.is_empty() {
            let block = self.open_block(more.len());
            let (now, later) = more.split_at(more.len().min(BLOCK - block.len()));
            block.extend(now);
            self.length += now.len();
            more = later;
        }
    }

    /// Frees one block; `false` when there was none.
    pub(super) fn free_block(&mut self) -> bool {
        let freed = self.blocks.pop();
        self.length -= freed.as_ref().map_or(0, |block| block.len());
        freed.is_some()
    }

    /// The block that the next characters go to.
    fn open_block(&mut self, more: usize) -> &mut Block {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK => last.make_room(more),
            _ => {
                let is_short = self.blocks.is_empty() && more <= SHORT;
                self.blocks.push(if is_short { Block::Short(Vec::new()) } else { Block::long() });
            }
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }
}

impl Block {
    fn long() -> Self {
        let Ok(pages) = MmapMut::map_anon(BLOCK) else { return Self::Short(Vec::with_capacity(BLOCK)) };
        // Where there are no large pages, small ones do.
        let _ = pages.advise(Advice::HugePage);
        Self::Long(pages, 0)
    }

    /// A short text that becomes a long one is moved, once.
    fn make_room(&mut self, more: usize) {
        if let Self::Short(short) = self
            && short.len() + more > SHORT.max(short.capacity())
        {
            let mut long = Self::long();
            long.extend(short);
            *self = long;
        }
    }

    /// There is room for them.
    fn extend(&mut self, more: &[u8]) {
        match self {
            Self::Short(short) => short.extend_from_slice(more),
            Self::Long(pages, length) => {
                pages[*length..][..more.len()].copy_from_slice(more);
                *length += more.len();
            }
        }
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(short) => short,
            Self::Long(pages, length) => &pages[..*length],
        }
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        Self::Short(self.to_vec())
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} characters", self.len())
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Block {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_was_given_and_little_more() {
        for length in [1, RUN + 3, SHORT, SHORT + 1, BLOCK, 2 * BLOCK + 5] {
            let all: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            for piece in [1009, 48 * 1024, RUN, BLOCK, 2 * BLOCK + 1] {
                let mut text = Chars::default();
                all.chunks(piece).for_each(|piece| text.extend(piece));
                assert_eq!(text.len(), length);
                assert!((0..length).step_by(997).all(|index| text.at(index) == all[index]));
                assert_eq!(text.blocks.iter().flat_map(|block| block.to_vec()).collect::<Vec<_>>(), all);
                assert!(text.blocks.iter().all(|block| matches!(block, Block::Long(..)) || length <= 2 * SHORT));
                assert!(text.blocks.len() <= length.div_ceil(BLOCK));
                while text.free_block() {}
                assert_eq!(text.len(), 0);
            }
        }
    }

    #[test]
    fn runs_end_where_a_piece_does() {
        let mut text = Chars::default();
        let all: Vec<u8> = (0..BLOCK + RUN + 1).map(|n| (n % 241) as u8).collect();
        text.extend(&all);
        let mut at = 0;
        while !text.run(at).is_empty() {
            let run = text.run(at);
            assert_eq!(run, &all[at..at + run.len()]);
            assert!(run.len() <= RUN && (run.len() == RUN || at + run.len() == all.len()));
            at += run.len();
        }
        assert_eq!(at, all.len());
        assert_eq!(text.run(RUN - 1).len(), 1);
    }

    #[test]
    fn a_copy_goes_on_for_itself() {
        let mut text = Chars::default();
        text.extend(&vec![b'a'; SHORT + 1]);
        let mut copy = text.clone();
        assert_eq!(copy, text);
        copy.extend(&[b'b'; 3]);
        assert_ne!(copy, text);
        assert_eq!((copy.len(), copy.at(SHORT + 3), text.len()), (SHORT + 4, b'b', SHORT + 1));
    }
}
