//! The program as a person or a script meets it: through pipes, with arguments, files and signals.
#![cfg(target_os = "linux")]

#[path = "program/arguments.rs"]
mod arguments;
#[path = "program/dialogue.rs"]
mod dialogue;
#[path = "program/harness.rs"]
mod harness;
#[path = "program/load.rs"]
mod load;
#[path = "program/settings.rs"]
mod settings;
#[path = "program/signals.rs"]
mod signals;
#[path = "program/text.rs"]
mod text;

use std::path::PathBuf;
use std::{fs, thread};

use nodetree::testing::transcript::Transcript;

use dialogue::Typist;
use harness::MODES;

/// Most of a dialogue is waiting, so they are all held at once.
#[test]
fn every_dialogue_comes_out_as_written() {
    let differences: Vec<String> = thread::scope(|scope| {
        let all = transcripts().into_iter().flat_map(|path| MODES.map(|mode| (path.clone(), mode)));
        let held: Vec<_> = all.map(|(path, mode)| scope.spawn(move || hold(&path, mode))).collect();
        held.into_iter().filter_map(|thread| thread.join().expect("a dialogue is held to its end")).collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn transcripts() -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let files = fs::read_dir(directory).expect("there are transcripts").map(|entry| entry.unwrap().path());
    let mut transcripts: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    transcripts.sort();
    assert!(!transcripts.is_empty());
    transcripts
}

fn hold(path: &PathBuf, mode: &str) -> Option<String> {
    let transcript = Transcript::parse(&fs::read_to_string(path).unwrap()).unwrap();
    let mut typist = Typist::new(&transcript, mode);
    let held = transcript.run(&mut typist);
    let named = |what: String| format!("{} in {mode} mode: {what}", path.display());
    if let Err(mismatch) = held {
        return Some(named(mismatch.to_string()));
    }
    let ended = typist.end();
    (ended != (Some(0), String::new())).then(|| named(format!("it ended with {ended:?}")))
}
