//! Names of stage instances, for values of `foreach` with any characters.

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

/// A project whose stage `copy` is fanned out as `foreach` declares, and writes its values.
fn fanned(foreach: &str, params: &str) -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &format!("{pipeline}{foreach}\n{params}\n"));
    let stage = project.read("stages/copy/stage.toml").replace("{inputs.texts}", "{params.text}").replace(
        "[outputs.copy]",
        "[params.text]\ntype = \"string\"\ndefault = \"\"\ndoc = \"Text\"\n[outputs.copy]",
    );
    project.write("stages/copy/stage.toml", &stage);
    project.write("stages/copy/copy.sh", "printf =%s \"$2\" > \"$1\"\n");
    project
}

fn ran(project: &Project, more: &[&str]) -> Vec<String> {
    let mut ran: Vec<String> =
        project.run(&[&MAIN[..], more].concat()).ran().into_iter().map(str::to_owned).collect();
    ran.sort();
    ran
}

#[test]
fn values_with_any_characters_have_folders_of_their_own() {
    let long = "long ".repeat(60);
    let texts =
        ["a/b", "../up", "two words", "v1.5", "日本 é", "", "100%", "a@b=c", "*?[", "line\nbreak", &long];
    let project = fanned(&format!("foreach.text = {texts:?}"), "params.text = \"{text}\"");
    let names = ran(&project, &[]);
    assert_eq!(names.len(), texts.len());
    let mut found = Vec::new();
    for name in &names {
        assert!(!name.contains('/') && name.len() <= 200, "{name}");
        found.push(project.read(&format!("data/out/main/{name}/copy.txt")));
    }
    let mut wanted = texts.map(|text| format!("={text}"));
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(ran(&project, &[]), [""; 0]);
}

#[test]
fn combinations_that_join_to_one_text_are_different_instances() {
    let foreach = "foreach = [{ a = \"x-y\", b = \"z\" }, { a = \"x\", b = \"y-z\" }]";
    let project = fanned(foreach, "params.text = \"{a}|{b}\"");
    assert_eq!(ran(&project, &[]), ["copy@x%2Dy-z", "copy@x-y-z"]);
    assert_eq!(project.read("data/out/main/copy@x%2Dy-z/copy.txt"), "=x-y|z");
    assert_eq!(project.read("data/out/main/copy@x-y-z/copy.txt"), "=x|y-z");
}

#[test]
fn plain_values_keep_their_names() {
    let foreach = "foreach.a = [\"step_v1\", \"b.2\"]\nforeach.b = [-1, 0.5, true, \"c-d\"]";
    let project = fanned(foreach, "");
    let names: Vec<String> = project.json(&[&["plan", "--json"], &MAIN[..]].concat())["stages"]
        .as_array()
        .expect("stages")
        .iter()
        .map(|stage| stage["stage"].as_str().expect("a name").to_owned())
        .collect();
    let wanted = [
        "copy@step_v1--1",
        "copy@step_v1-0.5",
        "copy@step_v1-true",
        "copy@step_v1-c-d",
        "copy@b.2--1",
        "copy@b.2-0.5",
        "copy@b.2-true",
        "copy@b.2-c-d",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn encoded_names_are_accepted_and_similar_ones_are_suggested() {
    let project = fanned("foreach.text = [\"a/b\", \"c d\"]", "params.text = \"{text}\"");
    assert_eq!(ran(&project, &["copy@a%2Fb"]), ["copy@a%2Fb"]);
    assert_eq!(ran(&project, &["copy@c*"]), ["copy@c%20d"]);
    assert_eq!(ran(&project, &["--set", "copy@a%2Fb.text=x"]), ["copy@a%2Fb"]);
    assert!(project.stdout(&[&["show", "copy@c%20d.copy"], &MAIN[..]].concat()).contains("copy@c%20d.copy"));
    assert_output!(project.refused("unknown_name", &[&["plan", "copy@a/b"], &MAIN[..]].concat()));
    let pipeline = project.read("pipelines/main.toml");
    project
        .write("pipelines/main.toml", &format!("{pipeline}[stages.\"copy@a%2Fb\"]\nparams.text = \"y\"\n"));
    assert_eq!(ran(&project, &[]), ["copy@a%2Fb"]);
}

#[test]
fn an_input_names_an_instance_by_values_with_any_characters() {
    let project =
        fanned("foreach.a = [\"x-y\", \"/\"]\nforeach.b = [\"x-y\", \"/\"]", "params.text = \"{a}|{b}\"");
    let next =
        "[stages.next]\nuse = \"copy\"\nforeach.c = [\"x-y\", \"/\"]\ninputs.texts = \"copy@{c}-{c}.copy\"\n";
    project.write("pipelines/main.toml", &(project.read("pipelines/main.toml") + next));
    project.write(
        "stages/copy/stage.toml",
        &project.read("stages/copy/stage.toml").replace("{params.text}", "{params.text}\", \"{inputs.texts}"),
    );
    project
        .write("stages/copy/copy.sh", "if [ \"$2\" ]; then printf %s \"$2\"; else cat \"$3\"; fi > \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/next@x-y/copy.txt"), "x-y|x-y");
    assert_eq!(project.read("data/out/main/next@%2F/copy.txt"), "/|/");
}

#[test]
fn names_that_differ_only_in_case_are_refused_where_folders_ignore_case() {
    let project = fanned("foreach.text = [\"v4\", \"V4\"]", "params.text = \"{text}\"");
    assert_eq!(ran(&project, &[]), ["copy@V4", "copy@v4"]);
    // On a file system that ignores case, the folder is found by both names.
    project.link("store", "data/STORE");
    assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
}
