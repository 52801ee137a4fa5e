//! What is kept in the corpora of the fuzz targets is tried with every `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};

use nodetree::Dictionary;
use nodetree::actors::message::{ControlDown, ControlUp, Envelope, LinkId, NodeKey, NodeSpec, Role};
use nodetree::actors::{ComputingNode, NodeEffect, NodeInput};
use nodetree::command_sets::executor;
use nodetree::testing::fuzz::{Happening, TARGETS, check_happenings};
use nodetree::topology::Slot;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// Names of files in a folder, without their extensions, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry can be read").path());
    let mut names: Vec<_> = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn every_target_has_a_body_and_a_corpus() {
    let bodies = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(names(&folder("fuzz_targets")), bodies);
    assert_eq!(names(&folder("corpus")), bodies);
}

/// Covers, for `wire_frames`: F29, F30, F31 (any bytes, any lengths, any cuts).
#[test]
fn what_is_kept_still_holds() {
    for (target, body) in TARGETS {
        let corpus = folder("corpus").join(target);
        let inputs = names(&corpus);
        assert!(inputs.len() >= 4, "{target} has {} seeds", inputs.len());
        for name in inputs {
            // The name shows which input it was when the body panics.
            eprintln!("{target}: {name}");
            body(&fs::read(corpus.join(name)).expect("a seed can be read"));
        }
    }
}

/// A parent that waits for a marker, and one that waits for it behind a link that has ended.
#[test]
fn what_was_found_in_a_node() {
    let drain = |link| Happening::Drain { epoch: 7, link, through: true };
    let marker = Happening::Envelope(1, Envelope::Marker { epoch: 7, through: true });
    let found: [&[Happening]; 3] = [
        &[Happening::Closed(2), drain(2)],
        &[drain(9)],
        &[marker, Happening::Closed(1), Happening::Closed(2), Happening::Closed(3)],
    ];
    for happenings in found {
        assert_eq!(check_happenings(happenings), Ok(()), "{happenings:?}");
    }
}

/// The way over a link that has ended is empty: whoever changes the tree need not wait for that.
#[test]
fn a_link_that_has_ended_is_drained_at_once() {
    let spec = NodeSpec { key: NodeKey { id: 1, incarnation: 1 }, beat_period_ns: 0 };
    let mut node = ComputingNode::new(0, &spec, executor::<Dictionary>());
    let (link, child) = (LinkId(2), NodeKey { id: 2, incarnation: 2 });
    let told = [
        ControlDown::Link { link, role: Role::Child { key: child, slot: Slot::Any }, active: true },
        ControlDown::Drain { epoch: 7, link, through: false },
    ];
    let [linked, drain] = told.map(NodeInput::Control);
    node.handle(0, linked);
    node.handle(0, NodeInput::Closed(link));
    node.take_effects();
    node.handle(0, drain);
    let effects = node.take_effects();
    assert!(matches!(effects[..], [NodeEffect::Control(ControlUp::Drained { epoch: 7 })]), "{effects:?}");
}

/// A generator of numbers whose constants are fixed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    /// Changes a few bytes, or puts some in or out.
    fn change(&mut self, input: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            match self.below(4) {
                0 if !input.is_empty() => input[at] = self.below(256) as u8,
                1 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                2 => input.truncate(at),
                _ => input.insert(at, [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)]),
            }
        }
    }
}

/// A fuzzer without a fuzzer: what is kept, changed by chance. `NODETREE_FUZZ_SEED` sets the seed of a run.
#[test]
fn what_is_kept_still_holds_when_it_is_changed() {
    const SHORT: usize = 4096;
    let seed = std::env::var("NODETREE_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| std::process::id().into());
    eprintln!("again: NODETREE_FUZZ_SEED={seed} cargo test --test fuzz_corpus changed -- --nocapture");
    let mut chance = Chance(seed);
    for (target, body) in TARGETS {
        let corpus = folder("corpus").join(target);
        let seeds = names(&corpus).into_iter().map(|name| fs::read(corpus.join(name)).expect("a seed can be read"));
        let seeds: Vec<Vec<u8>> = seeds.filter(|input| input.len() < SHORT).collect();
        for _ in 0..2000 {
            let mut input = seeds[chance.below(seeds.len())].clone();
            chance.change(&mut input);
            body(&input);
        }
    }
}
