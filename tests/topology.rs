//! The topology against its model, at degenerate sizes, and its drawings line by line.

use nodetree::topology::model::{Operation, check_operations};
use nodetree::topology::{CONTROL, Hop, Move, NodeId, Place, PlaceError, Route, Slot, Topology, TopologyKind};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const MILLION: NodeId = 1_000_000;

fn built(kind: TopologyKind, nodes: impl IntoIterator<Item = (NodeId, Option<NodeId>)>) -> Topology {
    let mut topology = Topology::new(kind);
    for (id, parent) in nodes {
        let place = topology.place(id, parent).expect("the parent is there");
        topology.insert(id, &place);
    }
    topology
}

fn alone(ids: impl IntoIterator<Item = NodeId>) -> impl Iterator<Item = (NodeId, Option<NodeId>)> {
    ids.into_iter().map(|id| (id, None))
}

fn chain(last: NodeId) -> impl Iterator<Item = (NodeId, Option<NodeId>)> {
    (0..=last).map(|id| (id, (id > 0).then_some(id - 1)))
}

fn moved(node: NodeId, parent: NodeId, slot: Slot) -> Move {
    Move { node, parent, slot }
}

// --- against the model ---

/// Few ids, so that operations meet; the extremes of `i64` among them.
fn hot_ids() -> impl Strategy<Value = Vec<NodeId>> {
    let extremes = vec![NodeId::MIN, NodeId::MIN + 1, NodeId::MAX, 0, -1, -2, 1, 2, 5, 10, -77];
    prop::collection::vec(prop_oneof![select(extremes), -20..20_i64], 4..=8)
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    hot_ids().prop_flat_map(|hot| {
        let id = || prop_oneof![8 => select(hot.clone()), 1 => any::<NodeId>(), 2 => 0..40_i64];
        let parent = || prop_oneof![2 => Just(None), 3 => id().prop_map(Some)];
        let operation = prop_oneof![
            4 => (id(), parent()).prop_map(|(id, parent)| Operation::Create { id, parent }),
            2 => id().prop_map(|id| Operation::Remove { id }),
            2 => (id(), parent()).prop_map(|(id, parent)| Operation::Again { id, parent }),
        ];
        prop::collection::vec(operation, 0..60)
    })
}

fn kind() -> impl Strategy<Value = TopologyKind> {
    select(TopologyKind::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn does_what_the_model_does(kind in kind(), operations in operations()) {
        prop_assert_eq!(check_operations(kind, &operations), Ok(()));
    }

}

// Many nodes make the comparison slow, so these have fewer cases.
proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn grows_and_is_taken_apart_like_the_model(
        kind in kind(),
        ids in Just((-20..20_i64).collect::<Vec<_>>()).prop_shuffle(),
        removed in Just((-20..20_i64).collect::<Vec<_>>()).prop_shuffle(),
        parents in prop::collection::vec(-20..20_i64, 40),
    ) {
        let creates = ids.into_iter().zip(parents).flat_map(|(id, parent)| {
            // The second counts only where the parent of the first is not there yet.
            [Some(parent), None].map(|parent| Operation::Create { id, parent })
        });
        let removes = removed.into_iter().map(|id| Operation::Remove { id });
        let operations: Vec<_> = creates.chain(removes).collect();
        prop_assert_eq!(check_operations(kind, &operations), Ok(()));
    }

    #[test]
    fn a_balanced_tree_stays_in_balance(
        size in 1..300_i64,
        removed in prop::collection::vec(any::<Index>(), 0..300),
    ) {
        let mut tree = built(TopologyKind::Balanced, alone(0..size));
        prop_assert_eq!(tree.height() as u32, size.ilog2() + 1);
        for index in removed {
            let ids: Vec<_> = tree.ids().collect();
            if ids.is_empty() {
                break;
            }
            tree.remove(*index.get(&ids));
            prop_assert_eq!(tree.check(), Ok(()));
        }
    }
}

#[test]
fn every_short_history_of_four_ids_is_right() {
    for kind in TopologyKind::ALL {
        for history in 0..8_usize.pow(4) {
            let steps = (0..4).map(|step| history / 8_usize.pow(step) % 8);
            let toggled = steps.map(|step| match (step as NodeId % 4, step < 4) {
                (id, true) => Operation::Create { id, parent: (id > 0).then_some(id / 2) },
                (id, false) => Operation::Remove { id },
            });
            // All ids at the start, so that the removals find something.
            let all = (0..4).map(|id| Operation::Create { id: (id * 3 + 2) % 4, parent: None });
            let operations: Vec<_> = all.chain(toggled).collect();
            assert_eq!(check_operations(kind, &operations), Ok(()));
        }
    }
}

// --- placement and removal, by example ---

#[test]
fn a_typed_parent_counts_in_list_and_tree_only() {
    for kind in TopologyKind::ALL {
        let topology = built(kind, alone([1]));
        let is_asked = matches!(kind, TopologyKind::List | TopologyKind::Tree);
        for wrong in [99, 2] {
            assert_eq!(topology.place(2, Some(wrong)) == Err(PlaceError::ParentNotFound), is_asked, "{kind}");
            assert_eq!(topology.place_again(1, Some(99)) == Err(PlaceError::ParentNotFound), is_asked, "{kind}");
        }
        assert!(topology.place(2, Some(CONTROL)).is_ok());
    }
}

#[test]
fn a_list_puts_a_node_between_two_and_joins_them_again() {
    let mut list = built(TopologyKind::List, [(1, None), (2, Some(1)), (9, None)]);
    let place = list.place(5, Some(1)).expect("1 is there");
    assert_eq!(place, Place { parent: 1, slot: Slot::Any, follower: Some(2) });
    list.insert(5, &place);
    assert!(list.ancestors(2).eq([5, 1, CONTROL]));
    assert_eq!(list.remove(1), [moved(5, CONTROL, Slot::Any)]);
    assert!(list.children(CONTROL).eq([(Slot::Any, 5), (Slot::Any, 9)]));
}

#[test]
fn a_removed_node_of_a_tree_leaves_its_children_to_its_parent() {
    let mut tree = built(TopologyKind::Tree, [(1, None), (2, Some(1)), (7, Some(2)), (3, Some(2))]);
    assert_eq!(tree.remove(2), [moved(3, 1, Slot::Any), moved(7, 1, Slot::Any)]);
}

#[test]
fn a_search_tree_puts_the_successor_in_the_place() {
    let mut near = built(TopologyKind::Bst, alone([10, 5, 20, 30]));
    assert_eq!(near.remove(10), [moved(20, CONTROL, Slot::Any), moved(5, 20, Slot::Left)]);
    let mut single = built(TopologyKind::Bst, alone([10, 5, 2, 7]));
    assert_eq!(single.remove(10), [moved(5, CONTROL, Slot::Any)]);
    assert_eq!(single.remove(2), []);
}

#[test]
fn a_leaf_that_replaces_its_sibling_changes_its_slot() {
    let mut tree = built(TopologyKind::Balanced, alone([1, 2, 3]));
    assert_eq!(tree.remove(2), [moved(3, 1, Slot::Left)]);
    assert_eq!(tree.remove(1), [moved(3, CONTROL, Slot::Any)]);
    assert_eq!(tree.remove(3), []);
    assert!(tree.is_empty());
}

#[test]
fn a_node_created_again_elsewhere_brings_its_subtree_in_a_tree_only() {
    let nodes = [(1, None), (2, Some(1)), (3, Some(2)), (9, None)];
    let mut tree = built(TopologyKind::Tree, nodes);
    let place = tree.place_again(2, Some(9)).expect("9 is there");
    assert_eq!(tree.move_to(2, &place), Ok(vec![moved(2, 9, Slot::Any)]));
    assert!(tree.ancestors(3).eq([2, 9, CONTROL]));

    let mut list = built(TopologyKind::List, nodes);
    let place = list.place_again(2, Some(9)).expect("9 is there");
    assert_eq!(list.move_to(2, &place), Ok(vec![moved(3, 1, Slot::Any), moved(2, 9, Slot::Any)]));
    assert!(list.ancestors(3).eq([1, CONTROL]));
}

#[test]
fn a_node_does_not_come_below_itself() {
    let mut tree = built(TopologyKind::Tree, chain(3));
    let before = tree.clone();
    let place = tree.place_again(1, Some(3)).expect("3 is there");
    let refused = tree.move_to(1, &place).expect_err("3 is below 1");
    assert_eq!((refused.node, refused.parent, &tree), (1, 3, &before));

    let mut list = built(TopologyKind::List, chain(3));
    let place = list.place_again(1, Some(2)).expect("2 is there");
    let moves = [moved(2, 0, Slot::Any), moved(1, 2, Slot::Any), moved(3, 1, Slot::Any)];
    assert_eq!(list.move_to(1, &place), Ok(moves.to_vec()));
    assert_eq!(list.check(), Ok(()));
}

#[test]
#[should_panic(expected = "belongs elsewhere")]
fn a_place_that_is_out_of_date_is_our_own_bug() {
    let mut list = built(TopologyKind::List, alone([1]));
    let place = list.place(2, Some(1)).expect("1 is there");
    list.insert(3, &place);
    list.insert(2, &place);
}

// --- routes ---

#[test]
fn a_route_that_is_used_up_names_the_target() {
    let tree = built(TopologyKind::Tree, chain(2));
    let mut route = tree.route(2).expect("2 is there");
    let hops = [0, 1, 5, 2].map(|at| route.next(at, 2));
    assert_eq!(hops, [Hop::Child(1), Hop::Child(2), Hop::Child(2), Hop::Here]);
    assert_eq!(Route::Bits { bits: u64::MAX, left: 0 }.next(1, 2), Hop::Child(2));
}

#[test]
fn only_the_rest_of_a_route_is_encoded() {
    let tree = built(TopologyKind::Tree, chain(100));
    let mut route = tree.route(100).expect("100 is there");
    let whole = postcard::to_stdvec(&route).expect("a route can be encoded");
    for at in 0..99 {
        route.next(at, 100);
    }
    let rest = postcard::to_stdvec(&route).expect("a route can be encoded");
    assert!(whole.len() > 100 && rest.len() < 6, "{} and {} bytes", whole.len(), rest.len());
    assert_eq!(postcard::from_bytes::<Route>(&rest), Ok(route));
}

#[test]
fn there_is_no_route_to_what_is_not_there() {
    for kind in TopologyKind::ALL {
        let topology = built(kind, alone([1]));
        for id in [2, CONTROL] {
            assert_eq!((topology.route(id), topology.first_hop(id)), (None, None));
        }
        assert_eq!((topology.depth(CONTROL), topology.depth(2)), (Some(0), None));
    }
}

// --- degenerate sizes ---

#[test]
fn a_chain_of_a_million_nodes_is_walked_and_dropped() {
    for kind in [TopologyKind::List, TopologyKind::Tree] {
        let mut long = built(kind, chain(MILLION - 1));
        assert_eq!(long.check(), Ok(()));
        assert_eq!((long.height(), long.depth(MILLION - 1)), (1_000_000, Some(1_000_000)));
        assert_eq!((long.first_hop(MILLION - 1), long.descendants(0).len()), (Some(0), 999_999));
        for id in (0..MILLION).step_by(7) {
            long.remove(id);
        }
        assert_eq!(long.check(), Ok(()));
        drop(long.clone());
    }
}

#[test]
fn a_star_of_a_million_children_loses_them_one_by_one() {
    for kind in [TopologyKind::List, TopologyKind::Tree] {
        let mut star = built(kind, alone(0..MILLION));
        assert_eq!((star.height(), star.children(CONTROL).count()), (1, 1_000_000));
        assert_eq!(star.draw(|id| id.to_string()).lines().count(), 1_000_001);
        (0..MILLION).for_each(|id| assert_eq!(star.remove(id), []));
        assert!(star.is_empty());
    }
}

#[test]
fn a_search_tree_may_be_a_chain() {
    let mut tree = built(TopologyKind::Bst, alone(0..100_000));
    assert_eq!((tree.height(), tree.check()), (100_000, Ok(())));
    (0..100_000).for_each(|id| drop(tree.remove(id)));
    let zigzag = (0..2_500).flat_map(|id| [id, 5_000 - id]);
    let mut tree = built(TopologyKind::Bst, alone(zigzag));
    assert_eq!((tree.height(), tree.check()), (5_000, Ok(())));
    (0..2_500).for_each(|id| drop(tree.remove(id)));
    assert_eq!((tree.len(), tree.check()), (2_500, Ok(())));
}

#[test]
fn a_balanced_tree_of_a_hundred_thousand_is_low() {
    let mut tree = built(TopologyKind::Balanced, alone(0..100_000));
    assert_eq!((tree.height(), tree.check()), (17, Ok(())));
    (0..100_000).step_by(2).for_each(|id| drop(tree.remove(id)));
    assert_eq!((tree.height(), tree.check()), (16, Ok(())));
}

#[test]
fn the_drawing_of_a_long_chain_is_as_long_as_its_lines() {
    let drawing = built(TopologyKind::Tree, chain(99_999)).draw(|id| id.to_string());
    assert!(drawing.ends_with("└── 99999 depth 100000"));
    assert!(drawing.len() < 100_000 * 300);
}

// --- drawings ---

fn drawing(topology: &Topology) -> String {
    topology.draw(|id| if id % 2 == 0 { format!("{id} ({})", id + 1000) } else { format!("{id} (-) down") })
}

#[test]
fn nothing_but_the_control_node() {
    for kind in TopologyKind::ALL {
        assert_eq!(drawing(&Topology::new(kind)), "-1");
    }
}

#[test]
fn a_tree_is_drawn_ascending() {
    let nodes = [(10, None), (2, None), (12, Some(10)), (11, Some(10)), (4, Some(11)), (-6, Some(10)), (6, Some(2))];
    let expected = "\
-1
├── 2 (1002)
│   └── 6 (1006)
└── 10 (1010)
    ├── -6 (994)
    ├── 11 (-) down
    │   └── 4 (1004)
    └── 12 (1012)";
    assert_eq!(drawing(&built(TopologyKind::Tree, nodes)), expected);
}

#[test]
fn chains_are_drawn_downwards() {
    let list = built(TopologyKind::List, [(8, None), (6, Some(8)), (4, Some(8)), (2, None)]);
    assert_eq!(drawing(&list), "-1\n├── 2 (1002)\n└── 8 (1008)\n    └── 4 (1004)\n        └── 6 (1006)");
}

#[test]
fn a_missing_left_child_is_drawn_beside_a_right_one() {
    let expected = "\
-1
└── 8 (1008)
    ├── 2 (1002)
    │   ├── (none)
    │   └── 4 (1004)
    └── 12 (1012)
        └── 10 (1010)";
    assert_eq!(drawing(&built(TopologyKind::Bst, alone([8, 2, 4, 12, 10]))), expected);
}

#[test]
fn a_balanced_tree_is_drawn_left_before_right() {
    let expected = "\
-1
└── 8 (1008)
    ├── 6 (1006)
    │   └── 2 (1002)
    └── 4 (1004)";
    assert_eq!(drawing(&built(TopologyKind::Balanced, alone([8, 6, 4, 2]))), expected);
}

#[test]
fn from_level_65_on_the_depth_is_said_instead() {
    let twin = (1_000, Some(64));
    let drawing = built(TopologyKind::Tree, chain(66).chain([twin])).draw(|id| id.to_string());
    let lines: Vec<_> = drawing.lines().collect();
    let blank = "    ".repeat(63);
    assert_eq!(lines[63], format!("{}└── 62", "    ".repeat(62)));
    assert_eq!(lines[64], format!("{blank}└── 63"));
    assert_eq!(lines[65], format!("{blank}└── 64 depth 65"));
    assert_eq!(lines[66], format!("{blank}├── 65 depth 66"));
    assert_eq!(lines[67], format!("{blank}└── 66 depth 67"));
    assert_eq!(lines[68], format!("{blank}└── 1000 depth 66"));
}

// --- names ---

#[test]
fn kinds_have_names_and_numbers() {
    for (number, kind) in (1..).zip(TopologyKind::ALL) {
        assert_eq!((kind.number(), kind.to_string().parse()), (number, Ok(kind)));
    }
    assert!("Tree".parse::<TopologyKind>().is_err());
}
