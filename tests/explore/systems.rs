//! Small systems by name, and how many states they have.

use nodetree::TopologyKind::{self, Balanced, Bst, List, Tree};
use nodetree::testing::explore::Ask::{Create, Exec, Kill, Pause, Ping, PingAll, Remove, Resume, Wrong};
use nodetree::testing::explore::{Ask, Setup};

type Nodes = &'static [(i64, Option<i64>)];

const ONE: Nodes = &[(1, None)];
const TWO: Nodes = &[(1, None), (2, Some(1))];
const THREE: Nodes = &[(1, None), (2, Some(1)), (3, Some(2))];
const FOUR: Nodes = &[(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3))];
/// Two branches below the top, one of them longer.
const FORK: Nodes = &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2))];
/// All at the top.
const STAR: Nodes = &[(1, None), (2, None), (3, None), (4, None)];
/// In a search tree, 2 has two children, and its successor 3 stands below one of them.
const DEEP: Nodes = &[(2, None), (1, None), (4, None), (3, None)];
const IN_ORDER: Nodes = &[(1, None), (2, None), (3, None), (4, None)];

/// A system with a name.
pub struct Named {
    pub name: &'static str,
    pub setup: Setup,
    /// So many states it has.
    pub states: u64,
}

const fn calm(name: &'static str, topology: TopologyKind, nodes: Nodes, asks: &'static [Ask], states: u64) -> Named {
    Named { name, setup: Setup { asks, ..Setup::new(topology, nodes) }, states }
}

impl Named {
    const fn kill(self) -> Self {
        Self { setup: Setup { kills: 1, ..self.setup }, ..self }
    }

    const fn drop(self) -> Self {
        Self { setup: Setup { drops: 1, ..self.setup }, ..self }
    }

    const fn copy(self) -> Self {
        Self { setup: Setup { copies: 1, ..self.setup }, ..self }
    }

    const fn broken(self) -> Self {
        Self { setup: Setup { breaks: 1, ..self.setup }, ..self }
    }

    const fn hurry(self) -> Self {
        Self { setup: Setup { hurries: 1, ..self.setup }, ..self }
    }
}

/// Explored in each run of the tests.
pub const SMALL: &[Named] = &[
    calm("two execs", List, TWO, &[Exec(2), Exec(2)], 30),
    calm("three commands", List, FOUR, &[Exec(4), Wrong(2), PingAll], 220),
    calm("remove", List, THREE, &[Exec(3), Remove(2), Exec(3)], 283),
    calm("remove of what is not there", List, TWO, &[Remove(2), Exec(2), Remove(2)], 102),
    calm("remove with two children", Bst, DEEP, &[Remove(2), Exec(3)], 645),
    calm("two removes", Bst, DEEP, &[Remove(2), Remove(1), Exec(4)], 3476),
    calm("insert", List, TWO, &[Create(3, Some(1)), Exec(2), Exec(3)], 420),
    calm("stopped", List, THREE, &[Pause(2), Exec(3), Resume(2)], 66),
    calm("stopped while it is removed", List, THREE, &[Pause(2), Remove(2), Resume(2)], 348),
    calm("another life", Tree, TWO, &[Exec(2), Kill(2), Create(2, Some(1))], 261),
    calm("exec, kill", List, TWO, &[Exec(2), Ping(1)], 421).kill(),
    calm("execs, kill", List, THREE, &[Exec(3), Wrong(3), Exec(2)], 5152).kill(),
    calm("pingall, kill", Tree, FORK, &[Exec(4), PingAll, Ping(3)], 10_027).kill(),
    calm("create, kill", Tree, TWO, &[Create(3, Some(2)), Exec(3)], 742).kill(),
    calm("insert, kill", List, THREE, &[Create(4, Some(1))], 8008).kill(),
    calm("remove, kill", List, THREE, &[Exec(3), Remove(2), Exec(3)], 14269).kill(),
    calm("remove in a tree, kill", Tree, FORK, &[Remove(1), Exec(4)], 13461).kill(),
    calm("remove with two children, kill", Bst, DEEP, &[Remove(2)], 185_934).kill(),
    calm("drop", List, ONE, &[Exec(1), Exec(1)], 199).drop(),
    calm("copy", List, TWO, &[Exec(2), Exec(2)], 1894).copy(),
    calm("drop, copy", List, TWO, &[Exec(2), Ping(1)], 5880).drop().copy(),
    calm("drop, copy, kill", List, TWO, &[Exec(2)], 5519).drop().copy().kill(),
    calm("hurry", List, THREE, &[Exec(3), Remove(2), PingAll], 10398).hurry(),
    calm("insert, broken link", List, THREE, &[Create(4, Some(1)), PingAll], 24_547).broken(),
    calm("remove, broken link", List, THREE, &[Remove(2), Exec(3)], 11_715).broken(),
    calm("remove with two children, broken link", Bst, DEEP, &[Remove(2)], 132_780).broken(),
    calm("insert, hurry", List, THREE, &[Create(5, Some(1)), Exec(3)], 47_331).hurry(),
];

/// Explored by one command: see `tests/explore.rs`.
pub const LARGE: &[Named] = &[
    calm("balanced remove, kill", Balanced, IN_ORDER, &[Remove(1), Exec(4)], 383963).kill(),
    calm("remove with two children and execs, kill", Bst, DEEP, &[Exec(3), Remove(2), Exec(3)], 382803).kill(),
    calm("remove, drop, copy", List, THREE, &[Remove(2)], 45410).drop().copy(),
    calm("remove, drop, kill", List, THREE, &[Remove(2)], 330312).drop().kill(),
    calm("two execs, drop, copy, kill", List, TWO, &[Exec(2), Exec(2)], 85102).drop().copy().kill(),
    calm("three nodes, drop, copy, kill", List, THREE, &[Exec(3), Ping(2)], 988_293).drop().copy().kill(),
    calm("remove, drop, copy, kill", List, THREE, &[Remove(2)], 5_004_519).drop().copy().kill(),
    calm("remove with two children, drop, kill", Bst, DEEP, &[Remove(2)], 6_368_754).drop().kill(),
    calm("remove in a tree of four, drop, copy, kill", Tree, FORK, &[Remove(1), Exec(4)], 6_557_226)
        .drop()
        .copy()
        .kill(),
    calm("four nodes abreast, three commands, drop, copy, kill", Tree, STAR, &[Exec(4), Ping(3), Exec(1)], 137_142)
        .drop()
        .copy()
        .kill(),
    calm("four nodes, three commands, drop, copy, kill", Tree, FORK, &[Exec(4), Wrong(3), Ping(1)], 17_429_077)
        .drop()
        .copy()
        .kill(),
];
