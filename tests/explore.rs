//! All states of small systems.
use nodetree::TopologyKind;
use nodetree::testing::explore::{Ask, Setup, explore};
use std::time::Instant;

const PAIR: &[(i64, Option<i64>)] = &[(1, None), (2, Some(1))];
const CHAIN: &[(i64, Option<i64>)] = &[(1, None), (2, Some(1)), (3, Some(2))];
const FOUR: &[(i64, Option<i64>)] = &[(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3))];
const BST: &[(i64, Option<i64>)] = &[(2, None), (1, None), (4, None), (3, None)];

#[test]
fn probe() {
    use Ask::*;
    use TopologyKind::*;
    let all: Vec<(&str, Setup)> = vec![
        ("two execs pair", Setup { asks: &[Exec(2), Exec(2)], ..Setup::new(List, PAIR) }),
        ("exec exec ping chain", Setup { asks: &[Exec(3), Exec(2), Ping(3)], ..Setup::new(List, CHAIN) }),
        ("exec exec pingall four", Setup { asks: &[Exec(4), Wrong(2), PingAll], ..Setup::new(List, FOUR) }),
        ("exec ping kill pair", Setup { asks: &[Exec(2), Ping(1)], kills: 1, ..Setup::new(List, PAIR) }),
        ("exec exec kill chain", Setup { asks: &[Exec(3), Exec(2)], kills: 1, ..Setup::new(List, CHAIN) }),
        ("remove middle", Setup { asks: &[Remove(2)], ..Setup::new(List, CHAIN) }),
        ("remove middle exec", Setup { asks: &[Remove(2), Exec(3)], ..Setup::new(List, CHAIN) }),
        ("exec remove middle", Setup { asks: &[Exec(3), Remove(2)], ..Setup::new(List, CHAIN) }),
        ("remove middle kill", Setup { asks: &[Remove(2)], kills: 1, ..Setup::new(List, CHAIN) }),
        ("create kill", Setup { asks: &[Create(5, Some(1))], kills: 1, ..Setup::new(List, CHAIN) }),
        ("remove bst", Setup { asks: &[Remove(2)], ..Setup::new(Bst, BST) }),
        ("remove bst kill", Setup { asks: &[Remove(2)], kills: 1, ..Setup::new(Bst, BST) }),
        ("exec drop", Setup { asks: &[Exec(1)], drops: 1, ..Setup::new(List, &[(1, None)]) }),
        ("exec drop copy", Setup { asks: &[Exec(1)], drops: 1, copies: 1, ..Setup::new(List, &[(1, None)]) }),
        ("exec copy pair", Setup { asks: &[Exec(2)], copies: 1, ..Setup::new(List, PAIR) }),
        ("exec drop pair", Setup { asks: &[Exec(2)], drops: 1, ..Setup::new(List, PAIR) }),
        ("exec drop copy pair", Setup { asks: &[Exec(2)], drops: 1, copies: 1, ..Setup::new(List, PAIR) }),
    ];
    let filter = std::env::var("ONLY").unwrap_or_default();
    for (name, setup) in all.iter().filter(|(name, _)| name.contains(&filter)) {
        let start = Instant::now();
        match explore(setup) {
            Ok(it) => println!("{name}: {it:?} {:.1} s {:.0}/s", start.elapsed().as_secs_f64(), it.states as f64 / start.elapsed().as_secs_f64()),
            Err(e) => println!("{name}: {e}"),
        }
    }
}
