//! Projects that begin or stop to use a shared store.

use std::fs;
use std::time::Duration;

use super::group::Group;
use crate::support::{MAIN, Project, until};

/// A stage that counts to 30 in its scratch folder, and reports with which number it began.
const COUNT: &str = "out=$1; n=$(cat \"$2/n\" 2>/dev/null || echo 0); echo \"began at $n\"
while [ \"$n\" -lt 30 ]; do n=$((n + 1)); echo \"$n\" > \"$2/draft\"; mv \"$2/draft\" \"$2/n\"; sleep 0.1; done
echo done > \"$out\"\n";

fn counting() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project.read("stages/copy/stage.toml");
    let stage = stage.replace("\"{inputs.texts}\"]", "\"{scratch}\", \"{inputs.texts}\"]");
    project.write("stages/copy/stage.toml", &stage);
    project.write("stages/copy/copy.sh", COUNT);
    project
}

/// Runs the project and kills the run after a while.
fn begin(project: &Project) {
    let mut run = project.start(&MAIN);
    let log = || {
        let runs = fs::read_dir(project.path("data/store/runs")).into_iter().flatten().flatten();
        runs.map(|run| run.path().join("logs/copy.log")).max().is_some_and(|log| log.exists())
    };
    until("a worker", log);
    std::thread::sleep(Duration::from_millis(800));
    run.kill().expect("killed");
    run.wait().expect("ended");
    // Its supervisor process ends the worker.
    std::thread::sleep(Duration::from_millis(500));
}

/// Number with which the worker of the latest run began.
fn began(project: &Project) -> u32 {
    let log = project.stdout(&["logs", "copy"]);
    let number = log.lines().find_map(|line| line.strip_prefix("began at "));
    number.expect(&log).parse().expect("a number")
}

#[test]
fn a_training_goes_on_after_its_project_was_attached_and_after_it_was_detached() {
    let (group, project) = (Group::new(), counting());
    begin(&project);
    project.stdout(&["store", "attach", &group.path().display().to_string()]);
    begin(&project);
    let first = began(&project);
    assert!(first > 0, "it goes on from the project's own store");
    project.stdout(&["store", "detach"]);
    project.run(&MAIN);
    assert!(began(&project) > first, "it goes on from the shared store");
}

#[test]
fn a_forced_result_replaces_the_one_from_before_the_project_was_attached() {
    let group = Group::new();
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "date +%s%N > \"$1\"\n");
    project.run(&MAIN);
    let earlier = project.latest("copy.copy");
    project.stdout(&["store", "attach", &group.path().display().to_string()]);
    project.run(&[&MAIN[..], &["--force", "copy"]].concat());
    let forced = project.latest("copy.copy");
    assert_ne!(forced, earlier);
    project.write("data/raw/b.txt", "b\n");
    project.run(&MAIN);
    fs::remove_file(project.path("data/raw/b.txt")).expect("removed");
    project.run(&MAIN);
    assert_eq!(project.latest("copy.copy"), forced, "the earlier result does not come back");
}

#[test]
fn a_project_can_leave_a_shared_store_that_is_gone() {
    let group = Group::new();
    let project = group.project("a\n");
    let store = group.path().display().to_string();
    project.run(&MAIN);
    drop(group);
    let error = project.refused("unreadable", &["ls"]);
    assert!(error.contains("callsheet.toml sets this `store`"), "{error}");
    let output = project.command(&["store", "detach"]);
    assert!(output.status.success() && super::both(&output).contains("nothing was copied"), "{output:?}");
    assert!(!project.read("callsheet.toml").contains(&store));
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn a_project_is_not_detached_from_the_store_that_the_user_chose_for_all_projects() {
    let group = Group::new();
    let (project, config) = (Project::minimal(), tempfile::tempdir().expect("a folder"));
    fs::create_dir(config.path().join("callsheet")).expect("created");
    let file = config.path().join("callsheet/config.toml");
    fs::write(&file, format!("store = {:?}\n", group.path())).expect("written");
    let home = config.path().display().to_string();
    let output = project.command_with(&[("XDG_CONFIG_HOME", &home)], &["store", "detach"]);
    let said = super::both(&output);
    assert!(!output.status.success() && said.contains("all your projects"), "{said}");
    assert!(said.contains("config.toml"), "{said}");
}

#[test]
fn damaged_files_of_a_project_do_not_keep_it_from_sharing_results() {
    let group = Group::new();
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.run(&MAIN);
    fs::create_dir_all(project.path("data/store/pins")).expect("created");
    project.write("data/store/pins/p.json", "{bad");
    project.stdout(&["store", "attach", &group.path().display().to_string()]);
    project.write("data/raw/a.txt", "b\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.status(&["verify", "--heal"], 0);
    assert!(!project.exists("data/store/pins/p.json"), "it was removed");
    project.status(&["verify"], 0);
}

#[test]
fn a_damaged_copy_in_the_own_store_is_replaced_when_a_project_is_detached() {
    let group = Group::new();
    let project = Project::minimal_folder();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "mkdir \"$1\"; cat \"$2\" > \"$1/a\"\n");
    project.run(&MAIN);
    let object = fs::canonicalize(project.path("data/out/main/copy/tree")).expect("an object");
    project.stdout(&["store", "attach", &group.path().display().to_string()]);
    project.run(&[&MAIN[..], &["--force", "copy"]].concat());
    project.overwrite(&object.join("a"), "damaged\n");
    project.stdout(&["store", "detach"]);
    project.status(&["verify"], 0);
    assert_eq!(project.run(&MAIN).ran(), [""; 0]);
}

#[test]
fn folders_that_cannot_hold_a_store_are_refused_with_a_command_that_can_be_copied() {
    let project = Project::minimal();
    let error = project.refused("unreadable", &["store", "attach", "../my lab"]);
    assert!(error.contains("mkdir -p '") && error.contains("my lab'"), "{error}");
    project.write("file", "x");
    assert!(project.refused("invalid_value", &["store", "check", "file"]).contains("is not a folder"));
    let group = Group::new();
    let here = group.path().display().to_string();
    let error = project.refused("invalid_value", &["store", "check", &here, "--with", "missing"]);
    assert!(error.contains("missing is not a folder"), "{error}");
    let settings = project.read("callsheet.toml");
    project.write("callsheet.toml", &format!("store = \"\"\n{settings}"));
    assert!(project.refused("invalid_value", &["ls"]).contains("`store` is empty"));
}
