//! Workers cannot destroy what they read.

use std::fs;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

#[test]
fn raw_files_and_results_survive_whatever_a_worker_does_to_its_inputs() {
    for deed in [
        "mv \"$1\" \"$out\"",
        "gzip -f \"$1\"",
        ": > \"$1\"",
        "rm -rf \"$(dirname \"$1\")\"",
        "ln \"$1\" here; : > here",
    ] {
        let project = Project::minimal();
        project.write("data/raw/a.txt", "a\n");
        project.write("stages/copy/copy.sh", &format!("out=$1; shift; {deed}; cat \"$@\" > \"$out\"\n"));
        project.command(&[&["run"], &MAIN[..]].concat());
        assert_eq!(project.read("data/raw/a.txt"), "a\n", "{deed}");
        project.write("stages/copy/copy.sh", "out=$1; shift; cat \"$@\" > \"$out\"\n");
        project.run(&MAIN);
        assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n", "{deed}");
        assert_eq!(fs::read_dir(project.path("data/raw")).expect("listed").count(), 1, "{deed}");
    }
}

#[test]
fn a_worker_that_writes_to_the_project_fails_with_the_path() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "echo b > \"$2\" || exit 1\n");
    assert_output!(project.run_failing("worker_failed", &MAIN));
}

#[test]
fn data_behind_a_link_into_a_temporary_folder_survives() {
    let project = Project::minimal();
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::create_dir(elsewhere.path().join("raw")).expect("created");
    fs::write(elsewhere.path().join("raw/a.txt"), "a\n").expect("written");
    project.link(&elsewhere.path().display().to_string(), "data");
    project.run(&MAIN);
    project.write("stages/copy/copy.sh", "rm -rf ../../../objects/*; rm -f \"$2\"; cat \"$2\" > \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(project.read("data/raw/a.txt"), "a\n");
    project.status(&["verify"], 0);
}

#[test]
fn a_worker_can_write_temporary_files() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "t=$(mktemp); cat \"$2\" > \"$t\"; cp \"$t\" \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
}
