//! Malformed and hostile files are refused with errors that fit on a screen, whatever the files contain. The
//! tests run the real binary.

use std::fs;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

/// Output of `plan` for the toy project, with `bytes` as the pipeline file.
fn pipeline(code: &str, bytes: &[u8]) -> String {
    let project = Project::new();
    fs::write(project.path("pipelines/bad.toml"), bytes).expect("written");
    refused(&project, code, &["plan", "-p", "bad"])
}

/// Output of `plan` for the toy project, with `bytes` as the declaration of a stage.
fn stage(code: &str, bytes: &[u8]) -> String {
    let project = Project::new();
    fs::write(project.path("stages/sum/stage.toml"), bytes).expect("written");
    refused(&project, code, &["plan"])
}

fn refused(project: &Project, code: &str, arguments: &[&str]) -> String {
    let said = project.refused(code, arguments);
    assert!(said.len() < 4_000, "an error of {} characters is too long:\n{}", said.len(), &said[..2_000]);
    assert!(!project.exists("data/store/actions"), "no action was started");
    // Git treats a file with control characters as binary.
    said.replace('\0', "[0]").replace('\u{1}', "[1]") + "\n"
}

fn both(code: &str, bytes: &[u8]) -> String {
    pipeline(code, bytes) + &stage(code, bytes)
}

#[test]
fn malformed_toml_is_shown_with_its_line() {
    let texts =
        ["summary = \"a\"\nversion = = 1\n", "summary = \"a\n", "[a]\n[a]\n", "", "summary = \"a\0b\"\n"];
    assert_output!(texts.map(|text| both("declaration", text.as_bytes())).concat());
    assert_output!(both("declaration", &[0; 1000]));
    assert_output!(both("io", b"\xff\xfe\x00"));
}

#[test]
fn extremely_deep_and_large_files_are_refused_with_a_short_message() {
    let deep = format!("summary = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let tables = format!("[{}]\n", vec!["a"; 50_000].join("."));
    let inline = format!("x = {}1{}\n", "{a=".repeat(50_000), "}".repeat(50_000));
    let word = "x".repeat(5_000_000);
    let value = format!("summary = \"{}\"\nx = 1\n", "y".repeat(5_000_000));
    let lines = format!("{}\n", "z".repeat(3_000_000)).repeat(3);
    let texts = [deep, tables, inline, word, value, lines];
    assert_output!(texts.map(|text| both("declaration", text.as_bytes())).concat());
}

#[test]
fn misplaced_names_and_values_are_refused_with_the_known_names() {
    let texts = [
        "summary = 3\n",
        "summary = \"a\"\n[stage.x]\n",
        "summary = \"a\"\n[stages.sum]\nparam.x = 1\n",
        "summary = \"a\"\n[stages.sum]\ninputs.numbers = [\"a\", \"b\"]\n",
        "summary = \"a\"\n[stages.sum]\ninputs.numbers = \"nowhere\"\n",
        "summary = \"a\"\n[stages.sum]\ninputs.numbers = \"\"\n",
        "summary = \"a\"\n[stages.sum]\ninputs.numbers = \".\"\n",
        "summary = \"a\"\n[stages.sum]\ninputs.numbers = \"sum.total.x\"\n",
        "summary = \"a\"\n[stages.sum]\nuse = \"../sum\"\n",
        "summary = \"a\"\n[stages.sum]\nuse = \"/etc\"\n",
        "summary = \"a\"\n[stages.sum]\nuse = \"a\\u0000b\"\n",
    ];
    assert_output!(texts.map(|text| pipeline("declaration", text.as_bytes())).concat());
}

#[test]
fn a_source_does_not_leave_the_project() {
    let long = "x".repeat(10_000);
    let source = |path: &str| {
        let text = format!(
            "summary = \"a\"\n[sources.mine]\npath = \"{path}\"\n\
             [stages.make]\ninputs.numbers = \"mine\"\n"
        );
        pipeline("declaration", text.as_bytes())
    };
    let paths = ["../*.txt", "/etc/passwd", "data/../../x", "a\\u0000b", "data/***"];
    assert_output!(paths.map(source).concat());
    let project = Project::new();
    let text = format!(
        "summary = \"a\"\n[sources.mine]\npath = \"{long}\"\n[stages.make]\ninputs.numbers = \"mine\"\n"
    );
    project.write("pipelines/bad.toml", &text);
    let refused = project.refused("declaration", &["run", "-p", "bad"]);
    assert!(refused.contains("source `mine`: cannot read"), "{refused}");
}

#[test]
fn an_output_does_not_leave_its_folder() {
    let long = "x".repeat(10_000);
    let paths = ["../up.txt", "/up.txt", "a/b", ".", "..", "", "a\\u0000b", long.as_str()];
    let said = paths.map(|path| {
        let text = format!(
            "summary = \"a\"\nversion = 1\ncommand = [\"true\"]\n\
             [outputs.total]\nkind = \"file\"\npath = \"{path}\"\ndoc = \"a\"\n"
        );
        stage("declaration", text.as_bytes())
    });
    assert_output!(said.concat());
}

#[test]
fn the_command_line_does_not_leave_the_project() {
    let project = Project::new();
    let long = "x".repeat(10_000);
    // An empty dataset or profile is valid, but an empty pipeline is not.
    let mut said = refused(&project, "missing_argument", &["plan", "--pipeline", ""]);
    for name in ["../chain", "/chain", "a/b", "chain\u{1}", long.as_str()] {
        for option in ["--pipeline", "--dataset", "--profile"] {
            said += &refused(&project, "unknown_name", &["plan", option, name]);
        }
    }
    assert_output!(said);
}

#[test]
fn a_text_on_the_command_line_needs_no_quotes_even_if_it_looks_like_a_number() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project
        .read("stages/copy/stage.toml")
        .replace("\"{outputs.copy}\"", "\"{outputs.copy}\", \"{params.s}\"");
    project.write(
        "stages/copy/stage.toml",
        &(stage + "[params.s]\ntype = \"string\"\ndefault = \"x\"\ndoc = \"A text\"\n"),
    );
    project.write("stages/copy/copy.sh", "echo \"$2\" > \"$1\"\n");
    for text in ["4e5", "007", "true", "1.0", "2024-01-01", "x y"] {
        project.run(&[&MAIN[..], &["--set", &format!("copy.s={text}")]].concat());
        assert_eq!(project.latest("copy.copy"), format!("{text}\n"));
    }
}
