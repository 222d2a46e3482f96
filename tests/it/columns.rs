//! Columns of printed tables begin in one cell, whatever the names before them.

use std::collections::BTreeSet;

use callsheet_worker::print::width;

use crate::support::{MAIN, Project};

/// A project whose instances have short, long and wide names.
fn project() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let long = "long".repeat(20);
    let more = format!(
        "foreach.name = [\"a\", \"日本語の名前\", \"ｆｕｌｌ\", \"กา\", {long:?}]\nparams.{long} = \"日本\"\nparams.b = \"{{name}}\"\n"
    );
    project.write("pipelines/main.toml", &(project.read("pipelines/main.toml") + &more));
    let param = |name: &str| format!("[params.{name}]\ntype = \"string\"\ndefault = \"\"\ndoc = \"a\"\n");
    let stage = project.read("stages/copy/stage.toml") + &param(&long) + &param("b");
    project.write("stages/copy/stage.toml", &stage);
    project
}

/// Cells before `mark` in each of the lines that contain it, without duplicates.
fn cells(text: &str, mark: &str) -> Vec<usize> {
    let mut cells: Vec<usize> =
        text.lines().filter_map(|line| Some(width(line.split_once(mark)?.0))).collect();
    assert!(cells.len() > 1, "{text}");
    cells.dedup();
    cells
}

#[test]
fn columns_begin_in_one_cell_in_every_command() {
    let project = project();
    let said = |command: &[&str]| project.stdout(&[command, &MAIN[..]].concat());
    assert_eq!(cells(&said(&["plan"]), "never ran").len(), 1);
    project.run(&MAIN);
    project.run(&[&MAIN[..], &["--set", "copy.b=日本語"]].concat());
    assert_eq!(cells(&said(&["ls"]), " file ").len(), 1);
    assert_eq!(cells(&said(&["config", "copy@a"]), " = ").len(), 1);
    assert_eq!(cells(&said(&["config", "copy@a"]), " pipelines/").len(), 1, "places of values");
    let sizes = project.stdout(&["du"]);
    let rows: BTreeSet<usize> = sizes.lines().take_while(|line| !line.is_empty()).map(width).collect();
    assert_eq!(rows.len(), 1, "the last column is aligned to the right:\n{sizes}");
    assert_eq!(cells(&project.stdout(&["ls", "--runs"]), "main").len(), 1);
}

#[test]
fn summaries_of_datasets_and_stages_begin_in_one_cell() {
    let project = project();
    let long = "x".repeat(90);
    for name in ["a", long.as_str()] {
        project.write(&format!("pipelines/datasets/{name}.toml"), "summary = \"|\"\n");
        let stage = project.read("stages/copy/stage.toml").replacen("Copies", "|", 1);
        project.write(&format!("stages/{name}/stage.toml"), &stage);
    }
    assert_eq!(cells(&project.stdout(&["datasets"]), "|").len(), 1);
    assert_eq!(cells(&project.stdout(&["stages"]), "|").len(), 1);
}

#[test]
fn a_long_path_is_printed_on_one_line() {
    let project = project();
    project.run(&MAIN);
    let name = format!("copy@{}", "long".repeat(20));
    let shown = project.stdout(&[&["show", &format!("{name}.copy")], &MAIN[..]].concat());
    let path = shown.lines().find_map(|line| line.strip_prefix("path ")).expect("a path").trim();
    assert!(std::path::Path::new(path).is_file(), "{path}");
}
