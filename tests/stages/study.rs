//! User studies through the real binaries: the page and its key, with models that have hardly been trained,
//! and the tally of answers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use crate::flagship::{callsheet, commands, engine, failures, latest, project_of, ran, stderr, warnings};
use crate::pinned::check_outputs;
use crate::shared::share_results;
use crate::snapshot::assert_output;
use serde_json::{Value, json};
use tempfile::TempDir;

const PIPELINE: &str = include_str!("../web/study.toml");

fn study(folder: &Path, words: &[&str]) -> Output {
    let settings = folder.join("callsheet.toml");
    if !settings.exists() {
        std::fs::write(settings, commands()).expect("written");
    }
    let mut command = Command::new(engine());
    command.arg("study").args(words).current_dir(folder).output().expect("callsheet starts")
}

fn tally(folder: &Path, words: &[&str]) -> Value {
    let output = study(folder, &[&["tally"], words, &["--json"]].concat());
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Error for files that cannot be tallied.
fn refused(folder: &Path, files: &[&str]) -> String {
    let output = study(folder, &[&["tally"], files].concat());
    assert_eq!(output.status.code(), Some(2), "{files:?}");
    stderr(&output)
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), value.to_string()).expect("written");
}

fn read(project: &TempDir, name: &str) -> String {
    fs::read_to_string(latest(project, &format!("user_study/{name}"))).expect(name)
}

/// Content of the page.
fn shown(page: &str) -> Value {
    let (_, rest) = page.split_once("<script id=\"study\" type=\"application/json\">").expect("a study");
    serde_json::from_str(rest.split_once("</script>").expect("an end").0).expect("JSON")
}

#[test]
fn a_study_writes_a_page_and_its_key_or_names_the_reason() {
    let project = project_of("study", PIPELINE);
    share_results(&project);
    ran(&project, &["user_study"]);
    check_outputs(project.path(), "study/any");
    let (page, text) = (read(&project, "page/study.html"), read(&project, "key.json"));
    let (seen, key) = (shown(&page), serde_json::from_str::<Value>(&text).expect("JSON"));
    assert_eq!(seen["study"], key["study"]);
    let methods = key["methods"].as_object().expect("letters");
    let name = |letter: &Value| methods[letter.as_str().expect("a letter")].as_str().expect("a name");
    let names: BTreeSet<&str> = methods.values().filter_map(Value::as_str).collect();
    let wanted =
        ["a real image", "bicyclegan_v0", "bicyclegan_v3", "bicyclegan_v3-1", "its pixels in random order"];
    assert_eq!(names, wanted.into(), "the model of `ours` is not asked about twice");
    assert_eq!(name(&key["ours"]), "bicyclegan_v3");
    for name in &names {
        assert!(!page.contains(*name), "the page contains {name}");
    }
    let questions = key["questions"].as_array().expect("questions");
    assert_eq!(questions.len(), 2 * 5 + 2);
    let mut ours_left = 0;
    for (question, shown) in questions.iter().zip(seen["questions"].as_array().expect("questions")) {
        assert_eq!(question["id"], shown["id"]);
        for side in ["left", "right"] {
            assert_eq!(question[side], shown[side]["method"]);
        }
        assert_ne!(question["content"], question["style"]);
        let (ours, check) = (question["ours"].as_str(), question["check"].as_str());
        match (ours, check) {
            (Some(side), None) => assert_eq!(name(&question[side]), "bicyclegan_v3"),
            (None, Some(side)) => assert_eq!(name(&question[side]), "a real image"),
            _ => panic!("{question}"),
        }
        ours_left += usize::from(ours == Some("left"));
        let pictures =
            [&shown["content"], &shown["style"], &shown["left"]["image"], &shown["right"]["image"]];
        for picture in pictures {
            let uri =
                seen["images"][picture.as_u64().expect("a number") as usize].as_str().unwrap_or_default();
            assert!(uri.starts_with("data:image/png;base64,"), "{uri:.40}");
        }
    }
    assert_eq!(ours_left, 5, "5 questions on each method: 3 and 2");

    assert!(ran(&project, &["user_study"]).is_empty());
    ran(&project, &["--set", "user_study.seed=1", "user_study"]);
    assert_ne!(read(&project, "key.json"), text);

    let set = |value| callsheet(&project, &["run", "--set", value, "user_study"]);
    assert_output!(warnings(&set("user_study.questions=900")));
    assert_output!(failures(&set("user_study.crop=0")));
    for (from, to) in [
        ("others = \"train.model\"", "others = \"train@bicyclegan_v3-0.model\""),
        ("ours = \"train@bicyclegan_v3-0.model\"", "ours = \"train.model\""),
    ] {
        fs::write(project.path().join("pipelines/study.toml"), PIPELINE.replace(from, to)).expect("written");
        assert_output!(failures(&callsheet(&project, &["run", "user_study"])));
    }
}

/// Key of a study with three questions about two methods, and a check.
fn key() -> Value {
    let question = |id: &str, left: &str, right: &str, purpose: &str, side: &str| {
        json!({
            "id": id, "content": "1.jpg", "style": "2.jpg", "left": left, "right": right, purpose: side,
        })
    };
    json!({
        "format": "callsheet study key 1", "study": "00c0ffee00c0ffee", "title": "Which?", "note": "toy data",
        "ours": "B", "methods": { "A": "one", "B": "mine", "C": "two", "D": "a real image", "E": "noise" },
        "questions": [
            question("q001", "B", "A", "ours", "left"),
            question("q002", "A", "B", "ours", "right"),
            question("q003", "D", "E", "check", "left"),
            question("q004", "C", "B", "ours", "right"),
        ],
    })
}

/// Answers to the first questions of [`key`], as a file: `left`, `right`, or `both` and the style.
fn answers(participant: &str, given: &[&str]) -> Value {
    let key = key();
    let answer = |(question, given): (&Value, &&str)| {
        let mut words = given.split(' ');
        let mut answer = json!({
            "question": question["id"], "left": question["left"], "right": question["right"], "realistic": words.next(),
        });
        if let Some(style) = words.next() {
            answer["style"] = style.into();
        }
        answer
    };
    let all = key["questions"].as_array().expect("questions").iter().zip(given).map(answer);
    json!({
        "format": "callsheet study answers 1", "study": key["study"], "participant": participant,
        "complete": given.len() == 4, "answers": all.collect::<Vec<_>>(),
    })
}

const FIRST: &str = "000000000000000a";

#[test]
fn answers_are_counted_by_method_without_inattentive_participants() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, "key.json", &key());
    write(folder, "a.json", &answers(FIRST, &["left", "left", "left", "both left"]));
    write(folder, "b.json", &answers("000000000000000b", &["both left", "right", "left"]));
    write(folder, "c.json", &answers("000000000000000c", &["right", "right", "both left", "right"]));
    // The folder also contains the key.
    let all = tally(folder, &["key.json", "."]);
    assert_eq!(all["participants"], 2);
    assert_eq!(all["incomplete"], 1);
    assert_eq!(all["inattentive"], json!(["./c.json"]));
    let [one, two] = [0, 1].map(|at| &all["methods"][at]);
    assert_eq!(
        (&one["method"], &two["method"], &all["ours"]),
        (&json!("one"), &json!("two"), &json!("mine"))
    );
    // Ours is more realistic in two answers, both are in one, and the other is in one.
    assert_eq!((&one["realism"]["share"], &one["realism"]["answers"]), (&json!(0.625), &json!(4)));
    assert_eq!((&one["both_realistic"], &one["style"]["share"]), (&json!(1), &json!(1.0)));
    assert_eq!(one["preferred"]["share"], 0.75);
    // No two participants agree on either question: 0; the agreement by chance is (4 + 1 + 1) / 16.
    assert_eq!(one["kappa"], -0.375 / 0.625);
    assert_eq!((&two["realism"]["share"], &two["preferred"]["share"]), (&json!(0.5), &json!(0.0)));
    assert_eq!((&two["kappa"], &two["style"]["share"]), (&Value::Null, &json!(0.0)));

    let kept = tally(folder, &["key.json", "a.json", "b.json", "c.json", "--keep-inattentive"]);
    assert_eq!((&kept["participants"], &kept["keeps_inattentive"]), (&json!(3), &json!(true)));
    assert_eq!(kept["methods"][0]["realism"]["answers"], 6);

    let said = study(folder, &["tally", "key.json", "."]);
    assert_output!(String::from_utf8_lossy(&said.stdout));
    let nobody = tally(folder, &["key.json", "c.json"]);
    assert_eq!(
        (&nobody["participants"], &nobody["methods"][0]["realism"]["share"]),
        (&json!(0), &Value::Null)
    );
}

#[test]
fn files_that_hold_no_answers_to_the_study_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, "key.json", &key());
    let whole = answers(FIRST, &["left", "both right", "left"]);
    write(folder, "whole.json", &whole);
    let with = |pointer: &str, value: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).expect(pointer) = value;
        changed.to_string()
    };
    let twice = with("/answers/1", whole["answers"][0].clone());
    let text = whole.to_string();
    let told = [
        with("/study", json!("1111")),
        with("/format", json!("csv")),
        with("/participant", json!("Mary")),
        with("/answers/0/question", json!("q0001")),
        with("/answers/0/left", json!("A")),
        with("/answers/0/realistic", json!("both")),
        with("/answers/0/realistic", json!("up\u{1b}[2J")),
        with("/answers/1/realistic", json!("left")),
        with("/answers/2/realistic", json!(3)),
        twice,
        text[..text.len() / 2].to_owned(),
        "[".repeat(1_000_000),
        String::new(),
        text,
    ]
    .map(|text| {
        fs::write(folder.join("x.json"), text).expect("written");
        refused(folder, &["key.json", "whole.json", "x.json"])
    });
    let told = told.join("\n");
    assert!(!told.contains('\u{1b}'), "{told}");
    assert_output!(told);
    File::create(folder.join("large.json")).and_then(|file| file.set_len(17 << 20)).expect("written");
    fs::create_dir_all(folder.join("nested/inner.json")).expect("created");
    fs::create_dir(folder.join("empty")).expect("created");
    let broken = |pointer: &str, value: Value| {
        let mut broken = key();
        *broken.pointer_mut(pointer).expect(pointer) = value;
        broken
    };
    write(folder, "unlettered.json", &broken("/questions/0/left", json!("Z")));
    write(folder, "doubled.json", &broken("/questions/1/id", json!("q001")));
    let told = [
        ["key.json", "large.json"],
        ["key.json", "nested"],
        ["key.json", "empty"],
        ["key.json", "none.json"],
        ["whole.json", "whole.json"],
        ["unlettered.json", "whole.json"],
        ["doubled.json", "whole.json"],
    ]
    .map(|files| refused(folder, &files));
    assert_output!(told.join("\n"));
}
