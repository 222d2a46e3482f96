//! Demonstration: a small project of painted photos, whose stages this program runs. It needs neither data nor libtorch.

mod paint;
mod stages;
mod tables;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, suggest};
use callsheet_worker::print::{print_text, say};
use callsheet_worker::protocol::ENGINE_VARIABLE;
use callsheet_worker::{Job, perform};

/// Name of the project's folder.
const FOLDER: &str = "callsheet-demo";

/// Files of the project.
macro_rules! project {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../demo/", $name)))),*]
    };
}
const FILES: [(&str, &str); 8] = project![
    "callsheet.toml",
    "pipelines/photos.toml",
    "stages/paint/stage.toml",
    "stages/measure/stage.toml",
    "stages/audit/stage.toml",
    "stages/choose/stage.toml",
    "stages/describe/stage.toml",
    "stages/average/stage.toml"
];

type Stage = fn(&Job) -> anyhow::Result<()>;
const STAGES: [(&str, Stage); 6] = [
    ("paint", paint::run),
    ("measure", stages::measure),
    ("audit", stages::audit),
    ("choose", stages::choose),
    ("describe", stages::describe),
    ("average", stages::average),
];

/// Runs a stage of the demonstration with the request in a file.
pub(crate) fn run_stage(name: &str, request: &Path) -> ExitCode {
    match STAGES.iter().find(|(known, _)| *known == name) {
        Some((_, stage)) => perform(stage, request),
        None => {
            say(&format!("unknown stage {name:?}; {}", suggest(name, STAGES.iter().map(|(name, _)| *name))));
            ExitCode::FAILURE
        }
    }
}

/// Writes the project into the folder `callsheet-demo`, unless it is there, runs its pipeline, and changes into it.
///
/// # Errors
/// Returns an error if the folder contains something else, cannot be written, or the run fails.
pub(crate) fn open() -> Result<()> {
    let folder = PathBuf::from(FOLDER);
    let program = env::current_exe().io_context("cannot find", "the path of this program")?;
    // The first line names the demonstration, and is written first.
    let settings = fs::read_to_string(folder.join(FILES[0].0)).unwrap_or_default();
    let is_empty = fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && settings.lines().next() != FILES[0].1.lines().next() {
        let message = format!("the folder {FOLDER} contains something else than the demonstration");
        return Err(Error::user_error(Code::Conflict, message, "rename it, or start in another folder"));
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&folder)).io_context("cannot create", &folder)?;
        let program = serde_json::to_string(&program.to_string_lossy()).expect("a text");
        fs::write(&path, text.replace("PROGRAM", &program)).io_context("cannot write", &path)?;
    }
    env::set_current_dir(&folder).io_context("cannot open", &folder)?;
    print_text(&format!("the demonstration is in the folder {FOLDER}; remove it when you are done"));
    let engine = env::var_os(ENGINE_VARIABLE).map_or_else(|| PathBuf::from("callsheet"), PathBuf::from);
    let status = Command::new(&engine).arg("run").status().io_context("cannot start", &engine)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::user_error(
        Code::WorkerFailed,
        "the demonstration could not be computed",
        "the lines above name the reason",
    ))
}
