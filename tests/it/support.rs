//! A toy project in a temporary folder; the tests run the real binary in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Options for the pipeline of [`Project::minimal`].
pub(crate) const MAIN: [&str; 6] = ["-p", "main", "-d", "", "-P", ""];

/// A copy of `tests/toy`.
pub(crate) struct Project(TempDir);

/// The events of a run.
pub(crate) struct Run(Vec<Value>);

impl Run {
    /// Names of the stages that ran, in the order in which they ended.
    pub(crate) fn ran(&self) -> Vec<&str> {
        self.of("finished")
    }

    /// Names of the stages of all events of this kind, in the order of the events.
    pub(crate) fn of(&self, event: &str) -> Vec<&str> {
        let events = self.0.iter().filter(|e| e["event"] == event);
        events.filter_map(|e| e["stage"].as_str()).collect()
    }

    /// Events of a run that printed them and succeeded.
    pub(crate) fn parse(output: &Output) -> Self {
        assert!(output.status.success(), "{}", text(&output.stderr));
        Self(text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an event")).collect())
    }

    pub(crate) fn events(&self) -> &[Value] {
        &self.0
    }

    /// Runs the pipeline again without `--json`; returns the lines on stderr.
    pub(crate) fn stderr_of_lines(&self, project: &Project) -> String {
        text(&project.command(&["run"]).stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Errors at the end of a run, without the lines before them. The first error must have this code.
pub(crate) fn errors(stderr: &str, code: &str) -> String {
    let begin = stderr.find("\nstage `").or_else(|| stderr.find("callsheet::")).unwrap_or(0);
    let errors = stderr[begin..].trim_start();
    let found = errors.lines().find(|line| line.starts_with("callsheet::"));
    assert_eq!(found, Some(&*format!("callsheet::{code}")), "{stderr}");
    errors.to_owned()
}

impl Project {
    pub(crate) fn new() -> Self {
        Self::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/toy"))
    }

    /// A copy of a project.
    pub(crate) fn of(project: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(project, folder.path());
        Self(folder)
    }

    /// A project with one stage `copy`, which joins the raw files by `copy.sh`.
    pub(crate) fn minimal() -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        project.write("callsheet.toml", "[defaults]\npipeline = \"main\"\n");
        project.write(
            "pipelines/main.toml",
            "summary = \"Copies\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n[stages.copy]\ninputs.texts = \"texts\"\n",
        );
        project.write(
            "stages/copy/stage.toml",
            "summary = \"Copies\"\nversion = 1\ncommand = [\"sh\", \"copy.sh\", \"{outputs.copy}\", \"{inputs.texts}\"]\n\
             [inputs.texts]\nkind = \"files\"\ndoc = \"Texts\"\n\
             [outputs.copy]\nkind = \"file\"\npath = \"copy.txt\"\ndoc = \"All texts\"\n",
        );
        project.write("stages/copy/copy.sh", "out=$1; shift; cat \"$@\" > \"$out\"\n");
        project
    }

    /// As [`Self::minimal`], but the output of `copy` is a folder `tree`.
    pub(crate) fn minimal_folder() -> Self {
        let project = Self::minimal();
        let stage = project.read("stages/copy/stage.toml");
        project.write(
            "stages/copy/stage.toml",
            &stage.replace("kind = \"file\"\npath = \"copy.txt\"", "kind = \"directory\"\npath = \"tree\""),
        );
        project
    }

    /// A project that exists; it is moved to a temporary folder of its own.
    pub(crate) fn at(folder: &Path) -> Self {
        let own = tempfile::tempdir().expect("a folder");
        fs::remove_dir(own.path()).expect("removed");
        fs::rename(folder, own.path()).expect("moved");
        Self(own)
    }

    /// Folder of the project, which is not removed any more.
    pub(crate) fn keep(self) -> PathBuf {
        self.0.keep()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.command_with(&[], arguments)
    }

    /// Runs callsheet with these environment variables in addition.
    pub(crate) fn command_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_callsheet"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("CALLSHEET_PIPELINE", "chain")
            .env("CALLSHEET_DATASET", "toy")
            .env("CALLSHEET_PROFILE", "small")
            .envs(variables.iter().copied())
            .output()
            .expect("callsheet starts")
    }

    /// Runs the pipeline, which must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_to(0, arguments)
    }

    /// Runs the pipeline, which must end with this exit code.
    pub(crate) fn run_to(&self, code: i32, arguments: &[&str]) -> Run {
        let output = self.command(&[&["run", "--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        Run(text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an event")).collect())
    }

    /// Runs the pipeline, which must fail with this error code; returns its errors.
    pub(crate) fn run_failing(&self, code: &str, arguments: &[&str]) -> String {
        let output = self.command(&[&["run"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        errors(&said, code)
    }

    /// Runs a command that must be refused with this error code; returns its stderr.
    pub(crate) fn refused(&self, code: &str, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        let first = said.lines().find(|line| !line.is_empty());
        assert_eq!(first, Some(&*format!("callsheet::{code}")), "{arguments:?}: {said}");
        said
    }

    /// Output of `gc`, sorted and without the freed size: records contain times, so their sizes vary.
    pub(crate) fn gc(&self, arguments: &[&str]) -> String {
        let said = self.stdout(&[&["gc", "--older-than", "0s"], arguments].concat());
        let line = |line: &str| match line.split_once(": ") {
            Some((count, freed)) => {
                format!("{count}: [size] {}\n", freed.splitn(3, ' ').nth(2).unwrap_or_default())
            }
            None => format!("{line}\n"),
        };
        let mut lines: Vec<String> = said.lines().map(line).collect();
        lines.sort();
        lines.concat()
    }

    /// Output of `show` without the lines that name the machine.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        let said = self.stdout(&[&["show"], arguments].concat());
        let of_machine = |line: &&str| line.starts_with("computed ") || line.starts_with("CPU ");
        let (machine, rest): (Vec<&str>, Vec<&str>) = said.lines().partition(of_machine);
        assert!(!machine.is_empty(), "{said}");
        rest.join("\n")
    }

    /// Output of `explain` without the environment of the worker, which depends on the machine.
    pub(crate) fn explained(&self, arguments: &[&str]) -> String {
        let said = self.stdout(&[&["explain"], arguments].concat());
        let (key, _) = said.split_once("\nvariable of the worker").expect("an environment");
        key.to_owned()
    }

    /// Runs the pipeline with a limit of `blocks` of 512 bytes per file. The run must fail; returns its
    /// errors.
    pub(crate) fn run_limited(&self, blocks: u32) -> String {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" run -p chain -d toy -P small");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_callsheet")]).current_dir(self.0.path());
        let output = command.output().expect("sh starts");
        let said = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{said}");
        errors(&said, "io")
    }

    /// Creates a symbolic link at `relative`.
    pub(crate) fn link(&self, target: &str, relative: &str) {
        symlink(target, self.path(relative)).expect("linked");
    }

    /// Starts a run in the background.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.arg("run").args(arguments).current_dir(self.0.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("callsheet starts")
    }

    pub(crate) fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn status(&self, arguments: &[&str], code: i32) {
        let output = self.command(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.stdout(arguments)).expect("JSON")
    }

    pub(crate) fn artifact(&self, name: &str) -> PathBuf {
        self.artifact_of("chain", name)
    }

    pub(crate) fn artifact_of(&self, pipeline: &str, name: &str) -> PathBuf {
        let shown = self.json(&["show", "-p", pipeline, name, "--json"]);
        PathBuf::from(shown["path"].as_str().expect("a path"))
    }

    /// Text of an artifact `stage.output` of the latest run.
    pub(crate) fn latest(&self, artifact: &str) -> String {
        let listed = self.json(&["ls", "--run", "latest", "--json"]);
        let rows = listed["artifacts"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["artifact"] == artifact).expect("the artifact");
        fs::read_to_string(row["path"].as_str().expect("a path")).expect("readable")
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).expect("readable")
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn remove(&self, relative: &str) {
        fs::remove_dir_all(self.path(relative)).expect("removed");
    }

    pub(crate) fn remove_file(&self, path: &Path) {
        fs::remove_file(path).expect("removed");
    }

    /// Writes to a read-only file in place, so all its hard links change, and restores its time and mode.
    pub(crate) fn overwrite_in_place(&self, path: &Path, bytes: &[u8]) {
        let found = fs::metadata(path).expect("metadata");
        let (times, mode) = (found.modified().expect("a time"), found.permissions());
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("allowed");
        let file = fs::OpenOptions::new().write(true).open(path).expect("opened");
        std::io::Write::write_all(&mut &file, bytes).expect("written");
        file.set_modified(times).expect("set");
        fs::set_permissions(path, mode).expect("restored");
    }

    /// Replaces a read-only file.
    pub(crate) fn overwrite(&self, path: &Path, text: &str) {
        fs::remove_file(path).expect("removed");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn exists(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }
}

/// The folder of a failed worker that an error names.
pub(crate) fn kept_folder(error: &str) -> PathBuf {
    let kept = error.split("folder is kept: ").nth(1).expect("the error names the folder");
    kept.split_whitespace().collect::<String>().into()
}

/// Runs a shell script as root of its own user namespace, in which it may mount; `$0` is callsheet.
pub(crate) fn with_own_mounts(script: &str) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_callsheet")).output().expect("unshare starts")
}

/// Waits until `done` returns true; panics with `what` after ten seconds.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let clock = Instant::now();
    while !done() {
        assert!(clock.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if let Ok(link) = fs::read_link(entry.path()) {
            symlink(link, target).expect("linked");
        } else if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
