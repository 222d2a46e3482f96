//! Codes of errors. Programs and searches can rely on a code, while the wording of a message may change.

use std::fmt;

/// Kind of an error. Printed above the message as `callsheet::NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Another process uses the store.
    Busy,
    /// A declared check does not hold.
    CheckFailed,
    /// Something exists already, or two options contradict each other.
    Conflict,
    /// A TOML file is wrong.
    Declaration,
    /// A file changed while a stage read it.
    InputChanged,
    /// callsheet itself failed.
    Internal,
    /// A value has a form that is not allowed.
    InvalidValue,
    /// The operating system refused something.
    Io,
    /// A command lacks a name that it needs.
    MissingArgument,
    /// A program is not built, or not on PATH.
    MissingProgram,
    /// No project is in this folder or above.
    NoProject,
    /// A result is not in the store yet.
    NotComputed,
    /// A Parquet file cannot be read or written.
    Parquet,
    /// A stage needs more of the machine than the run may use.
    Resources,
    /// A stage ran longer than its limit.
    Timeout,
    /// A name is not among those that exist.
    UnknownName,
    /// A file is damaged or has another format.
    Unreadable,
    /// An input is valid, but the command does not support its kind.
    Unsupported,
    /// A stage's program ended with an error.
    WorkerFailed,
    /// A stage's outputs differ from its declaration.
    WorkerOutput,
}

impl Code {
    /// All kinds of errors, by name.
    pub const ALL: [Self; 20] = [
        Self::Busy,
        Self::CheckFailed,
        Self::Conflict,
        Self::Declaration,
        Self::InputChanged,
        Self::Internal,
        Self::InvalidValue,
        Self::Io,
        Self::MissingArgument,
        Self::MissingProgram,
        Self::NoProject,
        Self::NotComputed,
        Self::Parquet,
        Self::Resources,
        Self::Timeout,
        Self::UnknownName,
        Self::Unreadable,
        Self::Unsupported,
        Self::WorkerFailed,
        Self::WorkerOutput,
    ];

    /// Name in snake case, printed after `callsheet::`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::CheckFailed => "check_failed",
            Self::Conflict => "conflict",
            Self::Declaration => "declaration",
            Self::InputChanged => "input_changed",
            Self::Internal => "internal",
            Self::InvalidValue => "invalid_value",
            Self::Io => "io",
            Self::MissingArgument => "missing_argument",
            Self::MissingProgram => "missing_program",
            Self::NoProject => "no_project",
            Self::NotComputed => "not_computed",
            Self::Parquet => "parquet",
            Self::Resources => "resources",
            Self::Timeout => "timeout",
            Self::UnknownName => "unknown_name",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::WorkerFailed => "worker_failed",
            Self::WorkerOutput => "worker_output",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "callsheet::{}", self.name())
    }
}
