//! For tests, ours and yours: scripts made by chance, a judge of what came of them, and the runner between the two.
//!
//! Only with the feature `testing`.

pub mod fuzz;
pub mod journey;
pub mod many;
pub mod raw;
pub mod scenario;
pub mod script;
pub mod shapes;
pub mod transcript;

pub use crate::planted;
pub use crate::scenario::{oracle, runner};
