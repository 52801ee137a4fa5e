//! The bodies of the fuzz targets, so that `cargo test` runs them on what is kept in their corpora.

mod command_line;
mod topology_operations;
mod wire_frames;

pub use command_line::command_line;
pub use topology_operations::topology_operations;
pub use wire_frames::wire_frames;

/// What a target does with an input. It panics when something does not hold.
pub type Body = fn(&[u8]);

/// The targets, each under the name of its corpus.
pub const TARGETS: [(&str, Body); 3] =
    [("command_line", command_line), ("topology_operations", topology_operations), ("wire_frames", wire_frames)];
