//! One attempt of an action: its worker is started once, and its end becomes a result or an error.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::protocol::{Level, WorkRequest, WorkerEvent};

use super::access::{access, shared_by};
use super::action::Action;
use super::context::Run;
use super::executor::Update;
use super::executor::local::{Access, Ended, Job, denied_path, work};
use super::expand::expand;
use super::log::last_lines;
use super::memory::{killed_processes, out_of_memory};
use super::pictures::keep_picture;
use super::sandbox::{REQUEST, RunSandbox};
use super::stage_inputs::{copy_inputs, stage_inputs};
use super::traceback::own_lines;

/// Number of lines of a failed worker's output that the error quotes.
const QUOTED_LINES: usize = 12;

impl Action<'_> {
    /// Runs the worker once in `folder`, and returns its peak memory in bytes.
    pub(super) fn work(
        &self,
        run: &Run,
        place: &RunSandbox,
        request: &WorkRequest,
        folder: &Path,
        say: &mut impl FnMut(Update),
    ) -> Result<u64> {
        let decl = &self.stage.decl;
        let mut request = request.clone();
        stage_inputs(&mut request, decl, folder)?;
        if place.copies_inputs {
            place.warning().into_iter().for_each(|event| say(Update::Worker(event)));
            copy_inputs(&mut request, &run.project.root, folder)?;
        }
        let request_path = folder.join(REQUEST);
        let (mut command, wants_request) = expand(&decl.command, &decl.scripts, &request, &request_path);
        if wants_request {
            let text = serde_json::to_vec_pretty(&request).expect("a request is plain data");
            fs::write(&request_path, text).io_context("cannot write", &request_path)?;
        }
        let kept = run.store.run_dir(&run.id);
        let log = kept.log(&self.log_name());
        let program = run.project.stage_program(decl)?;
        let shared = shared_by(&request, &place.shared_folders);
        command[0] = program.clone().into();
        let mut environment = self.environment(run, place);
        self.warn_without_lock_file(say);
        let own_temporary = if shared.contains(&env::temp_dir()) { None } else { temporary_folder() };
        if let Some(own) = &own_temporary {
            environment.insert("TMPDIR".to_owned(), own.path().into());
        }
        let timeout = self.stage.resources.timeout_seconds.map(|seconds| Duration::from_secs_f64(seconds.0));
        let check = || self.watch.changed().is_some();
        let shared =
            shared.into_iter().chain(own_temporary.iter().map(|own| own.path().to_owned())).collect();
        let access = access(run.project, decl, shared, &request, (&program, folder));
        let access = access.filter(|_| place.confines);
        let access = access.as_ref();
        let job = Job { command, environment, folder, access, log: &log, timeout, check: &check };
        let killed_before = killed_processes();
        let ended = work(&job, &place.supervisor, |event| {
            say(Update::Worker(keep_picture(event, folder, kept.path(), &self.stage.name)));
        })?;
        if ended.input_changed || !ended.status.success() {
            self.check_unchanged(run.store)?;
        }
        match self.error_of(run, &ended, &job, killed_before) {
            None => Ok(ended.peak_memory),
            Some(error) => {
                // A run that was stopped reports no failures, but a checkpoint may not have been saved.
                if let (true, Some((message, _))) = (place.supervisor.stopping(), &ended.error) {
                    let message = format!("the worker failed while it was stopped: {message}");
                    say(Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
                }
                Err(error)
            }
        }
    }

    /// Error of a worker that has ended; `None` if it succeeded. `killed_before` is the number of processes that the kernel had
    /// killed for lack of memory when the worker was started.
    fn error_of(&self, run: &Run, ended: &Ended, job: &Job, killed_before: Option<u64>) -> Option<Error> {
        if ended.timed_out {
            let seconds = job.timeout.unwrap_or_default().as_secs_f64();
            return Some(Error::user_error(
                Code::Timeout,
                format!("the worker exceeded its timeout of {seconds} s"),
                format!("raise `timeout_seconds`, or see the log: {}", job.log.display()),
            ));
        }
        if ended.status.success() {
            return None;
        }
        let denied = || self.denied(run, ended, job.log, job.folder, job.access?);
        let error = out_of_memory(killed_before, &self.stage.name).or_else(denied);
        Some(error.unwrap_or_else(|| failure(ended, job, &self.stage.decl.command, &run.project.root)))
    }

    /// Warns if the packages of the stage's Python environment can change unnoticed.
    fn warn_without_lock_file(&self, say: &mut impl FnMut(Update)) {
        let Some(python) = self.stage.decl.python.as_ref().filter(|python| !python.is_locked) else { return };
        let message = format!(
            "no lock file is next to the Python environment `{}`, so a change of its packages does not run the stage again",
            python.declared
        );
        say(Update::Worker(WorkerEvent::Log { level: Level::Warning, message }));
    }

    /// Error of a worker that failed because it may not read a file; `None` if its output names no such file.
    fn denied(&self, run: &Run, ended: &Ended, log: &Path, folder: &Path, access: &Access) -> Option<Error> {
        let reported = ended.error.as_ref().map(|(message, _)| message.as_str()).unwrap_or_default();
        let text = format!("{}\n{reported}", last_lines(log, QUOTED_LINES));
        let path = denied_path(&text, folder, access)?;
        let path = path.strip_prefix(&run.project.root).unwrap_or(&path).display();
        let stage = &self.stage.name;
        Some(Error::user_error(
            Code::WorkerFailed,
            format!(
                "the strict sandbox denied stage `{stage}` the access to {path}, which it does not declare"
            ),
            format!(
                "to let the stage read the file, declare it as an input or under `files` in stage.toml, or list it \
                 under `readable` in callsheet.toml; see the full log: {}",
                log.display()
            ),
        ))
    }

    /// Keeps the folder of a worker that failed, if the user asked for it; the error then names the folder.
    pub(super) fn keep_failed<T>(
        &self,
        run: &Run,
        place: &RunSandbox,
        folder: &Path,
        result: Result<T>,
    ) -> Result<T> {
        let error = match result {
            Err(error) if run.keep_failed && !place.supervisor.stopping() => error,
            result => return result,
        };
        let kept = place.keep(folder, &run.store.run_dir(&run.id).failed(&self.stage.name));
        Err(error.with_note(&match kept {
            Ok(kept) => format!("the worker's folder is kept: {}", kept.display()),
            Err(problem) => format!("the worker's folder could not be kept: {problem}"),
        }))
    }
}

/// Error of a Python program that imports callsheet from an environment without the package.
const NO_PACKAGE: &str = "No module named 'callsheet'";

/// Creates a temporary folder for one worker, if the worker may not use the system's. Its path is short, because the
/// path of a Unix socket has at most 108 bytes.
fn temporary_folder() -> Option<tempfile::TempDir> {
    tempfile::Builder::new().prefix("callsheet-").tempdir().ok()
}

fn failure(ended: &Ended, job: &Job, command: &[String], root: &Path) -> Error {
    let Job { log, access, .. } = job;
    if let Some((message, help)) = &ended.error {
        let log = format!("see the full log: {}", log.display());
        let help = if help.is_empty() { log } else { help.clone() };
        return Error::user_error(Code::WorkerFailed, message.clone(), help);
    }
    let lines = last_lines(log, QUOTED_LINES);
    let status = ended.status.to_string().replacen(": ", " ", 1);
    if lines.is_empty() {
        let message = format!("the worker failed with {status} and printed nothing");
        return Error::user_error(
            Code::WorkerFailed,
            message,
            format!("check the command of the stage: {}", command.join(" ")),
        );
    }
    let mut help = format!("see the full log: {}", log.display());
    if let Some(access) = access.filter(|_| lines.to_lowercase().contains("permission denied")) {
        help += "; a worker can write only to its outputs, {scratch} and $TMPDIR";
        if access.readable.is_some() {
            help += ", and in a strict sandbox it can read only what it declares";
        }
    }
    if lines.contains(NO_PACKAGE) {
        let program = Path::new(&job.command[0]);
        let is_python = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
        let python = if is_python { program } else { Path::new("python3") }.display();
        help = format!(
            "install the package into the environment of the stage: {python} -m pip install callsheet; {help}"
        );
    }
    let own =
        own_lines(log, root).map_or("; ".to_owned(), |own| format!("; lines of this project:\n{own}\n"));
    let message = format!("the worker failed with {status}{own}its output ended with:\n{lines}");
    Error::user_error(Code::WorkerFailed, message, help)
}
