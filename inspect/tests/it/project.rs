//! Project with the tables that a test declares; the real binaries run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Project whose stages each turn a file of JSON lines into a table.
pub(crate) struct Project(TempDir);

/// Output of a program and its exit code.
pub(crate) struct ProgramOutput {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

/// Path of `callsheet`, which is next to `callsheet-inspect` in the build folder.
fn engine() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_callsheet-inspect")).with_file_name("callsheet")
}

impl Project {
    /// Creates a project with these tables: name, columns as in stage.toml, and rows.
    pub(crate) fn new(tables: &[(&str, &str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        let inspect = env!("CARGO_BIN_EXE_callsheet-inspect");
        project.write(
            "callsheet.toml",
            &format!(
                "[defaults]\npipeline = \"tables\"\ndataset = \"any\"\n[programs]\ncallsheet-inspect = \"{inspect}\"\n"
            ),
        );
        project.write("pipelines/datasets/any.toml", "summary = \"Any\"\n");
        let mut pipeline = "summary = \"Tables\"\n".to_owned();
        for (name, columns, rows) in tables {
            pipeline += &format!("[sources.{name}]\npath = \"data/raw/{name}.ndjson\"\n");
            pipeline += &format!("[stages.make_{name}]\ninputs.rows = \"{name}\"\n");
            project.write(
                &format!("stages/make_{name}/stage.toml"),
                &format!(
                    "summary = \"Makes {name}\"\nversion = 1\n\
                     command = [\"sh\", \"-c\", 'cp \"$1\" \"$2\"', \"cp\", \"{{inputs.rows}}\", \"{{outputs.{name}}}\"]\n\
                     [inputs.rows]\nkind = \"file\"\ndoc = \"Rows\"\n\
                     [outputs.{name}]\nkind = \"table\"\npath = \"{name}.parquet\"\nformat = \"json\"\n\
                     columns = {{ {columns} }}\ndoc = \"Rows\"\n"
                ),
            );
            project.rows(name, rows);
        }
        project.write("pipelines/tables.toml", &pipeline);
        project
    }

    /// Writes the rows of a table, one JSON object per line.
    pub(crate) fn rows(&self, name: &str, rows: &str) {
        self.write(&format!("data/raw/{name}.ndjson"), rows);
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn callsheet(&self, arguments: &[&str]) -> ProgramOutput {
        callsheet_in(self.0.path(), arguments)
    }

    /// Runs the pipeline, which must succeed.
    pub(crate) fn run(&self) {
        let said = self.callsheet(&["run"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }

    /// Returns the stdout of a command, which must succeed.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        let said = self.callsheet(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
        said.out
    }

    /// Returns the stderr of a command, which must fail with exit code 2.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let said = self.callsheet(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}{}", said.out, said.err);
        said.err
    }
}

/// Runs callsheet in a folder.
pub(crate) fn callsheet_in(folder: &Path, arguments: &[&str]) -> ProgramOutput {
    callsheet_to(Stdio::piped(), folder, arguments)
}

/// Runs callsheet in a folder, with `out` as its stdout.
pub(crate) fn callsheet_to(out: impl Into<Stdio>, folder: &Path, arguments: &[&str]) -> ProgramOutput {
    let mut command = Command::new(engine());
    command.args(arguments).current_dir(folder).stdout(out);
    let Output { status, stdout, stderr } = command.output().expect("callsheet starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ProgramOutput { out: text(&stdout), err: text(&stderr), code: status.code() }
}
