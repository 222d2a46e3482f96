//! Tests that `callsheet new stage --rust` writes this example, and that it runs in a project of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the engine, which the workspace's tests build into the folder of this program.
fn callsheet(project: &Path, arguments: &[&str]) -> Output {
    let engine = Path::new(env!("CARGO_BIN_EXE_count_words")).with_file_name("callsheet");
    Command::new(engine).args(arguments).current_dir(project).output().expect("callsheet is built")
}

#[test]
fn a_new_rust_stage_is_this_example_and_runs_in_an_empty_project() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let worker = example.join("../../../../worker");
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path();
    let program = env!("CARGO_BIN_EXE_count_words");
    fs::write(project.join("callsheet.toml"), format!("[programs]\ncount_words = {program:?}\n"))
        .expect("written");
    let worker = worker.to_str().expect("UTF-8");
    let new = callsheet(project, &["new", "stage", "count_words", "--rust", "--worker", worker]);
    assert!(new.status.success(), "{}", String::from_utf8_lossy(&new.stderr));
    for name in ["stage.toml", "main.rs"] {
        let read = |path: PathBuf| fs::read_to_string(path).expect(name);
        assert_eq!(read(project.join("stages/count_words").join(name)), read(example.join(name)), "{name}");
    }
    let run = callsheet(project, &["run"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let counts = project.join("data/out/count_words/count_words/counts.parquet");
    let rows = callsheet_worker::table::read_columns(&counts, &["text", "words"]).expect("a table");
    assert_eq!(rows.num_rows(), 1);
}
