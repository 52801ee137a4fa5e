//! A growing array that is never moved: it holds its elements once, however it grows, and is freed step by step.

/// Elements of one block.
const BLOCK: usize = 1 << 16;

/// An array in blocks. A `Vec` would hold everything twice whenever it grows, and free it in one long step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks<T> {
    blocks: Vec<Vec<T>>,
    length: usize,
}

impl<T: Copy> Blocks<T> {
    #[cfg(test)]
    fn len(&self) -> usize {
        self.length
    }

    /// The element at `index`, which must be below [`len`](Self::len).
    #[inline]
    pub(super) fn at(&self, index: usize) -> T {
        self.blocks[index / BLOCK][index % BLOCK]
    }

    pub(super) fn extend(&mut self, mut elements: &[T]) {
        while !elements.is_empty() {
            let block = self.open_block();
            let (now, later) = elements.split_at(elements.len().min(BLOCK - block.len()));
            reserve(block, now.len());
            block.extend_from_slice(now);
            self.length += now.len();
            elements = later;
        }
    }

    /// Frees one block; `false` when there was none.
    pub(super) fn free_block(&mut self) -> bool {
        let freed = self.blocks.pop();
        self.length -= freed.as_ref().map_or(0, Vec::len);
        freed.is_some()
    }

    fn open_block(&mut self) -> &mut Vec<T> {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::new());
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }
}

/// Grows a block by doubling, but never above its full size.
fn reserve<T>(block: &mut Vec<T>, more: usize) {
    let wanted = block.len() + more;
    if wanted > block.capacity() {
        let capacity = wanted.max(2 * block.capacity()).min(BLOCK);
        block.reserve_exact(capacity - block.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_was_given_and_little_more() {
        let all: Vec<u8> = (0..3 * BLOCK + 5).map(|n| (n % 251) as u8).collect();
        for piece in [1, 7, 48 * 1024, BLOCK, 2 * BLOCK + 1] {
            let mut blocks = Blocks::default();
            all.chunks(piece).for_each(|piece| blocks.extend(piece));
            assert_eq!(blocks.len(), all.len());
            assert!((0..all.len()).step_by(997).all(|index| blocks.at(index) == all[index]));
            assert_eq!(blocks.blocks.concat(), all);
            assert!(blocks.blocks.iter().map(Vec::capacity).sum::<usize>() <= all.len() + BLOCK);
            while blocks.free_block() {}
            assert_eq!(blocks.len(), 0);
        }
    }
}
