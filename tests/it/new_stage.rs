//! Tests of `callsheet new stage`: the written stages run, and their tests pass. For Rust see
//! `examples/rust-stage`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use tempfile::TempDir;

use crate::snapshot::assert_output;

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
        (&["--plain"], ["python3", "-m", "unittest", "discover"]),
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

/// Rows of the table of a new stage: name and number of words of each file.
fn counts(project: &Path, stage: &str) -> Vec<(String, i64)> {
    let table = project.join(format!("data/out/{stage}/{stage}/counts.parquet"));
    let rows = callsheet_worker::table::read_columns(&table, &["text", "words"]).expect("a table");
    let (names, words) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int64Type>());
    names.iter().flatten().map(str::to_owned).zip(words.iter().flatten()).collect()
}

#[test]
fn files_with_odd_names_are_counted_in_both_languages() {
    for language in ["--plain", "--shell"] {
        let project = empty();
        succeeded(&callsheet(project.path(), &["new", "stage", "words", language]));
        fs::write(project.path().join("data/raw/an \"odd\" \\ näme.txt"), "one two\n").expect("written");
        fs::write(project.path().join("data/raw/empty.txt"), "").expect("written");
        succeeded(&callsheet(project.path(), &["run"]));
        let mut found = counts(project.path(), "words");
        found.sort();
        let row = |name: &str, words| (name.to_owned(), words);
        let expected = [row("an \"odd\" \\ näme.txt", 2), row("empty.txt", 0), row("example.txt", 5)];
        assert_eq!(found, expected, "{language}");
    }
}

#[test]
fn names_that_look_like_parts_of_a_template_stay_as_they_are() {
    for name in ["NAME", "WORKER", "DATA"] {
        let project = empty();
        succeeded(&callsheet(project.path(), &["new", "stage", name]));
        succeeded(&callsheet(project.path(), &["run", name]));
        assert_eq!(counts(project.path(), name), [("example.txt".to_owned(), 5)]);
        succeeded(&callsheet(project.path(), &["new", "stage", &format!("{name}2"), "--rust"]));
        let manifest = project.path().join(format!("stages/{name}2/Cargo.toml"));
        let text = fs::read_to_string(manifest).expect("a manifest");
        let manifest: toml::Table = text.parse().expect("TOML");
        assert_eq!(manifest["package"]["name"].as_str(), Some(format!("{name}2").as_str()));
    }
}

#[test]
fn a_stage_that_cannot_be_written_as_a_whole_leaves_nothing() {
    let project = empty();
    fs::write(project.path().join("pipelines"), "a file where a folder belongs").expect("written");
    let output = callsheet(project.path(), &["new", "stage", "words"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!project.path().join("stages/words").exists(), "the folder is removed");
}

#[test]
fn a_new_stage_leaves_an_existing_pipeline_as_it_is() {
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
        &["new", "stage", "vars"],
        &["new", "stage", "fn"],
        &["new", "stage", "second", "--rust", "--worker", "stages"],
    ] {
        let output = callsheet(project.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_output!(String::from_utf8_lossy(&output.stderr));
    }
    let stages: Vec<_> = fs::read_dir(project.path().join("stages")).expect("a folder").collect();
    assert_eq!(stages.len(), 1);
}
