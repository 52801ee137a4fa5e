//! A map from numbers that are given out one after the other.

use std::collections::VecDeque;

/// So many numbers are on a page.
const LENGTH: usize = 32;

struct Page<T> {
    entries: [Option<T>; LENGTH],
    taken: usize,
}

/// A map whose keys are numbers from a count. What was put in together is found together, and the places of the pages are
/// a block that fits into the cache: that matters where there are very many, and each look at another place in the memory
/// is a wait.
///
/// It takes a quarter of a byte for each number between the smallest and the largest that it holds.
pub(super) struct Pages<T> {
    pages: VecDeque<Option<Box<Page<T>>>>,
    /// Which page is the first.
    first: u64,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: VecDeque::new(), first: 0 }
    }
}

impl<T> Pages<T> {
    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let page = (number / LENGTH as u64).checked_sub(self.first)?;
        Some((usize::try_from(page).ok()?, (number % LENGTH as u64) as usize))
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let (page, at) = self.place(number)?;
        self.pages.get(page)?.as_ref()?.entries[at].as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (page, at) = self.place(number)?;
        self.pages.get_mut(page)?.as_mut()?.entries[at].as_mut()
    }

    /// Makes room for the page with this number.
    fn reach(&mut self, page: u64) {
        if self.pages.is_empty() {
            self.first = page;
        }
        for _ in page..self.first {
            self.pages.push_front(None);
        }
        self.first = self.first.min(page);
        let length = (page - self.first) as usize + 1;
        if self.pages.len() < length {
            self.pages.resize_with(length, || None);
        }
    }

    pub(super) fn insert(&mut self, number: u64, entry: T) -> Option<T> {
        self.reach(number / LENGTH as u64);
        let (page, at) = self.place(number)?;
        let new = || Box::new(Page { entries: std::array::from_fn(|_| None), taken: 0 });
        let page = self.pages[page].get_or_insert_with(new);
        let old = page.entries[at].replace(entry);
        page.taken += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let (at_page, at) = self.place(number)?;
        let of_page = self.pages.get_mut(at_page)?;
        let page = of_page.as_mut()?;
        let old = page.entries[at].take()?;
        page.taken -= 1;
        if page.taken == 0 {
            *of_page = None;
            self.shrink();
        }
        Some(old)
    }

    /// Forgets pages at either end that are empty.
    fn shrink(&mut self) {
        while self.pages.pop_front_if(|page| page.is_none()).is_some() {
            self.first += 1;
        }
        while self.pages.pop_back_if(|page| page.is_none()).is_some() {}
    }

    pub(super) fn clear(&mut self) {
        self.pages.clear();
    }

    /// All entries, by their numbers.
    pub(super) fn into_entries(self) -> impl Iterator<Item = T> {
        self.pages.into_iter().flatten().flat_map(|page| page.entries.into_iter().flatten())
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
            assert!(pages.pages.iter().flatten().flat_map(|page| page.entries.iter().flatten()).eq(plain.values()));
        }
        (0..512).for_each(|number| assert_eq!(pages.remove(number), plain.remove(&number)));
        assert!(pages.pages.is_empty());
    }
}
