//! The bodies of the fuzz targets, so that `cargo test` runs them on what is kept in their corpora.

mod books;
mod command_line;
mod control_inputs;
mod envelopes;
mod node_inputs;
mod robots;
mod ron_texts;
mod session_journeys;
mod topology_operations;
mod wire_frames;

pub use command_line::command_line;
pub use control_inputs::control_inputs;
pub use node_inputs::{Happening, check_happenings, node_inputs};
pub use ron_texts::ron_texts;
pub use session_journeys::session_journeys;
pub use topology_operations::topology_operations;
pub use wire_frames::wire_frames;

/// What a target does with an input. It panics when something does not hold.
pub type Body = fn(&[u8]);

/// The targets, each under the name of its corpus.
pub const TARGETS: [(&str, Body); 7] = [
    ("command_line", command_line),
    ("control_inputs", control_inputs),
    ("node_inputs", node_inputs),
    ("ron_texts", ron_texts),
    ("session_journeys", session_journeys),
    ("topology_operations", topology_operations),
    ("wire_frames", wire_frames),
];
