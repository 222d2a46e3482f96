//! Project of shell commands in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Project with the pipeline `main`: `first` copies a file, `second` copies the copy, `third` runs the command in
/// `data/raw/third.sh`, and `after` copies its result.
pub(crate) struct Project(TempDir);

/// Path of `callsheet`, which is next to `callsheet-serve` in the build folder.
fn engine() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_callsheet-serve")).with_file_name("callsheet")
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        let serve = env!("CARGO_BIN_EXE_callsheet-serve");
        project.write("callsheet.toml", &format!("[programs]\ncallsheet-serve = \"{serve}\"\n"));
        let stage = |name: &str, command: &str| {
            let text = format!(
                "summary = \"Copies <b>a file</b>\"\nversion = 1\ncommand = {command}\n[inputs.from]\nkind = \"file\"\n\
                 doc = \"Any file\"\n[outputs.copy]\nkind = \"file\"\npath = \"copy.txt\"\ndoc = \"Its copy\"\n\
                 [params.word]\ntype = \"string\"\ndefault = \"one\"\ndoc = \"Any word\"\n"
            );
            project.write(&format!("stages/{name}/stage.toml"), &text);
        };
        let copy = r#"["sh", "-c", 'echo "copies $3"; cp "$1" "$2"', "copy", "{inputs.from}", "{outputs.copy}", "{params.word}"]"#;
        stage("copy", copy);
        stage(
            "script",
            r#"["sh", "-c", 'cp "$1" "$2"; . "$1"', "script", "{inputs.from}", "{outputs.copy}"]"#,
        );
        project.write(
            "pipelines/main.toml",
            "summary = \"Copies of a file\"\n[sources.raw]\npath = \"data/raw/a.txt\"\n\
             [sources.script]\npath = \"data/raw/third.sh\"\n\
             [stages.first]\nuse = \"copy\"\ninputs.from = \"raw\"\n\
             [stages.second]\nuse = \"copy\"\ninputs.from = \"first.copy\"\n\
             [stages.third]\nuse = \"script\"\ninputs.from = \"script\"\n\
             [stages.after]\nuse = \"copy\"\ninputs.from = \"third.copy\"\n",
        );
        project.write("data/raw/a.txt", "content\n");
        project.write("data/raw/third.sh", "echo the third\n");
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn callsheet(&self, arguments: &[&str]) -> Output {
        Command::new(engine()).args(arguments).current_dir(self.0.path()).output().expect("callsheet starts")
    }

    /// Runs the pipeline, which must succeed.
    pub(crate) fn run(&self) {
        let output = self.callsheet(&["run"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts a program of callsheet in the project, with its output in pipes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(engine());
        command.args(arguments).current_dir(self.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("callsheet starts")
    }
}
