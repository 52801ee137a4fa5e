//! What is kept in the corpora of the fuzz targets is tried with every `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};

use nodetree::testing::fuzz::TARGETS;

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
