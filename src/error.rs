//! Errors of the library: what happened, whose fault it was, and what it did to the state.

use std::path::PathBuf;

use crate::modes::Stuck;

/// What is wrong with a configuration. The caller's fault; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not what it should be.
    #[error("line {line}, column {column}: {what}{shown}")]
    Text {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, what was expected, and what may have been meant.
        what: String,
        /// The line itself with a caret below the place, each after a line end; nothing where the line is empty.
        shown: String,
    },
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A number is out of range.
    #[error("{0}")]
    Range(String),
    /// What is wrong with a file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its name.
        path: PathBuf,
        /// What is wrong.
        error: Box<ConfigError>,
    },
}

/// Why a system could not be started. Nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong: the caller's fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system refused a thread, a socket or a process.
    #[error("the system could not be started: {0}")]
    Io(#[from] std::io::Error),
    /// The mode needs something that this call does not give it: the caller's fault.
    #[error("{0}")]
    Unsupported(String),
}

/// Why a command was not submitted. It has had no effect and gets no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// As many commands as the capacity allows are in flight or unread, or half as many ask the same node; only the
    /// `try_` forms say so, others wait.
    #[error("there is no room: at most {0} commands may be in flight or unread, and half as many of one node")]
    Full(usize),
    /// The request, or a part of it, is longer than a message may be: the caller's fault.
    #[error("a message of {bytes} bytes, more than {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest.
        limit: usize,
    },
    /// The request cannot be encoded: the fault of its `Serialize`.
    #[error("the request cannot be encoded: {0}")]
    Encode(String),
    /// `exit` ends the program that reads commands; a library user drops the system.
    #[error("exit is no command for a system: shut it down instead")]
    Exit,
    /// The system has ended.
    #[error("the system has ended")]
    Ended,
    /// The simulation cannot go on: a bug of nodetree.
    #[error(transparent)]
    Stuck(#[from] Stuck),
}

/// Why there is no reply to a command that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The command was not submitted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The system has ended; whether the command had an effect is not known.
    #[error("the system has ended")]
    Ended,
    /// The simulation cannot go on: a bug of nodetree. The system should be dropped.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// There is no such ticket, or its reply was given already.
    #[error("no reply is due for this ticket")]
    Unknown,
}
