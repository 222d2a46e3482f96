//! Notification at the end of a long run, as `[notify]` in callsheet.toml declares it.

use std::process::{Command, Stdio};

use callsheet_figures::label::{counted, human_seconds};
use callsheet_worker::error::Error;
use callsheet_worker::print::say;
use callsheet_worker::protocol::RUN_VARIABLE;

use crate::declare::{NotifyDecl, Project};
use crate::run::RunSummary;

/// Starts the project's command with a message about a run that took `seconds`, if it was long enough. Does not wait for
/// the end of the command.
pub(super) fn notify(project: &Project, title: &str, ran: Result<&RunSummary, &Error>, seconds: f64) {
    let Some(NotifyDecl { command, after }) = &project.notify else { return };
    let Some((name, arguments)) = command.split_first().filter(|_| seconds >= after.0) else { return };
    let message = format!("{title}: {} after {}", end(ran), human_seconds(seconds));
    let started = project.program(name).map_err(|error| error.to_string()).and_then(|program| {
        let mut command = Command::new(program);
        command.args(arguments).arg(message).current_dir(&project.root);
        let run = ran.ok().and_then(|summary| summary.run.as_deref());
        command.env(RUN_VARIABLE, run.unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|error| format!("cannot start `{name}`: {error}"))
    });
    if let Err(problem) = started {
        say(&format!("warning: the command under [notify] in callsheet.toml did not start: {problem}"));
    }
}

fn end(ran: Result<&RunSummary, &Error>) -> String {
    let Ok(summary) = ran else { return "ended with an error".to_owned() };
    match summary.failed.len() {
        0 if summary.stopped => "stopped".to_owned(),
        0 => format!("done, {} run", counted(summary.ran as u64, "stage")),
        failed => format!("{} failed", counted(failed as u64, "stage")),
    }
}
