//! Files that nobody should have written: refused in words that fit a screen, whatever they hold.
//! Through the real binary.

use std::fs;

use crate::support::Project;

/// What `plan` says of the toy project with this as a pipeline.
fn pipeline(bytes: &[u8]) -> String {
    let project = Project::new();
    fs::write(project.path("pipelines/bad.toml"), bytes).expect("written");
    refused(&project, &["plan", "-p", "bad"])
}

/// What `plan` says of the toy project with this as a stage's declaration.
fn stage(bytes: &[u8]) -> String {
    let project = Project::new();
    fs::write(project.path("stages/sum/stage.toml"), bytes).expect("written");
    refused(&project, &["plan"])
}

fn refused(project: &Project, arguments: &[&str]) -> String {
    let said = project.refused(arguments);
    assert!(said.len() < 4_000, "{} characters are more than anyone reads:\n{}", said.len(), &said[..2_000]);
    assert!(!project.exists("data/store/actions"), "nothing was begun");
    said
}

fn both(bytes: &[u8], wanted: &str) {
    for (said, file) in [(pipeline(bytes), "pipelines/bad.toml"), (stage(bytes), "stages/sum/stage.toml")] {
        assert!(said.contains(wanted) && said.contains(file), "`{wanted}` or `{file}` is not in\n{said}");
    }
}

#[test]
fn what_is_no_toml_is_shown_with_its_line() {
    both(b"summary = \"a\"\nversion = = 1\n", ":2: ");
    both(b"summary = \"a\n", ":1: ");
    both(b"[a]\n[a]\n", "duplicate key");
    both(b"", "missing field");
    both(b"\xff\xfe\x00", "valid UTF-8");
    both(b"summary = \"a\0b\"\n", ":1: ");
    both(&[0; 1000], ":1: ");
}

#[test]
fn depth_and_size_are_refused_and_not_suffered() {
    let deep = format!("summary = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    both(deep.as_bytes(), "max recursion depth");
    let tables = format!("[{}]\n", vec!["a"; 50_000].join("."));
    both(tables.as_bytes(), "recursion limit");
    let inline = format!("x = {}1{}\n", "{a=".repeat(50_000), "}".repeat(50_000));
    both(inline.as_bytes(), "max recursion depth");
    both("x".repeat(5_000_000).as_bytes(), ":1: ");
    both(format!("summary = \"{}\"\nx = 1\n", "y".repeat(5_000_000)).as_bytes(), "unknown field `x`");
    both(format!("{}\n", "z".repeat(3_000_000)).repeat(3).as_bytes(), ":1: ");
}

#[test]
fn the_right_names_in_the_wrong_place_are_refused_with_those_that_are_known() {
    let cases = [
        ("summary = 3\n", "invalid type: integer `3`, expected a string"),
        (
            "summary = \"a\"\n[stage.x]\n",
            "unknown field `stage`, expected one of `summary`, `import`, `metadata`, `sources`, `stages`, `faster`",
        ),
        ("summary = \"a\"\n[stages.sum]\nparam.x = 1\n", "unknown field `param`"),
        ("summary = \"a\"\n[stages.sum]\ninputs.numbers = [\"a\", \"b\"]\n", "expected a string"),
        ("summary = \"a\"\n[stages.sum]\ninputs.numbers = \"nowhere\"\n", "no source `nowhere`"),
        ("summary = \"a\"\n[stages.sum]\ninputs.numbers = \"\"\n", "no source ``"),
        ("summary = \"a\"\n[stages.sum]\ninputs.numbers = \".\"\n", "the pipeline has no stage ``"),
        (
            "summary = \"a\"\n[stages.sum]\ninputs.numbers = \"sum.total.x\"\n",
            "the pipeline has no stage `sum.total`",
        ),
        ("summary = \"a\"\n[stages.sum]\nuse = \"../sum\"\n", "stage `../sum` not found in stages"),
        ("summary = \"a\"\n[stages.sum]\nuse = \"/etc\"\n", "stage `/etc` not found in stages"),
        ("summary = \"a\"\n[stages.sum]\nuse = \"a\\u0000b\"\n", "not found in stages"),
    ];
    for (text, wanted) in cases {
        let said = pipeline(text.as_bytes());
        assert!(said.contains(wanted), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn a_source_does_not_leave_the_project() {
    let long = "x".repeat(10_000);
    for (path, wanted) in [
        ("../*.txt", "leaves the project"),
        ("/etc/passwd", "leaves the project"),
        ("data/../../x", "leaves the project"),
        ("a\\u0000b", "leaves the project"),
        ("data/***", "is no pattern"),
        (long.as_str(), "cannot read"),
    ] {
        let text = format!(
            "summary = \"a\"\n[sources.mine]\npath = \"{path}\"\n\
             [stages.make]\ninputs.numbers = \"mine\"\n"
        );
        let said = pipeline(text.as_bytes());
        assert!(said.contains(wanted), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn an_output_does_not_leave_its_folder() {
    let long = "x".repeat(10_000);
    for path in ["../up.txt", "/up.txt", "a/b", ".", "..", "", "a\\u0000b", long.as_str()] {
        let text = format!(
            "summary = \"a\"\nversion = 1\ncommand = [\"true\"]\n\
             [outputs.total]\nkind = \"file\"\npath = \"{path}\"\ndoc = \"a\"\n"
        );
        let said = stage(text.as_bytes());
        assert!(said.contains("output `total` cannot be written to"), "{said}");
    }
}

#[test]
fn the_command_line_does_not_leave_the_project() {
    let project = Project::new();
    let long = "x".repeat(10_000);
    for name in ["../chain", "/chain", "a/b", "", "chain\u{1}", long.as_str()] {
        for option in ["--pipeline", "--dataset", "--profile"] {
            if name.is_empty() && option != "--pipeline" {
                continue; // no dataset, no profile: a layer less
            }
            let said = refused(&project, &["plan", option, name]);
            assert!(
                said.contains("known: ")
                    || said.contains("not found in")
                    || said.contains("no pipeline is named"),
                "{said}"
            );
        }
    }
}
