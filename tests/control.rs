//! The end of the control node, whatever it is: nothing that runs and no file is left. And what stands at its ends.
#![cfg(target_os = "linux")]

#[path = "control/ends.rs"]
mod ends;
#[allow(dead_code, reason = "the tests of the program use the rest")]
#[path = "program/harness.rs"]
mod harness;
#[path = "control/place.rs"]
mod place;
#[path = "common/sandbox.rs"]
mod sandbox;
#[path = "control/signals.rs"]
mod signals;
#[path = "control/streams.rs"]
mod streams;
#[path = "common/waiting.rs"]
mod waiting;
