//! The process mode: nodes that are real processes, struck from outside with real signals.
//!
//! Each test runs in a pid namespace of its own where the machine allows it. `tests/catalogue.rs` says which fault is
//! covered by which test.
#![cfg(target_os = "linux")]

#[path = "process/basics.rs"]
mod basics;
#[path = "process/commands.rs"]
mod commands;
#[path = "process/crashes.rs"]
mod crashes;
#[path = "process/dialogues.rs"]
mod dialogues;
#[path = "process/floods.rs"]
mod floods;
#[path = "process/harness.rs"]
mod harness;
#[path = "process/kills.rs"]
mod kills;
#[path = "process/limits.rs"]
mod limits;
#[path = "process/pairs.rs"]
mod pairs;
#[path = "program/harness.rs"]
#[allow(dead_code, reason = "shared with tests/program, which uses all of it")]
mod program;
#[path = "common/sandbox.rs"]
mod sandbox;
#[path = "process/scale.rs"]
mod scale;
#[path = "process/spares.rs"]
mod spares;
#[path = "process/stops.rs"]
mod stops;
#[path = "process/streams.rs"]
mod streams;
#[path = "process/strikes.rs"]
mod strikes;
#[path = "common/waiting.rs"]
mod waiting;
