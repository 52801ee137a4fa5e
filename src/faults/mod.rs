//! Faults as data: what goes wrong, where and when, the same for every mode.
//!
//! A [`Fault`] is a [`FaultKind`] with the [`Trigger`] that sets it off; a [`FaultPlan`] is a list of them. All of it
//! is serde data, written in RON, and prints as a sentence. The control node decides when a fault is due, and pure
//! [`Rules`] say what becomes of a frame; a mode only does it.
//!
//! Links are named by the node below: `Above(5)` is the link between node 5 and its parent, whoever that is at the
//! time. A link that may lose, repeat or disorder what it carries repeats it until it has arrived (see
//! [`LinkEnd`](crate::actors::LinkEnd)), so the nodes at its ends see nothing of it but time.
//!
//! ```
//! use nodetree::faults::{Fault, FaultPlan};
//! let fault: Fault = "(when: After(3), what: Cut(links: Above(5), direction: Down))".parse()?;
//! assert_eq!(fault.to_string(), "after 3 commands cut the link above 5, downwards");
//! assert_eq!("Kill(5)".parse::<Fault>()?.to_string(), "kill node 5");
//!
//! let plan: FaultPlan = "[(when: At(\"2s\"), what: Kill(3)), (what: Drop(links: All, chance: 0.3))]".parse()?;
//! assert_eq!(plan.0[1].to_string(), "drop 30 % of what is sent over every link");
//! assert_eq!(plan.to_ron().parse(), Ok(plan));
//!
//! let error = "Kil(5)".parse::<Fault>().unwrap_err().to_string();
//! assert!(error.starts_with("line 1, column 1: unknown value `Kil`, did you mean `Kill`?"), "{error}");
//! # Ok::<(), nodetree::faults::WrongFault>(())
//! ```

mod chance;
mod plan;
mod print;
mod rules;
mod text;

pub use chance::Chance;
pub use plan::{
    Direction, EnvelopeKind, Fault, FaultKind, FaultPlan, Links, MAX_FAULTS, MAX_TIME, Moment, Spread, Trigger,
};
pub use rules::{Fate, Rules};
pub use text::WrongFault;
