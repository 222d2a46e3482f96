//! The list of runs, and garbage collection, which never removes history.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{MAIN, Project, until};

fn run(project: &Project, code: i32, arguments: &[&str]) {
    project.run_to(code, &[&MAIN[..], arguments].concat());
}

/// States of all runs, the latest first.
fn states(project: &Project) -> Vec<String> {
    let listed = project.json(&["runs", "--json"]);
    let runs = listed["runs"].as_array().expect("a list");
    runs.iter().map(|run| run["end"].as_str().expect("a state").to_owned()).collect()
}

/// A project whose only stage does what the raw file says.
fn obedient() -> Project {
    let project = Project::minimal();
    project.write("stages/copy/copy.sh", "out=$1; shift; sh \"$1\" && cat \"$@\" > \"$out\"\n");
    project
}

#[test]
fn every_run_is_in_the_list_with_its_state() {
    let project = obedient();
    project.write("data/raw/a.txt", "true\n");
    run(&project, 0, &[]);
    project.write("data/raw/a.txt", "exit 3\n");
    run(&project, 1, &[]);
    project.write("data/raw/a.txt", "exec sleep 60\n");
    let mut live = project.start(&MAIN);
    until("the run is listed", || states(&project).first().is_some_and(|state| state == "running"));
    assert_eq!(states(&project), ["running", "failed", "done"]);
    project.refused("busy", &["runs", "rm", "latest"]);
    live.kill().expect("killed");
    live.wait().expect("ended");
    until("the run has ended", || states(&project)[0] == "killed");
    let mut stopped = project.start(&MAIN);
    until("another run is listed", || states(&project)[0] == "running");
    let id = i32::try_from(stopped.id()).expect("an id");
    std::process::Command::new("kill").args(["-INT", &id.to_string()]).status().expect("kill");
    stopped.wait().expect("ended");
    assert_eq!(states(&project), ["stopped", "killed", "failed", "done"]);
    let lines = project.stdout(&["runs"]);
    assert!(lines.lines().next().is_some_and(|line| line.contains("stopped") && line.contains("not done 1")));
    project.stdout(&["runs", "rm", "latest~1", "latest~2"]);
    assert_eq!(states(&project), ["stopped", "done"]);
    project.refused("unknown_name", &["runs", "rm", "lastest"]);
    project.refused("unknown_name", &["runs", "rm", ""]);
}

#[test]
fn a_run_that_fails_before_a_stage_starts_is_listed_as_failed_and_is_the_latest_for_every_command() {
    let project = obedient();
    project.write("data/raw/a.txt", "true\n");
    run(&project, 0, &[]);
    let more = "[stages.more]\nuse = \"copy\"\ninputs.texts = \"copy.copy\"\n";
    project.write("pipelines/main.toml", &(project.read("pipelines/main.toml") + more));
    project.write("data/raw/a.txt", "true # new\n");
    run(&project, 1, &["--only", "more"]);
    assert_eq!(states(&project)[0], "failed");
    let id = project.json(&["runs", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    let removed = project.stdout(&["runs", "rm", "latest", "latest~0"]);
    assert_eq!(removed.trim(), format!("removed {id}"));
    assert_eq!(states(&project), ["done"]);
}

#[test]
fn results_younger_than_two_weeks_stay_and_runs_stay_for_ever() {
    let project = obedient();
    for text in ["true # 1\n", "true # 2\n"] {
        project.write("data/raw/a.txt", text);
        run(&project, 0, &[]);
    }
    assert!(project.stdout(&["gc"]).starts_with("0 unused results"));
    let offered = project.stdout(&["gc", "--older-than", "0s"]);
    assert!(offered.contains("run `callsheet gc --older-than 0s --delete` to free this space"), "{offered}");
    let listed = project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(listed.contains("1 unused result: ") && listed.starts_with("copy"), "{listed}");
    assert_eq!(states(&project), ["done", "done"]);
    let log = project.json(&["runs", "--json"])["runs"][1]["id"].as_str().expect("an id").to_owned();
    assert!(project.exists(&format!("data/store/runs/{log}/events.ndjson")), "events are kept");
    assert!(project.stdout(&["ls", "--run", "latest~1"]).lines().count() == 1, "its result is gone");
    project.refused("not_computed", &["runs", "link", "latest~1"]);
}

#[test]
fn the_latest_result_of_each_profile_is_used() {
    let project = obedient();
    project.write("data/raw/a.txt", "true\n");
    project.write(
        "pipelines/profiles/small.toml",
        "summary = \"Small\"\n[sources.texts]\npath = \"data/raw/small/*.txt\"\n",
    );
    project.write("data/raw/small/b.txt", "true # small\n");
    run(&project, 0, &[]);
    project.status(&["run", "-p", "main", "-d", "", "-P", "small"], 0);
    assert!(project.stdout(&["gc", "--older-than", "0s"]).starts_with("0 unused results"));
    project.write("data/raw/a.txt", "true # new\n");
    run(&project, 0, &[]);
    assert!(project.stdout(&["gc", "--older-than", "0s"]).contains("1 unused result"));
    let plan = project.stdout(&[&["plan"][..], &MAIN].concat());
    assert!(plan.contains("1 cached"), "{plan}");
}

#[test]
fn the_results_of_a_run_are_linked_on_request_and_are_then_used() {
    let project = obedient();
    project.write("data/raw/a.txt", "true # 1\n");
    run(&project, 0, &[]);
    project.write("data/raw/a.txt", "true # 2\n");
    run(&project, 0, &[]);
    let folder = project.stdout(&["runs", "link", "latest~1"]);
    let shown = format!("{}/copy/copy.txt", folder.trim());
    assert_eq!(fs::read_to_string(&shown).expect("linked"), "true # 1\n");
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "true # 2\n");
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(fs::metadata(&shown).is_ok_and(|found| found.size() > 0));
    let note = format!("{}/notes.txt", folder.trim());
    fs::write(&note, "mine").expect("written");
    project.stdout(&["runs", "rm", "latest~1"]);
    assert!(fs::symlink_metadata(&shown).is_err() && fs::metadata(&note).is_ok(), "only links are removed");
    project.write("pipelines/runs.toml", &project.read("pipelines/main.toml"));
    project.refused("conflict", &["plan", "-p", "runs", "-d", "", "-P", ""]);
}

#[test]
fn folders_of_failed_workers_are_removed_with_old_results() {
    let project = obedient();
    project.write("data/raw/a.txt", "exit 3\n");
    run(&project, 1, &["--keep-failed"]);
    let id = project.json(&["runs", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    let failed = format!("data/store/runs/{id}/failed/copy");
    project.stdout(&["gc", "--delete"]);
    assert!(project.exists(&failed));
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(!project.exists(&failed) && states(&project) == ["failed"]);
}
