//! Declared checks of tables: they run before a table is published, and a violation names rows and columns.

use std::fs;

use crate::snapshot::assert_output;
use crate::support::Project;

const FEW: [&str; 4] = ["-p", "curated", "-d", "few"];

/// The toy project with nine frames; its stage `gauge` declares checks.
fn project() -> Project {
    let project = Project::new();
    let lines: String = (0..9).map(|n| format!("a.csv#{n:06},{n}\n")).collect();
    project.write("data/raw/few/a.csv", &lines);
    project
}

fn failing(project: &Project, more: &[&str]) -> String {
    project.run_failing("check_failed", &[&FEW, more].concat())
}

/// Replaces the checks of a toy stage.
fn checks(project: &Project, stage: &str, output: &str, checks: &str) {
    let path = format!("stages/{stage}/stage.toml");
    let text = project.read(&path);
    let rest = text.split("\n[outputs.").map(|part| part.split_once(".checks]\n").map_or(part, |_| ""));
    let kept: Vec<&str> = rest.filter(|part| !part.is_empty()).collect();
    let rows = text.split_once("\n[rows]").map(|(_, rows)| format!("\n[rows]{rows}")).unwrap_or_default();
    let kept = kept.join("\n[outputs.").replace(&rows, "");
    project.write(&path, &format!("{kept}\n[outputs.{output}.checks]\n{checks}\n{rows}"));
}

#[test]
fn a_violation_names_the_rows_and_the_artifact_stays_as_it_was() {
    let project = project();
    project.run(&FEW);
    let artifact = "data/out/curated/few/small/gauge/gauges.parquet";
    let before = fs::canonicalize(project.path(artifact)).expect("shown");
    assert_output!(failing(&project, &["--set", "gauge.gain=2.5"]));
    assert_output!(failing(&project, &["--set", "gauge.gain=100.0"]));
    assert_output!(failing(&project, &["--set", "gauge.gain=400.0"]));
    assert_eq!(fs::canonicalize(project.path(artifact)).expect("shown"), before);
    let back = project.run(&FEW);
    assert!(back.ran().is_empty(), "{:?}", back.ran());
}

#[test]
fn values_that_are_not_allowed_are_named() {
    let project = project();
    checks(&project, "gauge", "gauges", "allowed.group = [\"light\"]");
    assert_output!(failing(&project, &[]));
}

#[test]
fn uniqueness_and_row_counts_are_checked_over_all_rows() {
    let project = project();
    checks(&project, "gauge", "gauges", "unique = [\"group\"]");
    assert_output!(failing(&project, &[]));
    checks(&project, "gauge", "gauges", "rows.max = 17");
    assert_output!(failing(&project, &[]));
    let project = self::project();
    checks(&project, "pick", "images", "rows.equal = \"frames\"");
    assert_output!(failing(&project, &[]));
    checks(&project, "pick", "images", "unique = [\"frame_id\", \"image_id + shows\"]");
    assert_output!(failing(&project, &[]));
}

#[test]
fn cached_rows_must_pass_the_current_checks() {
    let project = project();
    project.run(&FEW);
    checks(&project, "gauge", "gauges", "range.gauge = { min = 0, max = 6 }");
    let lines: String = (0..10).map(|n| format!("a.csv#{n:06},{n}\n")).collect();
    project.write("data/raw/few/a.csv", &lines);
    assert_output!(failing(&project, &[]));
    checks(&project, "gauge", "gauges", "range.gauge = { min = 0, max = 13 }");
    assert!(project.run(&FEW).ran().contains(&"gauge"));
}

#[test]
fn allowed_integers_match_floats_of_equal_value() {
    let project = project();
    checks(&project, "gauge", "gauges", "allowed.gauge = [0, 2, 4, 6, 8, 10, 12]");
    project.run(&FEW);
    checks(&project, "gauge", "gauges", "allowed.gauge = [0, 2, 4, 6, 8, 10]");
    assert_output!(failing(&project, &["--set", "gauge.gain=2.5"]));
}

#[test]
fn invalid_checks_are_refused_with_the_declaration() {
    let project = project();
    let cases = [
        "non_null = [\"gaug\"]",
        "unique = [\"image_id + gruop\"]",
        "range.gauge = {}",
        "range.gauge = { min = 3, max = 2 }",
        "rows.equal = \"renderd\"",
        "range.group = { min = 1 }",
        "finite = [\"group\"]",
        "allowed.group = []",
        "rows = { min = 5, max = 2 }",
        "uniq = [\"group\"]",
    ];
    let said = cases.map(|written| {
        checks(&project, "gauge", "gauges", written);
        project.refused("declaration", &[&["plan"], &FEW[..]].concat())
    });
    assert_output!(said.join("\n"));
}

#[test]
fn a_parquet_file_that_is_damaged_foreign_or_unfit_is_refused_and_the_artifact_stays() {
    let project = project();
    project.run(&FEW);
    let good = fs::read(artifact(&project, "curated", "gauge")).expect("readable");
    project.write(
        "stages/take/stage.toml",
        "summary = \"Takes a file as its table\"\nversion = 1\n\
         command = [\"cp\", \"--no-preserve=mode\", \"{inputs.file}\", \"{outputs.table}\"]\n\
         [inputs.file]\nkind = \"file\"\ndoc = \"A Parquet file\"\n\
         [outputs.table]\nkind = \"table\"\npath = \"table.parquet\"\ndoc = \"Copy of the file\"\n\
         columns = { image_id = \"string\", gauge = \"float64\", group = \"string\" }\n\
         [outputs.table.checks]\nunique = [\"image_id\"]\nfinite = [\"gauge\"]\n",
    );
    project.write(
        "pipelines/taken.toml",
        "summary = \"A file from elsewhere\"\n[sources.file]\npath = \"data/raw/file.parquet\"\nhint = \"copy one\"\n\
         [stages.take]\ninputs.file = \"file\"\n",
    );
    let take = |bytes: &[u8]| fs::write(project.path("data/raw/file.parquet"), bytes).expect("written");
    take(&good);
    project.run(&["-p", "taken", "-d", "few"]);
    let taken = artifact(&project, "taken", "take");
    let before = fs::read(&taken).expect("readable");
    let mut torn = good.clone();
    torn[4..good.len() - 8].fill(0);
    let foreign = fs::read(artifact(&project, "curated", "render")).expect("readable");
    for (code, bytes) in [
        ("parquet", &good[..good.len() / 2]),
        ("parquet", &torn[..]),
        ("parquet", &b"PAR1"[..]),
        ("worker_output", &foreign[..]),
    ] {
        take(bytes);
        assert_output!(project.run_failing(code, &["-p", "taken", "-d", "few"]));
        assert_eq!(fs::read(&taken).expect("readable"), before, "the artifact stays");
    }
    take(&[]);
    project.run_failing("worker_output", &["-p", "taken", "-d", "few"]);
    take(&good);
    assert!(project.run(&["-p", "taken", "-d", "few"]).ran().is_empty());
}

/// Path of the artifact of a stage.
fn artifact(project: &Project, pipeline: &str, stage: &str) -> std::path::PathBuf {
    let shown = project.json(&["show", "-p", pipeline, "-d", "few", stage, "--json"]);
    shown["path"].as_str().expect("a path").into()
}
