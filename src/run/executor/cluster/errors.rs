//! Errors of tasks whose jobs ended without news.

use std::fs;

use callsheet_worker::code::Code;
use callsheet_worker::error::Error;

use super::batch::MARKER;
use super::queue::JobEnd;
use crate::declare::ExecutorDecl;
use crate::run::log::last_lines;
use crate::run::task::JobDir;

/// Number of lines of a job's output that an error quotes.
const QUOTED_LINES: usize = 12;

/// Returns true if the output of a job that failed proves that it has not performed its tasks: `setup` has not ended, or the
/// last attempt has printed something, which work that succeeds does not.
pub(super) fn has_output(dir: &JobDir, index: usize) -> bool {
    let Ok(text) = fs::read_to_string(dir.log(index)) else { return false };
    text.rsplit_once(MARKER).is_none_or(|(_, last)| !last.trim().is_empty())
}

/// Error of a task whose job ended without news.
pub(super) fn error_of(decl: &ExecutorDecl, end: JobEnd, place: Option<&(JobDir, usize)>) -> Error {
    let log = place.map(|(dir, index)| dir.log(*index));
    let text = log.as_ref().and_then(|log| fs::read_to_string(log).ok());
    let is_set_up = text.as_ref().is_some_and(|text| text.contains(MARKER));
    let quoted = log.as_ref().map(|log| last_lines(log, QUOTED_LINES)).unwrap_or_default();
    let see = log.map(|log| format!("see the output of the job: {}", log.display())).unwrap_or_default();
    let name = &decl.name;
    let (code, what, help) = match end {
        JobEnd::Exited | JobEnd::Failed if text.is_none() => (
            Code::WorkerFailed,
            "the job ended, and its files are not visible here".to_owned(),
            format!(
                "use a project folder that the nodes see under the same path; `callsheet executors check {name}` tests it"
            ),
        ),
        JobEnd::Exited | JobEnd::Failed if !is_set_up => (
            Code::WorkerFailed,
            format!("the `setup` of executor `{name}` failed on the node"),
            "correct `setup`; it is shell code that runs before the work".to_owned(),
        ),
        JobEnd::Exited | JobEnd::Failed
            if quoted.lines().last().is_some_and(|line| line.contains(": exec: ")) =>
        {
            let first = decl.wrap.first().map_or("callsheet", String::as_str);
            let key = if decl.wrap.is_empty() { "program" } else { "wrap" };
            (
                Code::MissingProgram,
                format!("the node could not start `{first}`"),
                format!("set `{key}` of executor `{name}` to a program that the nodes see"),
            )
        }
        JobEnd::Exited | JobEnd::Failed => {
            (Code::WorkerFailed, "the job ended without a result".to_owned(), see)
        }
        JobEnd::NodeFailed => (Code::WorkerFailed, "the node of the job failed".to_owned(), see),
        JobEnd::Preempted => {
            (Code::WorkerFailed, "the cluster ended the job in favour of another one".to_owned(), see)
        }
        JobEnd::Cancelled => (
            Code::WorkerFailed,
            "somebody cancelled the job".to_owned(),
            "run again to submit it again".to_owned(),
        ),
        JobEnd::TimedOut => (
            Code::Timeout,
            "the job exceeded its time limit".to_owned(),
            "raise `time` under `resources` of the stage".to_owned(),
        ),
        JobEnd::OutOfMemory => (
            Code::Resources,
            "the job exceeded its memory".to_owned(),
            "raise `memory` under `resources` of the stage".to_owned(),
        ),
        JobEnd::Unknown => (
            Code::WorkerFailed,
            "the cluster does not know the job any more, and it left no result".to_owned(),
            see,
        ),
    };
    let quoted = quoted.replace(&format!("{MARKER}\n"), "");
    let quoted =
        if quoted.is_empty() { String::new() } else { format!("; its output ended with:\n{quoted}") };
    Error::user_error(code, format!("{what}{quoted}"), help)
}

/// Copy of an error that concerns several tasks.
pub(super) fn copy_of(error: &Error) -> Error {
    let help = miette::Diagnostic::help(error).map(|help| help.to_string()).unwrap_or_default();
    Error::UserError { code: error.kind(), message: error.to_string(), help }
}
