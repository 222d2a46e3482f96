//! Frequent complaints about pipeline programs, each turned into a property that holds here. The tests run
//! the real binary; more such tests are in `engine.rs` and `faults.rs`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::snapshot::assert_output;
use crate::support::{Project, Run, errors, until};
use serde_json::Value;

const TRAIN: [&str; 2] = ["-p", "train"];

/// Number of steps that trainings ran in this run.
fn steps(run: &Run) -> Vec<f64> {
    let metrics = run.events().iter().map(|event| &event["said"]["metric"]);
    metrics.filter(|metric| metric["name"] == "steps/gone").filter_map(|m| m["value"].as_f64()).collect()
}

fn model(project: &Project) -> String {
    project.latest("train.model")
}

#[test]
fn a_killed_training_resumes_and_equals_an_uninterrupted_one() {
    let whole = Project::new();
    assert_eq!(steps(&whole.run(&TRAIN)), [10.0]);
    let project = Project::new();
    let slow = ["-p", "train", "-d", "toy", "-P", "small", "--set", "train.seconds=0.2"];
    let mut killed = project.start(&slow);
    until("a few steps", || {
        let scratch = fs::read_dir(project.path("data/store/scratch")).into_iter().flatten().flatten();
        let read = |folder: fs::DirEntry| fs::read_to_string(folder.path().join("checkpoint.json"));
        scratch.filter_map(|folder| read(folder).ok()).any(|text| text.starts_with("[3"))
    });
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    let gone = steps(&project.run(&TRAIN));
    assert!(gone[0] < 8.0, "{gone:?}: the steps before the kill are kept");
    assert_eq!(model(&project), model(&whole));
}

#[test]
fn a_longer_budget_resumes_and_equals_a_training_with_it_from_the_start() {
    let whole = Project::new();
    assert_eq!(steps(&whole.run(&[&TRAIN[..], &["--set", "train.stop_steps=25"]].concat())), [25.0]);
    let project = Project::new();
    project.run(&TRAIN);
    let longer = project.run(&[&TRAIN[..], &["--set", "train.stop_steps=25"]].concat());
    assert_eq!(steps(&longer), [15.0]);
    assert_eq!(model(&project), model(&whole));
    assert_eq!(
        project.run(&TRAIN).ran(),
        [""; 0],
        "the result of the shorter training is still in the store"
    );
    let other = project.run(&[&TRAIN[..], &["--set", "train.seed=1"]].concat());
    assert_eq!(steps(&other), [10.0], "a training with another seed starts at its beginning");
}

#[test]
fn a_second_plan_hashes_no_raw_file_again() {
    let project = Project::new();
    sleep(Duration::from_millis(2100)); // digests of files younger than 2 s are not stored
    project.run(&[]);
    assert_output!(project.stdout(&["plan"]));
    // If the plan uses the stored digest, a changed stored digest changes the input.
    let memory = project.read("data/store/sources.json");
    let file = memory.find("numbers.txt").expect("the file");
    let at = file + memory[file..].find("\"digest\":\"").expect("a digest") + 10;
    project.write(
        "data/store/sources.json",
        &format!("{}{}{}", &memory[..at], "0".repeat(64), &memory[at + 64..]),
    );
    assert_output!(project.stdout(&["plan"]));
}

#[test]
fn a_plan_stores_digests_and_a_run_reports_the_progress_of_hashing() {
    let project = Project::new();
    let file = fs::File::create(project.path("data/raw/toy/large.txt")).expect("created");
    file.set_len(300_000_000).expect("resized");
    sleep(Duration::from_millis(2100));
    let run =
        project.start(&["-p", "chain", "-d", "toy", "-P", "small", "--json", "--set", "make.seconds=60"]);
    until("raw data is hashed", || project.exists("data/store/staging"));
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("sent");
    let said = String::from_utf8_lossy(&run.wait_with_output().expect("ended").stdout).into_owned();
    assert!(
        said.contains("\"event\":\"hashing\",\"done\":") && said.contains("\"total\":300000006"),
        "{said}"
    );
    project.remove("data/store");
    project.stdout(&["plan"]);
    assert!(project.read("data/store/sources.json").contains("large.txt"));
}

#[test]
fn a_file_changed_behind_an_old_time_stamp_is_noticed() {
    let project = Project::new();
    sleep(Duration::from_millis(2100));
    project.run(&[]);
    let file = project.path("data/raw/toy/numbers.txt");
    let before = fs::metadata(&file).expect("metadata");
    let (size, time) = (before.len(), before.modified().expect("a time"));
    fs::write(&file, project.read("data/raw/toy/numbers.txt").replace('3', "7")).expect("written");
    fs::File::options().write(true).open(&file).expect("opened").set_modified(time).expect("set");
    let after = fs::metadata(&file).expect("metadata");
    assert_eq!((after.len(), after.mtime(), after.ino()), (size, before.mtime(), before.ino()));
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
}

#[test]
fn a_stage_whose_code_is_edited_while_it_runs_fails() {
    let project = Project::new();
    let slow = ["-p", "chain", "-d", "toy", "-P", "small", "--set", "make.seconds=1"];
    let run = project.start(&slow);
    until("make is started", || {
        project.exists("data/store/staging") && {
            let runs = fs::read_dir(project.path("data/store/staging")).expect("listed").flatten();
            runs.into_iter().any(|run| run.path().join("0/request.json").exists())
        }
    });
    let script = project.read("stages/make/make.py");
    project.write("stages/make/make.py", &format!("{script}# edited\n"));
    let output = run.wait_with_output().expect("ended");
    assert_output!(errors(&String::from_utf8_lossy(&output.stderr), "input_changed"));
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
}

#[test]
fn an_old_value_brings_its_own_result_back() {
    let project = Project::new();
    project.run(&[]);
    project.run(&["--set", "double.times=3"]);
    assert_eq!(project.latest("sum.total").trim(), "18");
    assert_eq!(project.run(&[]).ran(), [""; 0]);
    assert_eq!(project.read("data/out/chain/toy/small/sum/total.txt").trim(), "12");
}

#[test]
fn a_plan_never_disagrees_with_the_run_that_follows() {
    let project = Project::new();
    let changes: [&[&str]; 9] = [
        &[],
        &["--set", "double.times=3"],
        &["--set", "make.comment=other"],
        &["--set", "again@2-5.times=4", "--set", "make.comment=third"],
        &["again@3-*", "--set", "again.times=6"],
        &["--from", "again", "--set", "double.chatty=true"],
        &["--only", "make", "--set", "make.comment=fourth"],
        &[],
        &["--set", "double@3.times=2"],
    ];
    for (nth, change) in changes.iter().enumerate() {
        if nth == 7 {
            project.remove_file(&project.artifact_of("fan", "double@3.doubled"));
            project.write("data/raw/toy/numbers.txt", "4\n5\n");
        }
        let arguments = [&["-p", "fan"], *change].concat();
        let plan = &project.json(&[&["plan", "--json"], &arguments[..]].concat())["stages"];
        let planned = |state: &str| -> Vec<String> {
            let stages = plan.as_array().expect("stages").iter().filter(|stage| stage["state"] == state);
            stages.map(|stage| stage["stage"].as_str().expect("a name").to_owned()).collect()
        };
        let (run, maybe) = (planned("run"), planned("maybe"));
        assert_eq!(plan.as_array().map(Vec::len), Some(run.len() + maybe.len() + planned("cached").len()));
        let events = project.run(&arguments);
        let mut ran = events.ran();
        // If two stages have one key, the faster one runs, and the other one uses its result.
        let taken: Vec<&str> = events
            .events()
            .iter()
            .filter(|e| e["event"] == "cached")
            .filter_map(|e| e["stage"].as_str())
            .collect();
        assert!(run.iter().all(|stage| ran.contains(&&**stage) || taken.contains(&&**stage)), "{change:?}");
        assert!(!run.is_empty() || ran.is_empty(), "{change:?}: nothing was planned, but {ran:?} ran");
        ran.retain(|stage| !run.contains(&(*stage).to_owned()));
        assert!(ran.iter().all(|stage| maybe.contains(&(*stage).to_owned())), "{change:?}: {ran:?}");
        project.status(&[&["plan", "--check"], &arguments[..]].concat(), 0);
    }
}

#[test]
fn a_plan_names_stages_that_would_fail_before_anything_runs() {
    let project = Project::new();
    let declared = project.read("stages/double/stage.toml");
    project.write("stages/double/stage.toml", &declared.replace("\"python3\"", "\"pyhton3\""));
    assert_output!(project.stdout(&["plan"]));
    project.write("stages/double/stage.toml", &format!("{declared}\n[resources]\nmemory = \"9 GB\"\n"));
    let plan = project.stdout(&["run", "--dry-run", "--memory", "8 GB"]);
    assert_output!(plan);
    assert!(plan.contains("9.0 GB"), "{plan}");
    let enough = project.json(&["run", "--dry-run", "--memory", "10 GB", "--json"]);
    assert!(
        enough["stages"].as_array().expect("stages").iter().all(|stage| stage["problem"].is_null()),
        "{enough}"
    );
}

#[test]
fn a_plan_counts_rows_seconds_and_stages() {
    let project = Project::new();
    assert_output!(project.stdout(&["plan"]));
    project.run(&[]);
    assert_output!(project.stdout(&["plan"]));
    assert_output!(project.stdout(&["plan", "--set", "double.times=3"]));
}

#[test]
fn times_from_another_kind_of_cpu_are_named_and_not_added_up() {
    let project = Project::new();
    project.run(&[]);
    let shown = project.stdout(&["show", "double.doubled"]);
    assert!(shown.lines().any(|line| line.starts_with("CPU ")), "{shown}");
    let heads = "data/store/latest/chain/toy/small.json";
    let mut kept: Value = serde_json::from_str(&project.read(heads)).expect("JSON");
    let stages = kept["stages"].as_object_mut().expect("stages");
    stages["double"]["cpu"] = 1.into();
    project.write(heads, &kept.to_string());
    assert_output!(project.stdout(&["plan", "--set", "double.times=3"]));
    let pipeline = project.read("pipelines/chain.toml");
    project.write(
        "pipelines/chain.toml",
        &pipeline.replace("[stages.double]\n", "[stages.double]\nparams.times = 3\n"),
    );
    project.run(&[]);
    assert_output!(project.stdout(&["plan", "--set", "double.times=4"]));
}

#[test]
fn a_chain_of_thousands_of_stages_can_be_planned() {
    let project = Project::new();
    let mut pipeline = "summary = \"Long\"\n[sources.numbers]\npath = \"data/raw/toy/*.txt\"\n\
                        [stages.s0]\nuse = \"make\"\ninputs.numbers = \"numbers\"\n"
        .to_owned();
    for n in 1..20_000 {
        pipeline += &format!("[stages.s{n}]\nuse = \"sum\"\ninputs.numbers = \"s{}.total\"\n", n - 1);
    }
    let pipeline = pipeline.replace("\"s0.total\"", "\"s0.kept\"");
    project.write("pipelines/long.toml", &pipeline);
    let plan = project.stdout(&["plan", "-p", "long"]);
    assert_output!(plan.lines().next_back().expect("a sum"));
    let circle = pipeline.replace("\"s0.kept\"", "\"s19999.total\"");
    project.write("pipelines/long.toml", &circle);
    let said = project.refused("declaration", &["plan", "-p", "long"]);
    assert_output!(said);
    assert!(said.len() < 5_000, "an error of {} characters is too long", said.len());
}

#[test]
fn a_store_on_another_file_system_works_as_well() {
    let project = Project::new();
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let device = |path: &std::path::Path| fs::metadata(path).expect("metadata").dev();
    assert_ne!(device(elsewhere.path()), device(&project.path("")), "this test needs two file systems");
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("data = \"{}\"\n{settings}", elsewhere.path().display()));
    assert_eq!(project.run(&[]).ran(), ["make", "double", "sum"]);
    assert_eq!(project.run(&[]).ran(), [""; 0]);
    let total = fs::read_to_string(elsewhere.path().join("out/chain/toy/small/sum/total.txt"));
    assert_eq!(total.expect("shown").trim(), "12");
    project.status(&["verify"], 0);
}

#[test]
fn a_worker_sees_no_variable_that_is_not_declared() {
    let project = Project::new();
    project.write(
        "stages/env/stage.toml",
        "summary = \"Its environment\"\nversion = 1\n\
        command = [\"sh\", \"-c\", \"env > $1\", \"env\", \"{outputs.out}\"]\n\
        [outputs.out]\nkind = \"file\"\npath = \"env.txt\"\ndoc = \"All variables\"\n",
    );
    project.write("pipelines/env.toml", "summary = \"One\"\n[stages.env]\n");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        let arguments = ["run", "-p", "env", "-d", "toy", "-P", "small", "--force", "env"];
        command.args(arguments).env("SECRET_TOKEN", "hunter2").current_dir(project.path(""));
        assert!(command.output().expect("ran").status.success());
        project.read("data/out/env/toy/small/env/env.txt")
    };
    project.write("pipelines/datasets/toy.toml", "summary = \"Toy\"\n");
    assert!(!run().contains("hunter2"));
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("environment = [\"SECRET_TOKEN\"]\n{settings}"));
    assert!(run().contains("SECRET_TOKEN=hunter2"));
}
