//! This repository's stages and pipelines in a project with data of its own, profile `test`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

/// The programs lie side by side in the build folder.
fn engine() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_callsheet-stages")).with_file_name("callsheet")
}

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// A project with this repository's stages, pipelines and weights, and data of its own.
pub fn project() -> TempDir {
    let repository = repository();
    let folder = tempfile::tempdir().expect("a folder");
    let shown = repository.display();
    let file = format!(
        "stages = \"{shown}/stages\"\npipelines = \"{shown}/pipelines\"\npath = [\"{shown}/.toolchain/bin\"]\n\
         [defaults]\npipeline = \"synthesis\"\ndataset = \"space_needle\"\n\
         [programs]\ncallsheet-stages = \"{}\"\n",
        env!("CARGO_BIN_EXE_callsheet-stages")
    );
    fs::write(folder.path().join("callsheet.toml"), file).expect("written");
    fs::create_dir(folder.path().join("data")).expect("created");
    symlink(repository.join("data/weights"), folder.path().join("data/weights")).expect("linked");
    folder
}

static TURN: Mutex<()> = Mutex::new(());

/// Runs the engine in profile `test` and takes what it says.
pub fn callsheet(project: &TempDir, arguments: &[&str]) -> Output {
    callsheet_in("test", project, arguments)
}

/// Runs the engine in a profile and takes what it says.
pub fn callsheet_in(profile: &str, project: &TempDir, arguments: &[&str]) -> Output {
    // Two trainings side by side on all CPUs take longer than one after the other.
    let _turn = TURN.lock();
    let mut command = Command::new(engine());
    command.args(arguments).args(["--profile", profile]).current_dir(project.path());
    command.output().expect("callsheet starts")
}

/// Names of the stages that ran.
#[allow(dead_code, reason = "not every test crate asks")]
pub fn ran(project: &TempDir, arguments: &[&str]) -> Vec<String> {
    let output = callsheet(project, &[&["run", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let finished = events.filter(|event| event["event"] == "finished");
    finished.filter_map(|event| Some(event["stage"].as_str()?.to_owned())).collect()
}
