//! This repository's stages and pipelines in a project with its own data, in profile `test`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Path of the engine, which is next to `callsheet-stages` in the build folder.
pub(crate) fn engine() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_callsheet-stages")).with_file_name("callsheet")
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// A project with this repository's stages, pipelines and weights, and its own data.
pub(crate) fn project() -> TempDir {
    let repository = repository();
    let folder = tempfile::tempdir().expect("a folder");
    let shown = repository.display();
    let file = format!(
        "stages = \"{shown}/stages\"\npipelines = \"{shown}/pipelines\"\npath = [\"{shown}/.toolchain/bin\"]\n\
         [defaults]\npipeline = \"synthesis\"\ndataset = \"space_needle\"\n{}",
        commands()
    );
    fs::write(folder.path().join("callsheet.toml"), file).expect("written");
    fs::create_dir(folder.path().join("data")).expect("created");
    symlink(repository.join("data/weights"), folder.path().join("data/weights")).expect("linked");
    fs::create_dir(folder.path().join("pipelines")).expect("created");
    for shared in ["pipelines/objectives", "pipelines/claims"] {
        symlink(repository.join(shared), folder.path().join(shared)).expect("linked");
    }
    folder
}

/// Settings of a project with this repository's programs and commands.
pub(crate) fn commands() -> String {
    let settings = fs::read_to_string(repository().join("callsheet.toml")).expect("settings");
    let (_, commands) = settings.split_once("[commands]").expect("commands");
    format!(
        "[programs]\ncallsheet-stages = \"{}\"\n[commands]{commands}",
        env!("CARGO_BIN_EXE_callsheet-stages")
    )
}

/// A project with this repository's stages and its own pipeline.
pub(crate) fn project_of(name: &str, pipeline: &str) -> TempDir {
    let project = project();
    let pipelines = project.path().join("pipelines");
    fs::create_dir_all(pipelines.join("datasets")).expect("created");
    fs::create_dir_all(pipelines.join("profiles")).expect("created");
    fs::write(pipelines.join(format!("{name}.toml")), pipeline).expect("written");
    fs::write(pipelines.join("datasets/any.toml"), "summary = \"Any\"\n").expect("written");
    fs::write(pipelines.join("profiles/test.toml"), "summary = \"As it is\"\n").expect("written");
    let file = project.path().join("callsheet.toml");
    let text = fs::read_to_string(&file).expect("readable");
    let shown = repository().display().to_string();
    let text =
        text.replace(&format!("pipelines = \"{shown}/pipelines\""), "pipelines = \"pipelines\"").replace(
            "pipeline = \"synthesis\"\ndataset = \"space_needle\"",
            &format!("pipeline = \"{name}\"\ndataset = \"any\""),
        );
    fs::write(file, text).expect("written");
    project
}

/// A project with copies of this repository's pipelines and a dataset of its own, which is named `mine`.
pub(crate) fn project_with_dataset(file: &str) -> TempDir {
    let project = project();
    let pipelines = project.path().join("pipelines");
    fs::remove_dir_all(&pipelines).expect("removed");
    let own = repository().join("pipelines");
    let copied = Command::new("cp").arg("-r").args([&own, &pipelines]).status().expect("cp starts");
    assert!(copied.success());
    let settings = project.path().join("callsheet.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, text.replace(&own.display().to_string(), "pipelines")).expect("written");
    fs::write(pipelines.join("datasets/mine.toml"), file).expect("written");
    project
}

/// Runs the ffmpeg that stages find.
pub(crate) fn ffmpeg(arguments: &[&str]) {
    let search = format!("{}:{}", repository().join(".toolchain/bin").display(), env!("PATH"));
    let mut command = Command::new("ffmpeg");
    command.env("PATH", search).args(["-y", "-loglevel", "error"]).args(arguments);
    let output = command.output().expect("ffmpeg starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the engine in profile `test` and returns its output.
pub(crate) fn callsheet(project: &TempDir, arguments: &[&str]) -> Output {
    callsheet_in("test", project, arguments)
}

/// Runs the engine in a profile and returns its output.
pub(crate) fn callsheet_in(profile: &str, project: &TempDir, arguments: &[&str]) -> Output {
    command(project.path(), profile, arguments).output().expect("callsheet starts")
}

/// Command of the engine in a profile. A run gets one CPU unless `arguments` contain `--jobs`: the suite runs
/// one test per CPU, and small trainings that share all CPUs take longer than one after the other.
pub(crate) fn command(project: &Path, profile: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(engine());
    command.args(arguments).args(["--profile", profile]).current_dir(project);
    if arguments.first() == Some(&"run") && !arguments.contains(&"--jobs") {
        command.args(["--jobs", "1"]);
    }
    command
}

/// Path of a result of the latest run that was recorded, given as `stage/file`.
pub(crate) fn latest(project: &TempDir, name: &str) -> PathBuf {
    let mut command = Command::new(engine());
    let output =
        command.args(["runs", "link", "latest"]).current_dir(project.path()).output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join(name)
}

/// Runs the pipeline with a limit on the size of each written file, in bytes.
pub(crate) fn limited(project: &TempDir, bytes: u64, arguments: &[&str]) -> Output {
    let script =
        format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" run --profile test --jobs 1 \"$@\"", bytes / 512);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(engine()).args(arguments).current_dir(project.path());
    command.output().expect("sh starts")
}

/// Text that a program wrote to stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Errors at the end of a run: message and remedy of each failed stage.
pub(crate) fn failures(output: &Output) -> String {
    let said = stderr(output);
    let (_, failures) = said.split_once("\nstage `").unwrap_or_else(|| panic!("no stage failed: {said}"));
    format!("stage `{failures}")
}

/// Lines of a run's output with warnings of stages.
pub(crate) fn warnings(output: &Output) -> String {
    let said = stderr(output);
    said.lines().filter(|line| line.contains(": warning: ")).collect::<Vec<_>>().join("\n")
}

/// Starts the engine in profile `test`; its events are written to `events`.
pub(crate) fn start(project: &TempDir, arguments: &[&str], events: &Path) -> Child {
    let mut command = command(project.path(), "test", &[&["run", "--json"], arguments].concat());
    command.stdout(File::create(events).expect("created")).stderr(Stdio::null());
    command.spawn().expect("callsheet starts")
}

/// Names of the stages that finished, from the events of a run.
pub(crate) fn finished(events: &str) -> Vec<String> {
    let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let finished = events.filter(|event| event["event"] == "finished");
    finished.filter_map(|event| Some(event["stage"].as_str()?.to_owned())).collect()
}

/// Names of the stages that ran.
pub(crate) fn ran(project: &TempDir, arguments: &[&str]) -> Vec<String> {
    let output = callsheet(project, &[&["run", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    finished(&String::from_utf8_lossy(&output.stdout))
}

/// Number of computed rows and of all rows, for each row-wise stage that ran.
pub(crate) fn rows(project: &TempDir, arguments: &[&str]) -> BTreeMap<String, (u64, u64)> {
    let output = callsheet(project, &[&["run", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let counted = events.filter(|event| event["event"] == "rows");
    let number = |value: &Value| value.as_u64().expect("a number");
    let counted = counted.map(|e| {
        (e["stage"].as_str().expect("a name").to_owned(), (number(&e["compute"]), number(&e["of"])))
    });
    counted.collect()
}
