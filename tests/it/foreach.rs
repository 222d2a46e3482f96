//! Stages expanded over values with `foreach` and gathered again, through the real binary.

use std::fs;

use crate::snapshot::assert_output;
use crate::support::Project;
use serde_json::{Value, json};

const FAN: [&str; 2] = ["-p", "fan"];
const RUN: [&str; 3] = ["run", "-p", "fan"];

fn ran(project: &Project, arguments: &[&str]) -> Vec<String> {
    let run = project.run(&[&FAN, arguments].concat());
    let mut ran: Vec<String> = run.ran().into_iter().map(str::to_owned).collect();
    ran.sort();
    ran
}

/// The toy pipeline with `old` replaced by `new`.
fn edited(old: &str, new: &str) -> Project {
    let project = Project::new();
    let text = project.read("pipelines/fan.toml");
    assert!(text.contains(old), "{old}");
    project.write("pipelines/fan.toml", &text.replace(old, new));
    project
}

fn table(project: &Project, stage: &str) -> Vec<Value> {
    let text = project.read(&format!("data/out/fan/toy/small/{stage}/table.json"));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_combination_is_an_instance_and_reads_from_those_that_share_its_values() {
    let project = Project::new();
    let all = ["again@2-5", "again@2-7", "again@3-5", "again@3-7", "double@2", "double@3"];
    assert_eq!(ran(&project, &[]), [&all[..], &["each@2", "each@3", "make", "table"]].concat());
    assert_eq!(ran(&project, &[]), [""; 0]);
    // The raw numbers are 1, 2, 3.
    assert_eq!(project.read("data/out/fan/toy/small/again@3-5/doubled.txt"), "15\n30\n45\n");
}

#[test]
fn an_input_that_takes_many_gathers_the_instances_with_their_values() {
    let project = Project::new();
    project.run(&FAN);
    let rows = table(&project, "table");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["2-5", "2-7", "3-5", "3-7"], "sorted by their values");
    assert_eq!(rows[1], json!({"name": "2-7", "values": {"times": 2, "by": 7}, "numbers": [14, 28, 42]}));
    let rows = table(&project, "each@3");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["3-5", "3-7"], "only instances that share the value of each@3");
}

#[test]
fn the_order_of_the_values_changes_nothing() {
    let project = edited("foreach.by = [5, 7]", "foreach.by = [5, 10, 7, 2.5, \"x\"]");
    let text =
        project.read("pipelines/fan.toml").replace("params.times = \"{by}\"", "params.comment = \"v{by}\"");
    project.write("pipelines/fan.toml", &text.replace("use = \"double\"", "use = \"make\""));
    let text = project.read("pipelines/fan.toml").replace("again.doubled", "again.kept");
    project.write("pipelines/fan.toml", &text);
    project.run(&FAN);
    let rows = table(&project, "each@2");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["2-2.5", "2-5", "2-7", "2-10", "2-x"], "numbers are sorted by size");
    let text = project.read("pipelines/fan.toml").replace("[5, 10, 7, 2.5, \"x\"]", "[\"x\", 10, 2.5, 5, 7]");
    project.write("pipelines/fan.toml", &text);
    assert_eq!(ran(&project, &[]), [""; 0]);
    assert!(project.stdout(&["show", "-p", "fan", "again@2-2.5"]).contains("again@2-2.5.kept"));
}

#[test]
fn a_parameter_of_one_instance_runs_it_and_what_depends_on_it() {
    let project = Project::new();
    project.run(&FAN);
    assert_eq!(ran(&project, &["--set", "again@2-5.times=11"]), ["again@2-5", "each@2", "table"]);
    assert_output!(project.stdout(&["plan", "-p", "fan", "--set", "again@2-5.times=12"]));
    assert_eq!(
        ran(&project, &["--set", "again.misbehave=no"]),
        [""; 0],
        "the default value, set for all instances, changes nothing"
    );
}

#[test]
fn a_new_value_runs_its_instances_and_the_plan_names_them() {
    let project = Project::new();
    project.run(&FAN);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7]", "foreach.by = [5, 7, 9]");
    project.write("pipelines/fan.toml", &text);
    project.run(&["-p", "fan", "again"]);
    assert_output!(project.stdout(&["plan", "-p", "fan"]));
    assert_eq!(ran(&project, &[]), ["each@2", "each@3", "table"]);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7, 9]", "foreach.by = [7]");
    project.write("pipelines/fan.toml", &text);
    assert_output!(project.stdout(&["plan", "-p", "fan"]));
}

#[test]
fn instances_are_addressed_by_name_together_or_by_pattern() {
    let project = Project::new();
    assert_eq!(ran(&project, &["again@2-5"]), ["again@2-5", "double@2", "make"]);
    assert_eq!(ran(&project, &["again@*-5"]), ["again@3-5", "double@3"]);
    assert_eq!(ran(&project, &["again"]), ["again@2-7", "again@3-7"]);
    assert_eq!(ran(&project, &["again", "--force", "again@3-*"]), ["again@3-5", "again@3-7"]);
    assert_eq!(ran(&project, &["--only", "each"]), ["each@2", "each@3"]);
    assert_output!(project.stdout(&["config", "-p", "fan", "again@3-7"]));
    assert_output!(project.shown(&["-p", "fan", "each@3.table"]));
    assert_output!(project.explained(&["-p", "fan", "each@2"]));
}

#[test]
fn combinations_can_be_listed_and_a_profile_can_have_fewer() {
    let listed = "foreach = [{ times = 2, by = 5 }, { times = 3, by = 7 }]";
    let project = edited("foreach.times = [2, 3]\nforeach.by = [5, 7]", listed);
    project.write(
        "pipelines/profiles/tiny.toml",
        "summary = \"One of each\"\n[stages.double]\nforeach.times = [3]\n\
         [stages.again]\nforeach = [{ times = 3, by = 7 }]\n[stages.each]\nforeach.times = [3]\n\
         [stages.\"again@3-7\"]\nparams.times = 4\n",
    );
    assert_eq!(ran(&project, &["-P", "tiny", "again"]), ["again@3-7", "double@3", "make"]);
    assert_eq!(project.latest("again@3-7.doubled"), "12\n24\n36\n");
    assert_eq!(ran(&project, &["again"]), ["again@2-5", "again@3-7", "double@2"]);
    // The pipeline may set values of an instance that a profile leaves out.
    let text = project.read("pipelines/fan.toml");
    project.write("pipelines/fan.toml", &format!("{text}\n[stages.\"again@2-5\"]\nparams.chatty = true\n"));
    assert_eq!(ran(&project, &["-P", "tiny", "again"]), [""; 0]);
}

#[test]
fn a_profile_changes_one_list_and_keeps_the_others() {
    let project = Project::new();
    project
        .write("pipelines/profiles/tiny.toml", "summary = \"One value\"\n[stages.again]\nforeach.by = [7]\n");
    assert_eq!(
        ran(&project, &["-P", "tiny", "again"]),
        ["again@2-7", "again@3-7", "double@2", "double@3", "make"]
    );
    project.write(
        "pipelines/profiles/many.toml",
        &format!("summary = \"Many\"\n[stages.again]\nforeach.by = {:?}\n", (0..9000).collect::<Vec<_>>()),
    );
    assert_output!(project.refused("declaration", &["plan", "-p", "fan", "-P", "many"]));
}

#[test]
fn foreach_with_a_stage_name_follows_the_instances_of_that_stage() {
    let copy = |like: &str| {
        let copy = format!(
            "[stages.copy]\nuse = \"double\"\nforeach = \"{like}\"\ninputs.numbers = \"again.doubled\"\n"
        );
        edited("[stages.table]", &format!("{copy}\n[stages.table]"))
    };
    let project = copy("again");
    let tiny = "summary = \"One value\"\n[stages.again]\nforeach.by = [7]\n[stages.\"copy@2-7\"]\nparams.times = 9\n";
    project.write("pipelines/profiles/tiny.toml", tiny);
    project.run(&["-p", "fan", "-P", "tiny", "copy"]);
    assert_eq!(project.latest("copy@2-7.doubled"), "126\n252\n378\n");
    let made = ran(&project, &["copy"]);
    assert_eq!(made.iter().filter(|stage| stage.starts_with("copy@")).count(), 4 - 1, "{made:?}");
    assert_output!(copy("make").refused("declaration", &RUN));
    assert_output!(copy("copy").refused("declaration", &RUN));
}

#[test]
fn values_of_a_pattern_override_the_stage_and_one_instance_overrides_both() {
    let project = Project::new();
    let some = "\n[stages.\"again@3-*\"]\nparams.times = 10\n[stages.\"again@3-7\"]\nparams.times = 100\n";
    project.write("pipelines/fan.toml", &(project.read("pipelines/fan.toml") + some));
    project.run(&["-p", "fan", "again"]);
    let first = |instance: &str| {
        let text = project.read(&format!("data/out/fan/toy/small/{instance}/doubled.txt"));
        text.lines().next().map(str::to_owned).expect("a line")
    };
    assert_eq!(["again@2-5", "again@3-5", "again@3-7"].map(first), ["10", "30", "300"]);
    project
        .write("pipelines/fan.toml", &project.read("pipelines/fan.toml").replace("again@3-*", "again@4-*"));
    assert_output!(project.refused("declaration", &RUN));
}

#[test]
fn doubled_braces_are_text() {
    let project = Project::new();
    let text = project.read("pipelines/fan.toml");
    let two = "[stages.make]\nforeach.n = [1, 2]\nparams.comment = \"{{n}} is {n} {} {x y}\"\n";
    project.write(
        "pipelines/braces.toml",
        text.replace("[stages.make]\n", two).split("[stages.double]").next().expect("begin"),
    );
    assert_output!(project.stdout(&["config", "-p", "braces", "make@2"]));
}

#[test]
fn a_value_names_a_stage_or_a_source_to_read_from() {
    let project = edited(
        "foreach.times = [2, 3]\ninputs.numbers = \"make.kept\"\nparams.times = \"{times}\"",
        "foreach.times = [2, 3]\ninputs.numbers = \"from_{times}\"\nparams.times = \"{times}\"",
    );
    let sources = "\n[sources.from_2]\npath = \"data/raw/toy/two.txt\"\n[sources.from_3]\npath = \"data/raw/toy/three.txt\"\n";
    project.write("pipelines/fan.toml", &(project.read("pipelines/fan.toml") + sources));
    project.write("data/raw/toy/two.txt", "2\n");
    project.write("data/raw/toy/three.txt", "3\n");
    project.run(&["-p", "fan", "double"]);
    assert_eq!(project.read("data/out/fan/toy/small/double@3/doubled.txt"), "9\n");
}

#[test]
fn the_graph_shows_a_stage_once_with_the_number_of_its_instances() {
    let project = Project::new();
    assert_output!(project.stdout(&["graph", "-p", "fan"]));
    assert_output!(project.stdout(&["graph", "-p", "fan", "--instances"]));
    assert_output!(project.stdout(&["graph", "-p", "fan", "--format", "dot"]));
}

#[test]
fn an_invalid_foreach_is_refused_with_its_line() {
    let again = "foreach.times = [2, 3]\nforeach.by = [5, 7]";
    let cases = [
        "foreach.times = [2, 3]\nforeach.by = []",
        "foreach = []",
        "foreach = 3",
        "foreach.by = [5, 7]\nforeach.times = 2",
        "foreach = [{ times = 2, by = 5 }, { times = 3 }]",
        "foreach.times = [2, 3]\nforeach.by = [[1], [2]]",
        "foreach.times = [2, 3]\nforeach.by = [2020-01-01]",
        "foreach.times = [2, 3]\nforeach.by = [inf]",
        "foreach.times = [2, 3]\nforeach.by = [-nan]",
        "foreach.times = [2, 3]\nforeach.by = [5, 5]",
        "foreach.times = [2, 3]\nforeach.by = [5, \"5\"]",
        "foreach.times = [2, 4]\nforeach.by = [5, 7]",
        "foreach.times = [2, 3]\nforeach.bye = [5, 7]",
        "foreach.by = [5, 7]",
    ];
    let said = cases.map(|new| edited(again, new).refused("declaration", &RUN));
    assert_output!(said.join("\n"));
    let many: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let many = many.join(", ");
    let project = edited(again, &format!("foreach.times = [{many}]\nforeach.by = [{many}]"));
    assert_output!(project.refused("declaration", &RUN));
    let project = edited(again, &format!("foreach.times = [2, 3]\nforeach.by = [5, {}]", "9".repeat(400)));
    project.refused("declaration", &RUN);
}

#[test]
fn an_unknown_instance_is_refused_with_the_known_ones() {
    let project = Project::new();
    let cases: [(&str, &[&str]); 5] = [
        ("unknown_name", &["run", "-p", "fan", "again@2-6"]),
        ("unknown_name", &["run", "-p", "fan", "again@9*"]),
        ("unknown_name", &["run", "-p", "fan", "--set", "again@2-6.times=1"]),
        ("invalid_value", &["explain", "-p", "fan", "again"]),
        ("unknown_name", &["show", "-p", "fan", "again.doubled"]),
    ];
    let said = cases.map(|(code, arguments)| project.refused(code, arguments));
    assert_output!(said.join("\n"));
    let text = project.read("pipelines/fan.toml");
    let cases = [
        "[stages.\"again@2-6\"]\nparams.times = 1\n",
        "[stages.\"again@2-5\"]\nuse = \"double\"\n",
        "[stages.\"again@2-5\"]\nforeach.by = [1]\n",
        "[stages.\"@2\"]\nuse = \"double\"\n",
    ];
    let said = cases.map(|more| {
        project.write("pipelines/fan.toml", &format!("{text}\n{more}"));
        project.refused("declaration", &RUN)
    });
    assert_output!(said.join("\n"));
}

#[test]
fn gc_undeclared_removes_results_that_no_pipeline_declares() {
    let project = Project::new();
    project.run(&FAN);
    project.run(&[]);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7]", "foreach.by = [7]");
    project.write("pipelines/fan.toml", &text);
    let stored =
        fs::canonicalize(project.path("data/out/fan/toy/small/again@2-5/doubled.txt")).expect("shown");
    project.run(&FAN);
    assert!(!project.exists("data/out/fan/toy/small/again@2-5"));
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(stored.exists(), "without --undeclared, gc keeps the result");
    assert_output!(project.gc(&["--undeclared"]));
    assert!(stored.exists(), "without --delete, gc only lists the result");
    project.stdout(&["gc", "--older-than", "0s", "--undeclared", "--delete"]);
    assert!(!stored.exists());
    assert_eq!(ran(&project, &[]), [""; 0]);
    assert_output!(project.gc(&[]));
    project.remove_file(&project.path("pipelines/fan.toml"));
    project.stdout(&["gc", "--older-than", "0s", "--undeclared", "--delete"]);
    assert!(!project.exists("data/out/fan/toy/small/table"));
    assert_eq!(project.run(&[]).ran(), [""; 0], "another pipeline's results are kept");
}

#[test]
fn gc_refuses_to_guess_what_pipelines_declare() {
    let project = Project::new();
    project.run(&[]);
    let pipeline = project.read("pipelines/chain.toml");
    project.write("pipelines/chain.toml", "summary = [");
    assert_output!(project.refused("declaration", &["gc", "--older-than", "0s", "--undeclared", "--delete"]));
    project.write("pipelines/chain.toml", &pipeline);
    project.write("callsheet.toml", "pipelines = \"pipeline\"\n");
    assert_output!(
        project.refused("unknown_name", &["gc", "--older-than", "0s", "--undeclared", "--delete"])
    );
    assert!(project.exists("data/out/chain/toy/small/sum/total.txt"));
}
