//! Stages fanned out over values and gathered again, through the real binary.

use crate::support::Project;
use serde_json::{Value, json};

const FAN: [&str; 2] = ["-p", "fan"];

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
    let text = project.read(&format!("data/out/fan/toy/{stage}/table.json"));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_combination_is_an_instance_and_reads_from_those_that_share_its_values() {
    let project = Project::new();
    let all = ["again@2-5", "again@2-7", "again@3-5", "again@3-7", "double@2", "double@3"];
    assert_eq!(ran(&project, &[]), [&all[..], &["each@2", "each@3", "make", "table"]].concat());
    assert_eq!(ran(&project, &[]), [""; 0]);
    // The raw numbers are 1, 2, 3.
    assert_eq!(project.read("data/out/fan/toy/again@3-5/doubled.txt"), "15\n30\n45\n");
}

#[test]
fn an_input_that_takes_many_gathers_the_instances_with_their_values() {
    let project = Project::new();
    project.run(&FAN);
    let rows = table(&project, "table");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["2-5", "2-7", "3-5", "3-7"], "by their values");
    assert_eq!(rows[1], json!({"name": "2-7", "values": {"times": 2, "by": 7}, "numbers": [14, 28, 42]}));
    let rows = table(&project, "each@3");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["3-5", "3-7"], "only those that share its value");
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
    assert_eq!(names, ["2-2.5", "2-5", "2-7", "2-10", "2-x"], "numbers by size");
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
    let plan = project.stdout(&["plan", "-p", "fan", "--set", "again@2-5.times=12"]);
    assert!(plan.contains("run    again@2-5  times: 11 → 12"), "{plan}");
    assert!(plan.contains("maybe  each@2     after again@2-5"), "{plan}");
    assert_eq!(ran(&project, &["--set", "again.misbehave=no"]), [""; 0], "of all of them");
}

#[test]
fn a_new_value_runs_its_instances_and_says_what_is_new_where_they_are_gathered() {
    let project = Project::new();
    project.run(&FAN);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7]", "foreach.by = [5, 7, 9]");
    project.write("pipelines/fan.toml", &text);
    project.run(&["-p", "fan", "again"]);
    let plan = project.stdout(&["plan", "-p", "fan"]);
    assert!(plan.contains("input numbers[times=2,by=9]: new"), "{plan}");
    assert_eq!(ran(&project, &[]), ["each@2", "each@3", "table"]);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7, 9]", "foreach.by = [7]");
    project.write("pipelines/fan.toml", &text);
    let plan = project.stdout(&["plan", "-p", "fan"]);
    assert!(plan.contains("input numbers[times=2,by=5]: gone"), "{plan}");
}

#[test]
fn instances_are_addressed_by_name_together_or_by_pattern() {
    let project = Project::new();
    assert_eq!(ran(&project, &["again@2-5"]), ["again@2-5", "double@2", "make"]);
    assert_eq!(ran(&project, &["again@*-5"]), ["again@3-5", "double@3"]);
    assert_eq!(ran(&project, &["again"]), ["again@2-7", "again@3-7"]);
    assert_eq!(ran(&project, &["again", "--force", "again@3-*"]), ["again@3-5", "again@3-7"]);
    assert_eq!(ran(&project, &["--only", "each"]), ["each@2", "each@3"]);
    let config = project.stdout(&["config", "-p", "fan", "again@3-7"]);
    assert!(config.contains("again@3-7  (uses double)") && !config.contains("again@3-5"), "{config}");
    assert!(config.contains("times                    = 7"), "{config}");
    let shown = project.stdout(&["show", "-p", "fan", "each@3.table"]);
    assert!(shown.contains("numbers < again@3-7.doubled ("), "{shown}");
    assert!(project.stdout(&["explain", "-p", "fan", "each@2"]).contains("input numbers[times=2,by=5]"));
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
    assert_eq!(project.read("data/out/fan/toy/again@3-7/doubled.txt"), "12\n24\n36\n");
    assert_eq!(ran(&project, &["again"]), ["again@2-5", "again@3-7", "double@2"]);
    // What the pipeline says of an instance that a profile leaves out is not missed.
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
    let refused = project.refused(&["plan", "-p", "fan", "-P", "many"]);
    assert!(refused.contains("foreach makes more than 10000 instances"), "{refused}");
}

#[test]
fn a_stage_can_be_fanned_out_as_another_is_and_follows_it() {
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
    assert_eq!(project.read("data/out/fan/toy/copy@2-7/doubled.txt"), "126\n252\n378\n");
    let made = ran(&project, &["copy"]);
    assert_eq!(made.iter().filter(|stage| stage.starts_with("copy@")).count(), 4 - 1, "{made:?}");
    let said = copy("make").run_failing(&FAN, 2);
    assert!(said.contains("`copy` is to be fanned out as `make`, which is not fanned out"), "{said}");
    let said = copy("copy").run_failing(&FAN, 2);
    assert!(said.contains("`copy` is fanned out as itself"), "{said}");
}

#[test]
fn what_is_said_of_some_instances_lies_between_what_is_said_of_all_and_of_one() {
    let project = Project::new();
    let some = "\n[stages.\"again@3-*\"]\nparams.times = 10\n[stages.\"again@3-7\"]\nparams.times = 100\n";
    project.write("pipelines/fan.toml", &(project.read("pipelines/fan.toml") + some));
    project.run(&["-p", "fan", "again"]);
    let first = |instance: &str| {
        let text = project.read(&format!("data/out/fan/toy/{instance}/doubled.txt"));
        text.lines().next().map(str::to_owned).expect("a line")
    };
    assert_eq!(["again@2-5", "again@3-5", "again@3-7"].map(first), ["10", "30", "300"]);
    project
        .write("pipelines/fan.toml", &project.read("pipelines/fan.toml").replace("again@3-*", "again@4-*"));
    assert!(project.run_failing(&FAN, 2).contains("the pipeline has no stage `again@4-*`"));
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
    let config = project.stdout(&["config", "-p", "braces", "make@2"]);
    assert!(config.contains("\"{n} is 2 {} {x y}\""), "{config}");
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
    assert_eq!(project.read("data/out/fan/toy/double@3/doubled.txt"), "9\n");
}

#[test]
fn the_graph_shows_a_stage_once_with_the_number_of_its_instances() {
    let project = Project::new();
    let graph = project.stdout(&["graph", "-p", "fan"]);
    assert!(graph.contains("again[\"again ×4\"]"), "{graph}");
    assert_eq!(graph.matches("double -->|doubled| again").count(), 1, "{graph}");
    let graph = project.stdout(&["graph", "-p", "fan", "--instances"]);
    assert!(graph.contains("double_40_2 -->|doubled| again_40_2_2d_5"), "{graph}");
    let graph = project.stdout(&["graph", "-p", "fan", "--format", "dot"]);
    assert!(graph.contains("\"again ×4\" -> \"table\""), "{graph}");
}

#[test]
fn a_fan_that_cannot_be_is_refused_with_its_line() {
    let again = "foreach.times = [2, 3]\nforeach.by = [5, 7]";
    let cases = [
        ("foreach.times = [2, 3]\nforeach.by = []", "foreach names no value"),
        ("foreach = []", "foreach names no value"),
        ("foreach = 3", "expected lists of values by name"),
        ("foreach.by = [5, 7]\nforeach.times = 2", "expected a sequence"),
        ("foreach = [{ times = 2, by = 5 }, { times = 3 }]", "names the same values in the same order"),
        ("foreach.times = [2, 3]\nforeach.by = [[1], [2]]", "`[1]` cannot name an instance"),
        ("foreach.times = [2, 3]\nforeach.by = [2020-01-01]", "cannot name an instance"),
        ("foreach.times = [2, 3]\nforeach.by = [\"../up\"]", "`\"../up\"` cannot name an instance"),
        ("foreach.times = [2, 3]\nforeach.by = [inf]", "`inf` cannot name an instance"),
        ("foreach.times = [2, 3]\nforeach.by = [-nan]", "cannot name an instance"),
        ("foreach.times = [2, 3]\nforeach.by = [5, 5]", "two instances are called `again@2-5`"),
        (
            "foreach.times = [2, 4]\nforeach.by = [5, 7]",
            "no instance of `double` has the values of `again@4-5`",
        ),
        ("foreach.times = [2, 3]\nforeach.bye = [5, 7]", "foreach has no value `by` for `{by}`"),
        ("foreach.by = [5, 7]", "`double.doubled` is of 2 instances, and the input takes one"),
    ];
    for (new, wanted) in cases {
        let project = edited(again, new);
        let said = project.run_failing(&FAN, 2);
        assert!(said.contains(wanted) && said.contains("pipelines/fan.toml"), "`{wanted}` is not in\n{said}");
    }
    let many: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let many = many.join(", ");
    let project = edited(again, &format!("foreach.times = [{many}]\nforeach.by = [{many}]"));
    assert!(project.run_failing(&FAN, 2).contains("foreach makes more than 10000 instances"));
    let project = edited(again, &format!("foreach.times = [2, 3]\nforeach.by = [5, {}]", "9".repeat(400)));
    project.run_failing(&FAN, 2);
}

#[test]
fn an_instance_that_is_not_there_is_named_with_those_that_are() {
    let project = Project::new();
    let cases: [(&[&str], &str); 5] = [
        (&["run", "-p", "fan", "again@2-6"], "the pipeline has no stage `again@2-6`"),
        (&["run", "-p", "fan", "again@9*"], "the pipeline has no stage `again@9*`"),
        (&["run", "-p", "fan", "--set", "again@2-6.times=1"], "the pipeline has no stage `again@2-6`"),
        (&["explain", "-p", "fan", "again"], "`again` is 4 stages"),
        (&["show", "-p", "fan", "again.doubled"], "the pipeline has no artifact `again.doubled`"),
    ];
    for (arguments, wanted) in cases {
        let said = project.refused(arguments);
        assert!(said.contains(wanted) && said.contains("again@2-5"), "`{wanted}` is not in\n{said}");
    }
    let text = project.read("pipelines/fan.toml");
    for (more, wanted) in [
        ("[stages.\"again@2-6\"]\nparams.times = 1\n", "the pipeline has no stage `again@2-6`"),
        ("[stages.\"again@2-5\"]\nuse = \"double\"\n", "`again@2-5` is what the pipeline says it is"),
        ("[stages.\"again@2-5\"]\nforeach.by = [1]\n", "`again@2-5` is one instance"),
        ("[stages.\"@2\"]\nuse = \"double\"\n", "`@2` is no name of a stage"),
    ] {
        project.write("pipelines/fan.toml", &format!("{text}\n{more}"));
        let said = project.refused(&["run", "-p", "fan"]);
        assert!(said.contains(wanted), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn gc_lets_go_of_what_no_pipeline_declares_any_more_if_it_is_told_to() {
    let project = Project::new();
    project.run(&FAN);
    project.run(&[]);
    let text = project.read("pipelines/fan.toml").replace("foreach.by = [5, 7]", "foreach.by = [7]");
    project.write("pipelines/fan.toml", &text);
    project.run(&FAN);
    project.stdout(&["gc", "--delete"]);
    assert!(project.exists("data/out/fan/toy/again@2-5/doubled.txt"), "nobody told it to");
    let listed = project.stdout(&["gc", "--undeclared"]);
    assert!(listed.contains("again@2-5") && listed.contains("no longer declared by fan on toy"), "{listed}");
    assert!(project.exists("data/out/fan/toy/again@2-5/doubled.txt"), "it was only listed");
    project.write("data/out/fan/toy/again@3-5/mine.txt", "somebody's own");
    project.stdout(&["gc", "--undeclared", "--delete"]);
    assert!(!project.exists("data/out/fan/toy/again@2-5"));
    assert!(!project.exists("data/out/fan/toy/again@3-5/doubled.txt"));
    assert!(project.exists("data/out/fan/toy/again@3-5/mine.txt"));
    assert_eq!(ran(&project, &[]), [""; 0]);
    assert!(project.stdout(&["gc"]).starts_with("0 results that nothing needs"));
    project.remove_file(&project.path("pipelines/fan.toml"));
    project.stdout(&["gc", "--undeclared", "--delete"]);
    assert!(!project.exists("data/out/fan/toy/table"));
    assert_eq!(project.run(&[]).ran(), [""; 0], "another pipeline's results are kept");
}

#[test]
fn gc_refuses_to_guess_what_pipelines_declare() {
    let project = Project::new();
    project.run(&[]);
    let pipeline = project.read("pipelines/chain.toml");
    project.write("pipelines/chain.toml", "summary = [");
    assert!(project.refused(&["gc", "--undeclared", "--delete"]).contains("pipelines/chain.toml"));
    project.write("pipelines/chain.toml", &pipeline);
    project.write("callsheet.toml", "pipelines = \"pipeline\"\n");
    assert!(
        project.refused(&["gc", "--undeclared", "--delete"]).contains("there is no pipeline in pipeline")
    );
    assert!(project.exists("data/out/chain/toy/sum/total.txt"));
}
