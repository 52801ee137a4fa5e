//! WHAT a person types and reads: [`Command`], the [`Scanner`] that reads lines, and the exact text of [`Reply`] and
//! [`Notice`].
//!
//! Pure: nothing here opens, waits or sends. Two ways in, for the same grammar:
//!
//! - [`Command`] is [`FromStr`](std::str::FromStr): one command as a string, its request held whole.
//! - [`Scanner`] takes the bytes of an input, cut anywhere, and hands out [`Event`]s; it knows blank lines, comments,
//!   lines that are too long or not UTF-8, and hands out streamed requests in pieces.
//!
//! ```
//! use nodetree::command_sets::Dictionary;
//! use nodetree::commands::{Command, CommandError};
//!
//! let command: Command<Dictionary> = " create 007\t-1".parse()?;
//! assert_eq!(command, Command::Create { id: 7, parent: Some(-1) });
//! assert_eq!(command.to_string(), "create 7 -1");
//!
//! let error = "ping x".parse::<Command<Dictionary>>().unwrap_err();
//! assert_eq!(error.to_string(), "Usage: ping id");
//! # Ok::<(), CommandError>(())
//! ```

mod answer;
mod command;
mod forms;
mod parse;
mod result;
mod scanner;
mod variant;

pub use answer::{Answer, ExecError, Notice, Refusal, Reply, Ticket};
pub use command::{Command, CommandError, MAX_LINE_BYTES};
pub use forms::{FORMS, Form, Verb, help};
pub use result::{EncodedResult, ExecResult, MAX_MEMORY_BYTES, MAX_MESSAGE_BYTES, Parts, Spool, write_message};
pub use scanner::{Event, Scanner};
pub use variant::{Variant, VariantError};
