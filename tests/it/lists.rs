//! Parameters of type list, through the real binary.

use serde_json::json;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

/// A project whose stage prints its arguments, with a parameter `scales` declared by `declared`.
fn project(declared: &str) -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project
        .read("stages/copy/stage.toml")
        .replace("\"{inputs.texts}\"]", "\"{params.scales}\"]")
        .replace("[outputs.copy]", &format!("[params.scales]\n{declared}\ndoc = \"Scales\"\n[outputs.copy]"));
    project.write("stages/copy/stage.toml", &stage);
    project.write("stages/copy/copy.sh", "out=$1; shift; echo \"$#\" \"$@\" > \"$out\"\n");
    project
}

const INTEGERS: &str = "type = \"list\"\nelements = \"int\"\nmin = 1\nmax = 64\nmin_length = 1\nmax_length = 4\ndefault = [1, 2]";
const TEXTS: &str = "type = \"list\"\nelements = \"string\"\ndefault = []";

fn with<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command], &MAIN[..], more].concat()
}

/// Number and texts of the arguments of the worker.
fn arguments(project: &Project, set: &[&str]) -> String {
    project.run(&[&MAIN[..], set].concat());
    project.latest("copy.copy").trim_end().to_owned()
}

#[test]
fn a_list_becomes_one_argument_for_each_element() {
    let project = project(INTEGERS);
    assert_eq!(arguments(&project, &[]), "2 1 2");
    for text in ["copy.scales=[4, 8, 16]", "copy.scales=4,8, 16"] {
        assert_eq!(arguments(&project, &["--set", text]), "3 4 8 16");
    }
    assert_eq!(arguments(&project, &["--set", "copy.scales=7"]), "1 7");
}

#[test]
fn an_empty_list_becomes_no_argument() {
    let project = project(TEXTS);
    assert_eq!(arguments(&project, &[]), "0");
    assert_eq!(arguments(&project, &["--set", "copy.scales=a b, 4e5,007"]), "3 a b 4e5 007");
    assert_eq!(arguments(&project, &["--set", "copy.scales=[4e5, 1, true]"]), "3 4e5 1 true");
    assert_eq!(arguments(&project, &["--set", "copy.scales='a, b'"]), "1 a, b");
    assert_eq!(arguments(&project, &["--set", "copy.scales="]), "0");
}

#[test]
fn a_list_is_set_by_a_pipeline_and_a_profile_with_values_of_variables_and_foreach() {
    let project = project(INTEGERS);
    let pipeline = project.read("pipelines/main.toml") + "params.scales = [3, \"{top}\"]\n";
    project.write("pipelines/main.toml", &pipeline.replace("[sources", "[vars]\ntop = 9\n[sources"));
    assert_eq!(arguments(&project, &[]), "2 3 9");
    project.write("pipelines/profiles/tiny.toml", "summary = \"a\"\n[stages.copy]\nparams.scales = [5]\n");
    project.run(&["-p", "main", "-d", "", "-P", "tiny"]);
    assert_eq!(project.latest("copy.copy"), "1 5\n");
    let fanned = project.read("pipelines/main.toml").replace("{top}", "{n}") + "foreach.n = [6, 7]\n";
    project.write("pipelines/main.toml", &fanned);
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/copy@7/copy.txt"), "2 3 7\n");
}

#[test]
fn the_worker_gets_a_list_as_json_and_equal_lists_have_one_key() {
    let floats = "type = \"list\"\nelements = \"float\"\ndefault = [1, 2.5]";
    let project = project(floats);
    let stage = project.read("stages/copy/stage.toml");
    project.write("stages/copy/stage.toml", &stage.replace("\"{params.scales}\"", "\"{request}\""));
    project.write("stages/copy/copy.sh", "cp \"$2\" \"$1\"\n");
    let request = arguments(&project, &[]);
    let request: serde_json::Value = serde_json::from_str(&request).expect("JSON");
    assert_eq!(request["params"]["scales"], json!([1.0, 2.5]));
    for equal in ["copy.scales=[1.0, 2.5]", "copy.scales=1,2.5"] {
        assert_eq!(project.run(&[&MAIN[..], &["--set", equal]].concat()).ran(), [""; 0], "{equal}");
    }
    let other = ["--set", "copy.scales=[2.5, 1]"];
    assert_eq!(project.run(&[&MAIN[..], &other].concat()).ran(), ["copy"], "the order of a list matters");
}

#[test]
fn every_command_shows_lists_and_their_changes() {
    let project = project(INTEGERS);
    project.run(&MAIN);
    project.run(&[&MAIN[..], &["--set", "copy.scales=4,8"]].concat());
    let changed = ["--set", "copy.scales=16"];
    let shown = [
        project.stdout(&with("config", &["copy"])),
        project.stdout(&with("plan", &changed)),
        project.stdout(&with("explain", &["copy", "--set", "copy.scales=16"])),
        project.stdout(&["compare", "latest~1", "latest"]),
        project.stdout(&["stages", "copy"]),
    ];
    for (text, wanted) in shown.iter().zip([
        "[1,2]",
        "scales: [1,2] → [16]",
        "[16]",
        "scales: [1,2] → [4,8]",
        "- `scales = [1, 2]`: Scales (a list of 1 to 4 integers from 1 to 64)",
    ]) {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
}

#[test]
fn an_invalid_list_is_refused_with_the_position_of_its_element() {
    let project = project(INTEGERS);
    let cases = ["[1, \"a\"]", "[1, [2]]", "[]", "[1, 2.5]", "1,x", "[1, 2, 99]", "1,2,3,4,5", "{a = 1}"];
    let set = cases.map(|value| {
        project.refused("invalid_value", &with("plan", &["--set", &format!("copy.scales={value}")]))
    });
    assert_output!(set.join("\n"));
    let text = project.read("pipelines/main.toml");
    let cases = ["3", "\"1, 2\"", "[1, true]"];
    let declared = cases.map(|value| {
        project.write("pipelines/main.toml", &format!("{text}params.scales = {value}\n"));
        project.refused("declaration", &with("plan", &[]))
    });
    assert_output!(declared.join("\n"));
}

#[test]
fn a_number_that_is_not_finite_is_refused_with_this_reason_alone_and_in_a_list() {
    let list = project("type = \"list\"\nelements = \"float\"\ndefault = [1, 2.5]");
    for (value, position) in
        [("[1,nan]", "2 (`nan`)"), ("[1e400, 2]", "1 (`\"1e400\"`)"), ("1,-inf", "2 (`-inf`)")]
    {
        let set = ["--set", &format!("copy.scales={value}")];
        let error = list.refused("invalid_value", &with("plan", &set));
        assert!(error.contains(&format!("element {position} is not a finite number")), "{error}");
    }
    let single = project("type = \"float\"\ndefault = 1.5");
    for (value, shown) in [("nan", "`nan`"), ("1e400", "`\"1e400\"`")] {
        let error =
            single.refused("invalid_value", &with("plan", &["--set", &format!("copy.scales={value}")]));
        assert!(error.contains(&format!("{shown} is not a finite number")), "{error}");
    }
}

#[test]
fn a_contradictory_declaration_of_a_list_is_refused() {
    let cases = [
        "type = \"list\"\ndefault = []",
        "type = \"list\"\nelements = \"list\"\ndefault = []",
        "type = \"int\"\nelements = \"int\"\ndefault = 1",
        "type = \"int\"\nmax_length = 3\ndefault = 1",
        "type = \"list\"\nelements = \"int\"\nmin_length = 1\ndefault = []",
        "type = \"list\"\nelements = \"int\"\nmin_length = 3\nmax_length = 2\ndefault = []",
        "type = \"list\"\nelements = \"int\"\nmin = 3\nmax = 2\ndefault = []",
        "type = \"list\"\nelements = \"string\"\nchoices = [\"a\", \"b\"]\ndefault = [\"a\", \"c\"]",
    ];
    let said = cases.map(|declared| project(declared).refused("declaration", &with("plan", &[])));
    assert_output!(said.join("\n"));
}

#[test]
fn a_list_within_an_argument_is_refused() {
    let project = project(INTEGERS);
    let stage = project.read("stages/copy/stage.toml");
    project.write("stages/copy/stage.toml", &stage.replace("{params.scales}", "--scales={params.scales}"));
    assert_output!(project.refused("declaration", &with("plan", &[])));
}
