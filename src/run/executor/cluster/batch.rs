//! Files of a submission. They are written before the jobs are submitted, so that a killed engine loses no job.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};

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
pub(super) fn write(run: &Run, name: &str, jobs: &[Vec<Task>]) -> Result<JobDir> {
    let all = run.store.run_dir(&run.id).path().join(JobDir::ALL);
    let dir = JobDir(all.join(name));
    for folder in [&all, &dir.0, &dir.news()] {
        DirBuilder::new().recursive(true).mode(FOLDER).create(folder).io_context("cannot create", folder)?;
    }
    write_file(&dir.spec(), &serde_json::to_vec(&spec(run)?).expect("a spec is plain data"))?;
    for (index, tasks) in jobs.iter().enumerate() {
        write_file(&dir.tasks(index), &serde_json::to_vec(tasks).expect("a spec is plain data"))?;
    }
    File::open(&dir.0).and_then(|folder| folder.sync_all()).io_context("cannot write", &dir.0)?;
    Ok(dir)
}

fn spec<'a>(run: &'a Run) -> Result<JobSpec<&'a Project>> {
    let request = &run.plan.request;
    Ok(JobSpec {
        format: FORMAT,
        engine: Engine::this()?,
        run: run.id.clone(),
        target: request.target.clone(),
        set: request.set.clone(),
        project: run.project,
        revision: run.begun().and_then(|sandbox| sandbox.revision.clone()),
        keep_failed: run.keep_failed,
    })
}

fn write_file(path: &Path, text: &[u8]) -> Result<()> {
    let file = fs::OpenOptions::new().create_new(true).write(true).mode(FILE).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    written.io_context("cannot write", path)
}

/// Lines of a script that set the variables of workers as they are here.
pub(super) fn exports(project: &Project) -> String {
    let names = ENVIRONMENT.into_iter().chain(["PATH"]).chain(project.environment.iter().map(String::as_str));
    // The node has its own temporary folder and terminal.
    let names = names.filter(|name| !["TMPDIR", "TERM"].contains(name));
    let lines = names
        .filter_map(|name| Some(format!("export {name}={}\n", shell_words::quote(&env::var(name).ok()?))));
    lines.collect()
}

/// Script of a job.
///
/// # Errors
/// Returns an error if the path of callsheet is not known.
pub(super) fn script(run: &Run, decl: &ExecutorDecl, dir: &JobDir) -> Result<String> {
    let mut text = format!("#!/bin/sh\n{}", exports(run.project));
    for line in &decl.setup {
        text += &format!("{line}\n");
    }
    let program = match &decl.program {
        Some(program) => program.clone(),
        None => engine()?,
    };
    let (program, folder) = (program.to_string_lossy().into_owned(), dir.0.to_string_lossy().into_owned());
    let words = decl.wrap.iter().map(String::as_str).chain([&*program, "job", &*folder]);
    text += &format!("exec {}\n", shell_words::join(words));
    Ok(text)
}
