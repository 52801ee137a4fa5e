//! When what was sent last arrives, on each way of which nothing may overtake what was sent before.

use rustc_hash::FxHashMap;

use crate::actors::message::{Nanos, NodeKey};

/// What must not overtake what.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    Down(NodeKey),
    Up(NodeKey),
    Kernel,
}

/// A table that has had room for more ways than this is not kept for others.
const KEPT: usize = 1024;

/// The ways on which something is under way, and a few more.
///
/// In two tables: the older one is thrown away when all of it has arrived, and the younger one is the older one from then
/// on. So they hold what is under way now and not what a large tree has ever sent.
#[derive(Default)]
pub(super) struct Ways {
    young: Table,
    old: Table,
}

#[derive(Default)]
struct Table {
    last: FxHashMap<Way, Nanos>,
    /// When the last of all arrives.
    latest: Nanos,
}

impl Ways {
    /// When the last thing arrives that was sent this way; 0 when that may have been long before now.
    pub(super) fn last(&self, way: Way) -> Nanos {
        self.young.last.get(&way).or_else(|| self.old.last.get(&way)).copied().unwrap_or(0)
    }

    /// The last thing that was sent this way arrives then, and not before what was sent this way earlier.
    pub(super) fn arrives(&mut self, way: Way, at: Nanos, now: Nanos) {
        if now >= self.old.latest {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.latest = 0;
            if self.young.last.capacity() > KEPT {
                self.young.last = FxHashMap::default();
            }
            self.young.last.clear();
        }
        self.young.last.insert(way, at);
        self.young.latest = self.young.latest.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn what_is_under_way_is_known_and_hardly_more() {
        let (mut ways, mut plain, mut random) = (Ways::default(), FxHashMap::default(), Random(7));
        let mut now = 0;
        for step in 0..20_000_u64 {
            let way = Way::Up(NodeKey { id: 1, incarnation: random.between((0, 5_000)) });
            let known = plain.get(&way).copied().filter(|last| *last > now);
            assert_eq!(Some(ways.last(way)).filter(|last| *last > now), known);
            let at = (now + random.between((1, 15_000))).max(known.unwrap_or(0) + 1);
            ways.arrives(way, at, now);
            plain.insert(way, at);
            now += if step / 2_000 % 2 == 0 { 0 } else { 1_000 };
        }
        assert!(ways.young.last.len() + ways.old.last.len() < 100);
        assert!(ways.young.last.capacity().max(ways.old.last.capacity()) <= 2 * KEPT);
    }
}
