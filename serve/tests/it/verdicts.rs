//! Verdicts that pages write.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::project::Project;

const FILE: &str = "pipelines/curation/main.csv";

/// Project with a table of 1200 orders, to which verdicts refer.
fn project() -> Project {
    let project = Project::new();
    let stage = "summary = \"Counts rows\"\nversion = 1\ncommand = [\"sh\", \"-c\", 'echo counted > \"$1\"', \"count\", \"{outputs.count}\"]\n\
                 [inputs.rows]\nkind = \"table\"\ndoc = \"Orders\"\n\
                 [inputs.verdicts]\nkind = \"files\"\noptional = true\nverdicts = { input = \"rows\", key = \"order\" }\ndoc = \"Verdicts\"\n\
                 [outputs.count]\nkind = \"file\"\npath = \"count.txt\"\ndoc = \"A text\"\n";
    project.write("stages/count/stage.toml", stage);
    project.write(
        "pipelines/main.toml",
        &format!(
            "summary = \"Orders\"\n[sources.orders]\npath = \"data/raw/orders.csv\"\n[sources.verdicts]\npath = \"{FILE}\"\n\
             [stages.count]\ninputs.rows = \"orders\"\ninputs.verdicts = \"verdicts\"\n"
        ),
    );
    let orders: String = (1..=1200).map(|n| format!("{n},{n}.5\n")).collect();
    project.write("data/raw/orders.csv", &format!("order,price\n{orders}"));
    project.run();
    project
}

fn exclude(key: &str) -> Value {
    json!({ "key": key, "seen": null, "new": { "verdict": "exclude", "reason": "a test" } })
}

fn lines(project: &Project) -> usize {
    fs::read_to_string(project.path(FILE)).map_or(0, |text| text.lines().count().saturating_sub(1))
}

#[test]
fn a_verdict_is_written_with_author_and_time_and_undone_to_the_line_before() {
    let project = project();
    let browser = Browser::of(&project);
    let answer = browser.post("/verdicts", &json!({ "changes": [exclude("7")] }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let written: Value = serde_json::from_str(&answer.body).expect("JSON");
    let change = &written["written"][0];
    assert!(change["new"]["author"].as_str().is_some_and(|author| !author.is_empty()), "{change}");
    assert!(change["new"]["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{change}");
    let listed: Value = serde_json::from_str(&browser.answer("/verdicts").body).expect("JSON");
    assert_eq!((&listed["lines"], &listed["reasons"]), (&json!([change["new"]]), &json!(["a test"])));
    let again = browser.post("/verdicts", &json!({ "changes": [exclude("7")] }));
    assert_eq!(again.status, 409, "{}", again.body);
    assert!(again.body.contains("conflicts"), "{}", again.body);
    let undone = json!({ "changes": [{ "key": "7", "seen": change["new"], "new": null }] });
    assert_eq!(browser.post("/verdicts", &undone).status, 200);
    assert_eq!(lines(&project), 0);
    let repeated = json!({ "changes": [{ "key": "7", "seen": null, "new": change["new"] }] });
    let answer = browser.post("/verdicts", &repeated);
    let repeated: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(repeated["written"][0]["new"], change["new"], "author and time of the first verdict");
}

#[test]
fn a_thousand_verdicts_are_written_together_or_not_at_all() {
    let project = project();
    let browser = Browser::of(&project);
    let mut changes: Vec<Value> = (1..=1000).map(|n| exclude(&n.to_string())).collect();
    changes.push(exclude("nothing"));
    let answer = browser.post("/verdicts", &json!({ "changes": changes }));
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("has no row with the order"), "{}", answer.body);
    assert_eq!(lines(&project), 0);
    changes.pop();
    assert_eq!(browser.post("/verdicts", &json!({ "changes": changes })).status, 200);
    assert_eq!(lines(&project), 1000);
}

#[test]
fn malformed_changes_are_refused_and_nothing_is_written() {
    let project = project();
    let browser = Browser::of(&project);
    let change = |verdict: &str, reason: &str| json!({ "changes": [{ "key": "7", "seen": null, "new": { "verdict": verdict, "reason": reason } }] });
    for (body, help) in [
        (change("exclud", "a test"), "the request is malformed"),
        (change("exclude", " "), "is empty or longer than one line"),
        (change("exclude", "one\ntwo"), "is empty or longer than one line"),
        (json!({ "changes": [exclude("7"), exclude("7")] }), "is changed twice"),
        (json!([]), "the request is malformed"),
        (change("exclude", &"a".repeat(501)), "write a reason with at most 500 characters"),
    ] {
        let answer = browser.post("/verdicts", &body);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (422, Some("application/json")),
            "{}",
            answer.body
        );
        assert!(answer.body.contains(help), "{help}: {}", answer.body);
    }
    assert!(!project.path(FILE).exists());
}

#[test]
fn the_next_run_is_foretold_after_a_verdict_and_rows_are_selected_by_verdict() {
    let project = project();
    let browser = Browser::of(&project);
    let page = browser.page("/data/read_table@orders/table");
    assert!(page.contains("&quot;key&quot;:&quot;order&quot;,&quot;writes&quot;:true"), "{page}");
    let next = |browser: &Browser| -> Value {
        serde_json::from_str(&browser.answer("/next-run").body).expect("JSON")
    };
    assert_eq!(next(&browser)["sentence"], "Every stage is up to date: 2 stages.");
    assert_eq!(browser.post("/verdicts", &json!({ "changes": [exclude("7"), exclude("9")] })).status, 200);
    let sentence = next(&browser)["sentence"].as_str().expect("a text").to_owned();
    assert!(sentence.starts_with("1 of 2 stages would run"), "{sentence}");
    let version = page
        .split("&quot;version&quot;:&quot;")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .expect("a version");
    let rows = |query: &str| -> Value {
        let answer =
            browser.answer(&format!("/data/read_table@orders/table/rows?v={version}&verdicts=true&{query}"));
        serde_json::from_str(&answer.body).expect("JSON")
    };
    assert_eq!(rows("where=verdict:exclude")["total"], 2);
    assert_eq!(rows("where=verdict:none&at=5")["rows"][0]["cells"], json!(["6", ["6.50", "6.5"], "none"]));
    project.callsheet(&["curate", "include", "7", "--reason", "fine", "--author", "Bo"]);
    assert_eq!(rows("where=verdict:exclude")["total"], 1, "a change by another program is known at once");
    // A page that shows the rows without a verdict goes on through them while they get verdicts.
    let first = rows("where=verdict:none&at=64");
    let before = first["verdicts"].as_str().expect("a version").to_owned();
    assert_eq!(browser.post("/verdicts", &json!({ "changes": [exclude("1"), exclude("2")] })).status, 200);
    assert_eq!(rows(&format!("where=verdict:none&at=64&selected_with={before}"))["rows"], first["rows"]);
    assert_ne!(rows("where=verdict:none&at=64")["rows"], first["rows"]);
    let changed: Value = serde_json::from_str(&browser.answer("/verdicts/since-commit").body).expect("JSON");
    assert_eq!(
        (&changed["committed"], changed["changes"].as_array().map(Vec::len)),
        (&json!(false), Some(4))
    );
}

#[test]
fn a_pipeline_without_verdicts_says_how_to_declare_them() {
    let project = Project::new();
    let browser = Browser::of(&project);
    for path in ["/verdicts", "/verdicts/since-commit"] {
        let answer = browser.answer(path);
        assert!(answer.body.contains("no stage of pipeline `main` reads verdicts"), "{}", answer.body);
    }
}
