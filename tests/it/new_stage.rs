//! `callsheet new stage`: what it writes runs, and its tests pass. For Rust see `examples/rust-stage`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::snapshot::assert_output;
use tempfile::TempDir;

/// A project without stages and pipelines.
fn empty() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("callsheet.toml"), "").expect("written");
    folder
}

fn callsheet(project: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callsheet"))
        .args(arguments)
        .current_dir(project)
        .output()
        .expect("callsheet")
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_new_stage_runs_in_an_empty_project_and_passes_its_own_test() {
    let tests: [(&[&str], [&str; 4]); 2] = [
        (&["--python"], ["python3", "-m", "unittest", "discover"]),
        (&["--shell"], ["sh", "-eu", "-c", "sh \"$0\"/test_stage.sh"]),
    ];
    for (language, test) in tests {
        let project = empty();
        assert_output!(succeeded(&callsheet(
            project.path(),
            &[&["new", "stage", "count_words"], language].concat()
        )));
        let run = succeeded(&callsheet(project.path(), &["run", "--json"]));
        assert!(run.contains("\"rows\":{\"counts\":1}"), "{run}");
        let rows = callsheet_worker::table::read_columns(
            &project.path().join("data/out/count_words/count_words/counts.parquet"),
            &["text", "words"],
        );
        assert_eq!(rows.expect("a table").num_rows(), 1);
        let [program, arguments @ ..] = test;
        let mut command = Command::new(program);
        command.args(arguments).arg("stages/count_words").current_dir(project.path());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        succeeded(&command.output().expect(program));
        succeeded(&callsheet(project.path(), &["plan", "--check"]));
    }
}

#[test]
fn files_with_odd_names_are_counted_in_both_languages() {
    for language in ["--python", "--shell"] {
        let project = empty();
        succeeded(&callsheet(project.path(), &["new", "stage", "words", language]));
        fs::write(project.path().join("data/raw/an \"odd\" \\ näme.txt"), "one two\n").expect("written");
        fs::write(project.path().join("data/raw/empty.txt"), "").expect("written");
        succeeded(&callsheet(project.path(), &["run"]));
    }
}

#[test]
fn a_new_stage_beside_a_pipeline_leaves_that_as_it_is() {
    let project = empty();
    succeeded(&callsheet(project.path(), &["new", "stage", "first"]));
    let before = fs::read_to_string(project.path().join("pipelines/first.toml")).expect("a pipeline");
    assert_output!(succeeded(&callsheet(project.path(), &["new", "stage", "second", "--rust"])));
    let after = fs::read_to_string(project.path().join("pipelines/first.toml")).expect("a pipeline");
    assert_eq!(before, after);
    assert!(!project.path().join("pipelines/second.toml").exists());
}

#[test]
fn names_that_exist_or_are_not_valid_are_refused_and_nothing_is_written() {
    let project = empty();
    succeeded(&callsheet(project.path(), &["new", "stage", "first"]));
    for arguments in [
        &["new", "stage", "first", "--shell"][..],
        &["new", "stage", "../escape"],
        &["new", "stage", "9-lives"],
        &["new", "stage", "second", "--rust", "--worker", "stages"],
    ] {
        let output = callsheet(project.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_output!(String::from_utf8_lossy(&output.stderr));
    }
    let stages: Vec<_> = fs::read_dir(project.path().join("stages")).expect("a folder").collect();
    assert_eq!(stages.len(), 1);
}
