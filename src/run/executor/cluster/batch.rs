//! Files of a submission. They are written before the jobs are submitted, so that a killed engine loses no job.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};

use crate::declare::{ExecutorDecl, Project, engine};
use crate::run::action::ENVIRONMENT;
use crate::run::context::Run;
use crate::run::task::{Engine, FORMAT, JobDir, JobSpec, Task};

/// Rights of a submission's folder and of its files: jobs run the commands in them.
const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Writes the files of a submission with the name `name`. Each list of tasks is for one job.
///
/// # Errors
/// Returns an error if a file cannot be written.
pub(super) fn write(run: &Run, engine: Engine, name: &str, jobs: &[Vec<Task>]) -> Result<JobDir> {
    let all = run.store.run_dir(&run.id).path().join(JobDir::ALL);
    let dir = JobDir(all.join(name));
    for folder in [&all, &dir.0, &dir.news(), &dir.over()] {
        create_folder(folder)?;
    }
    write_file(&dir.spec(), &serde_json::to_vec(&spec(run, engine)).expect("a spec is plain data"))?;
    for (index, tasks) in jobs.iter().enumerate() {
        write_file(&dir.tasks(index), &serde_json::to_vec(tasks).expect("a spec is plain data"))?;
    }
    File::open(&dir.0).and_then(|folder| folder.sync_all()).io_context("cannot write", &dir.0)?;
    Ok(dir)
}

/// Creates a folder that only the user can open.
pub(super) fn create_folder(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder).io_context("cannot create", folder)
}

fn spec<'a>(run: &'a Run, engine: Engine) -> JobSpec<&'a Project> {
    let request = &run.plan.request;
    JobSpec {
        format: FORMAT,
        engine,
        run: run.id.clone(),
        target: request.target.clone(),
        set: request.set.clone(),
        project: run.project,
        revision: run.begun().and_then(|sandbox| sandbox.revision.clone()),
        keep_failed: run.keep_failed,
    }
}

fn write_file(path: &Path, text: &[u8]) -> Result<()> {
    let file = fs::OpenOptions::new().create_new(true).write(true).mode(FILE).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    written.io_context("cannot write", path)
}

/// File with the variables of workers, in the folder of a submission.
const ENVIRONMENT_FILE: &str = "environment.sh";

/// Line that a job prints before callsheet starts.
pub(super) const MARKER: &str = "callsheet: the setup of the executor is done";

/// Script of a job that starts callsheet with these `words`. Writes the variables of workers into `folder`.
///
/// # Errors
/// Returns an error if the path of callsheet is not known, if a file cannot be written, or if a variable's name is not valid
/// in a shell.
pub(super) fn script(
    project: &Project,
    decl: &ExecutorDecl,
    folder: &Path,
    words: &[String],
) -> Result<String> {
    let environment = folder.join(ENVIRONMENT_FILE);
    write_file(&environment, &exports(project)?)?;
    let quoted = |path: &Path| shell_words::quote(&path.to_string_lossy()).into_owned();
    // A shell that gets the signal which announces the end of the job's time must finish `setup`.
    let mut text =
        format!("#!/bin/sh\ntrap : USR2\n. {}\ncd {}\n", quoted(&environment), quoted(&project.root));
    for line in &decl.setup {
        text += &format!("{line}\n");
    }
    let program = match &decl.program {
        Some(program) => program.clone(),
        None => engine()?,
    };
    let program = program.to_string_lossy().into_owned();
    let all = decl.wrap.iter().map(String::as_str).chain([&*program]).chain(words.iter().map(String::as_str));
    text += &format!("echo {}\nexec {}\n", shell_words::quote(MARKER), shell_words::join(all));
    Ok(text)
}

/// Lines that set the variables of workers as they are here. A value may have any bytes.
fn exports(project: &Project) -> Result<Vec<u8>> {
    let names = ENVIRONMENT.into_iter().chain(["PATH"]).chain(project.environment.iter().map(String::as_str));
    let mut text = Vec::new();
    // The node has its own temporary folder and terminal.
    for name in names.filter(|name| !["TMPDIR", "TERM"].contains(name)) {
        let Some(value) = env::var_os(name) else { continue };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_plain) || name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
            return Err(Error::user_error(
                Code::Unsupported,
                format!("the environment variable `{name}` cannot be set by a shell on a node"),
                "remove it from `environment` in callsheet.toml, or rename it",
            ));
        }
        text.extend_from_slice(format!("export {name}='").as_bytes());
        for byte in value.as_encoded_bytes() {
            match byte {
                b'\'' => text.extend_from_slice(b"'\\''"),
                byte => text.push(*byte),
            }
        }
        text.extend_from_slice(b"'\n");
    }
    Ok(text)
}
