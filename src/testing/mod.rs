//! For tests, ours and yours: systems, scripts and faults made by chance, and made small when something is wrong.
//!
//! Only with the feature `testing`. What they are run and judged with is in [`scenario`](crate::scenario), always there.
//!
//! A [`scenario`](scenario::scenario()) is drawn, run, and judged by the oracle; what fails is shrunk: the system, what is
//! typed and what goes wrong together. For commands of your own, type them into a system of your own under a
//! [plan](scenario::lossy_plan) that changes nothing but time, and compare the replies with a model of your own:
//! `examples/test_your_commands.rs` does, and finds a bug that is planted there.
//!
//! ```
//! use nodetree::testing::scenario::scenario;
//! use proptest::test_runner::{Config, TestCaseError, TestRunner};
//!
//! let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
//! let checked = runner.run(&scenario(), |scenario| {
//!     // Whatever goes wrong, no reply is one that the specification does not allow.
//!     scenario.run().map(drop).map_err(|error| TestCaseError::fail(error.to_string()))
//! });
//! assert!(checked.is_ok(), "{checked:?}");
//! ```

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
