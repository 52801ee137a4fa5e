//! A map that nearly always has one entry or none, of which a large tree has very many.

use std::collections::BTreeMap;

/// From one more on they are looked for in a tree, not one after the other.
const FEW: usize = 8;

/// A map in the order of its keys. Empty it has no memory, with a few entries a block that just holds them, and with
/// many it is a [`BTreeMap`] until it is empty again.
#[derive(Clone, Debug, Hash)]
pub(crate) enum SmallMap<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Copy + Ord, V> SmallMap<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(entries) => entries.is_empty(),
            Self::Many(map) => map.is_empty(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(entries) => entries.len(),
            Self::Many(map) => map.len(),
        }
    }

    /// Takes out the entry with the smallest key.
    pub(super) fn pop_first(&mut self) -> Option<(K, V)> {
        let key = *self.iter().next()?.0;
        self.remove(&key).map(|value| (key, value))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::Few(entries) => entries.iter().find(|(of, _)| of == key).map(|(_, value)| value),
            Self::Many(map) => map.get(key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::Few(entries) => entries.iter_mut().find(|(of, _)| of == key).map(|(_, value)| value),
            Self::Many(map) => map.get_mut(key),
        }
    }

    /// Puts it in; what the key had before comes out.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let entries = match self {
            Self::Many(map) => return map.insert(key, value),
            Self::Few(entries) => entries,
        };
        match entries.binary_search_by_key(&key, |(of, _)| *of) {
            Ok(at) => return Some(std::mem::replace(&mut entries[at].1, value)),
            Err(at) if entries.len() < FEW => {
                if entries.len() == entries.capacity() {
                    // One, two, four: a vector by itself begins with room for four.
                    entries.reserve_exact(entries.len().max(1));
                }
                entries.insert(at, (key, value));
            }
            Err(_) => {
                let all = std::mem::take(entries).into_iter().chain([(key, value)]);
                *self = Self::Many(all.collect());
            }
        }
        None
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = match self {
            Self::Few(entries) => {
                let at = entries.iter().position(|(of, _)| of == key)?;
                Some(entries.remove(at).1)
            }
            Self::Many(map) => map.remove(key),
        };
        if self.is_empty() {
            *self = Self::default();
        }
        removed
    }

    /// All entries, by their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            Self::Few(entries) => (Some(entries), None),
            Self::Many(map) => (None, Some(map)),
        };
        few.into_iter().flatten().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts in and takes out as a [`BTreeMap`] does, with few entries and with many.
    #[test]
    fn it_is_a_map_in_the_order_of_its_keys() {
        let (mut small, mut plain) = (SmallMap::default(), BTreeMap::new());
        for step in 0..4000_u64 {
            // It grows to about thirty entries and is emptied again.
            let key = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59;
            if step / 40 % 2 == 0 {
                assert_eq!(small.insert(key, step), plain.insert(key, step));
            } else {
                assert_eq!(small.remove(&key), plain.remove(&key));
            }
            assert!(small.iter().eq(plain.iter()));
            assert_eq!(small.is_empty(), plain.is_empty());
            assert_eq!(small.get(&key), plain.get(&key));
            assert_eq!(small.get_mut(&key), plain.get_mut(&key));
        }
    }

    #[test]
    fn it_keeps_no_room_when_it_is_empty_and_little_when_there_is_one_entry() {
        let mut map = SmallMap::default();
        let room = |map: &SmallMap<u64, u64>| match map {
            SmallMap::Few(entries) => entries.capacity(),
            SmallMap::Many(_) => usize::MAX,
        };
        map.insert(7, 1);
        assert_eq!(room(&map), 1);
        for key in 0..20 {
            map.insert(key, 1);
        }
        assert_eq!(room(&map), usize::MAX);
        (0..20).for_each(|key| assert_eq!(map.remove(&key), Some(1)));
        assert_eq!(room(&map), 0);
    }
}
