//! A map from numbers that are given out one after the other.

use rustc_hash::FxHashMap;

/// So many numbers are on a page.
const LENGTH: usize = 32;

struct Page<T> {
    entries: Box<[Option<T>; LENGTH]>,
    taken: usize,
}

/// A map whose keys are numbers from a count. What was put in together is found together: that matters where there are
/// very many, and each look at another place in the memory is a wait.
pub(super) struct Pages<T>(FxHashMap<u64, Page<T>>);

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

fn place(number: u64) -> (u64, usize) {
    (number / LENGTH as u64, (number % LENGTH as u64) as usize)
}

impl<T> Pages<T> {
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let (page, at) = place(number);
        self.0.get(&page)?.entries[at].as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (page, at) = place(number);
        self.0.get_mut(&page)?.entries[at].as_mut()
    }

    pub(super) fn insert(&mut self, number: u64, entry: T) -> Option<T> {
        let (page, at) = place(number);
        let new = || Page { entries: Box::new(std::array::from_fn(|_| None)), taken: 0 };
        let page = self.0.entry(page).or_insert_with(new);
        let old = page.entries[at].replace(entry);
        page.taken += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let (of_page, at) = place(number);
        let page = self.0.get_mut(&of_page)?;
        let old = page.entries[at].take()?;
        page.taken -= 1;
        if page.taken == 0 {
            self.0.remove(&of_page);
        }
        Some(old)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// All entries, by their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut pages: Vec<_> = self.0.iter().collect();
        pages.sort_unstable_by_key(|(number, _)| **number);
        pages.into_iter().flat_map(|(_, page)| page.entries.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_a_map_and_keeps_no_page_that_is_empty() {
        let (mut pages, mut plain) = (Pages::default(), BTreeMap::new());
        for step in 0..4000_u64 {
            let number = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55;
            if step / 400 % 2 == 0 {
                assert_eq!(pages.insert(number, step), plain.insert(number, step));
            } else {
                assert_eq!(pages.remove(number), plain.remove(&number));
            }
            assert_eq!(pages.get(number), plain.get(&number));
            assert_eq!(pages.get_mut(number), plain.get_mut(&number));
            assert!(pages.iter().eq(plain.values()));
        }
        (0..512).for_each(|number| assert_eq!(pages.remove(number), plain.remove(&number)));
        assert!(pages.0.is_empty());
    }
}
