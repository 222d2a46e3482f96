//! Tests of the JSON Schemas for editors: they accept what the program accepts, and reject what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use serde_json::Value;

fn schema(name: &str) -> Validator {
    let output = Command::new(env!("CARGO_BIN_EXE_callsheet")).args(["schema", name]).output();
    let schema: Value = serde_json::from_slice(&output.expect("callsheet starts").stdout).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn parse(text: &str) -> Value {
    let value: toml::Value = toml::from_str(text).expect("TOML");
    serde_json::to_value(value).expect("JSON")
}

/// Files below `folder` for which `wanted` returns true.
fn files(folder: &Path, wanted: fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| self::files(folder, wanted));
    files.iter().filter(|path| wanted(path)).cloned().chain(below).collect()
}

#[test]
fn every_declaration_of_this_repository_fits_its_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let toml = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
    let mut count = 0;
    for project in [root.to_owned(), root.join("tests/toy")] {
        let stages = files(&project.join("stages"), |path| path.ends_with("stage.toml"));
        // Stages read what these folders hold.
        let of_stages = ["claims", "losses", "objectives"].map(|name| project.join("pipelines").join(name));
        let pipelines = files(&project.join("pipelines"), toml).into_iter();
        let pipelines = pipelines.filter(|path| !of_stages.iter().any(|folder| path.starts_with(folder)));
        let pipelines = pipelines.collect();
        for (name, files) in
            [("stage", stages), ("pipeline", pipelines), ("project", vec![project.join("callsheet.toml")])]
        {
            let schema = schema(name);
            for file in files {
                let value = parse(&fs::read_to_string(&file).expect("readable"));
                let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
                assert!(errors.is_empty(), "{}: {errors:?}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 30, "only {count} files were checked");
}

/// A stage with one parameter.
fn param(declared: &str) -> String {
    format!(
        "summary = \"a\"\nversion = 1\ncommand = [\"a\"]\n[outputs]\n[params.x]\n{declared}\ndoc = \"x\"\n"
    )
}

#[test]
fn lists_fit_the_schema() {
    let list = param("type = \"list\"\nelements = \"int\"\nmin_length = 1\nmin = 0\ndefault = [1, 2]");
    assert!(schema("stage").is_valid(&parse(&list)));
    let used = "summary = \"a\"\n[stages.a]\nparams.x = [1, 2]\n";
    assert!(schema("pipeline").is_valid(&parse(used)));
}

#[test]
fn mistakes_violate_the_schema() {
    let cases = [
        ("pipeline", "summary = \"a\"\nstage = 1\n"),
        ("pipeline", "summary = \"a\"\n[stages.a]\nuses = \"b\"\n"),
        ("pipeline", "summary = \"a\"\n[stages.a]\nforeach = []\n"),
        ("pipeline", "summary = \"a\"\n[stages.a]\nforeach.x = 3\n"),
        ("pipeline", "summary = \"a\"\n[stages.a]\nparams.x = [[1]]\n"),
        ("pipeline", "summary = \"a\"\n[sources.\"../up\"]\npath = \"x\"\n"),
        ("stage", "summary = \"a\"\nversion = 1\ncommand = []\n[outputs]\n"),
        ("stage", "summary = \"a\"\nversion = 1\ncommand = [\"a\"]\n"),
        (
            "stage",
            "summary = \"a\"\nversion = 1\ncommand = [\"a\"]\n[outputs.x]\nkind = \"tabel\"\npath = \"x\"\ndoc = \"x\"\n",
        ),
        ("stage", "summary = \"a\"\nversion = 1\ncommand = [\"a\"]\n[outputs]\n[resources]\ncpus = 0\n"),
        ("project", "default.pipeline = \"x\"\n"),
        ("stage", &param("type = \"list\"\ndefault = [1]")),
        ("stage", &param("type = \"list\"\nelements = \"int\"\ndefault = 1")),
        ("stage", &param("type = \"list\"\nelements = \"list\"\ndefault = []")),
        ("stage", &param("type = \"int\"\nelements = \"int\"\ndefault = 1")),
        ("stage", &param("type = \"int\"\ndefault = [1]")),
    ];
    for (name, text) in cases {
        assert!(!schema(name).is_valid(&parse(text)), "{text}");
    }
}

#[test]
fn every_property_of_a_schema_has_a_description() {
    fn undescribed(value: &Value, at: &str, found: &mut Vec<String>) {
        for (name, property) in value["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none() {
                found.push(format!("{at}.{name}"));
            }
        }
        for (name, definition) in value["$defs"].as_object().into_iter().flatten() {
            undescribed(definition, name, found);
        }
    }
    for name in ["stage", "pipeline", "project"] {
        let output = Command::new(env!("CARGO_BIN_EXE_callsheet")).args(["schema", name]).output();
        let schema: Value = serde_json::from_slice(&output.expect("starts").stdout).expect("JSON");
        let mut found = Vec::new();
        undescribed(&schema, name, &mut found);
        assert_eq!(found, [""; 0]);
    }
}
