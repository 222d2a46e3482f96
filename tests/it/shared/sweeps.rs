//! Garbage collection next to runs that begin while it works.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::group::Group;
use crate::support::{MAIN, Project, until};

/// Age in the past that `touch` sets.
fn age(group: &Group, pattern: &str, age: &str) {
    let script = format!("touch -m -d '{age}' {}/{pattern}", group.path().display());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh starts").success());
}

/// Two stages, of which the second one sleeps for some seconds.
pub(super) fn chain(group: &Group, seconds: &str) -> Project {
    let project = group.project("a\n");
    project.write(
        "pipelines/main.toml",
        "summary = \"Copies\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n[stages.copy]\ninputs.texts = \"texts\"\n\
         [stages.late]\ninputs.text = \"copy.copy\"\n",
    );
    project.write(
        "stages/late/stage.toml",
        "summary = \"Waits\"\nversion = 1\ncommand = [\"sh\", \"late.sh\", \"{outputs.late}\", \"{inputs.text}\"]\n\
         [inputs.text]\nkind = \"file\"\ndoc = \"Text\"\n\
         [outputs.late]\nkind = \"file\"\npath = \"late.txt\"\ndoc = \"Text\"\n",
    );
    project.write("stages/late/late.sh", &format!("sleep {seconds}; cat \"$2\" > \"$1\"\n"));
    project
}

/// Starts garbage collection that pauses for three seconds before it removes anything; `None` without strace.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn slow_gc(group: &Group, project: &Project) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-P"]).arg(group.path().join("removals"));
    strace.args(["-e", "trace=openat", "-e", "inject=openat:delay_enter=3000000:when=1"]);
    strace.arg(env!("CARGO_BIN_EXE_callsheet")).args(["gc", "--older-than", "0s", "--delete"]);
    let started = strace.current_dir(project.path("")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    if started.is_err() {
        eprintln!("skipped: strace is not installed");
    }
    // It has listed what nobody needs when it looks at earlier removals.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    started.ok()
}

fn output(child: Child) -> String {
    let output = child.wait_with_output().expect("ended");
    let text = super::both(&output);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn a_run_of_many_hours_can_still_take_leases() {
    let group = Group::new();
    let project = chain(&group, "0");
    project.write("stages/copy/copy.sh", "out=$1; shift; sleep 3; cat \"$@\" > \"$out\"\n");
    let run = project.start(&MAIN);
    until("a lease", || !group.entries("leases").is_empty());
    age(&group, "holders/*.lease", "2 hours ago");
    group.project("b\n").run(&MAIN);
    let output = run.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", super::both(&output));
}

#[test]
fn a_result_that_a_run_finds_while_garbage_is_collected_is_not_set_aside() {
    let group = Group::new();
    let project = chain(&group, "0");
    project.run(&MAIN);
    project.write("data/raw/a.txt", "b\n");
    project.run(&MAIN);
    let settings = "heartbeat = 0.2\nexpiry = 3.0\ngrace = 6.0\n";
    fs::write(group.path().join("store.toml"), settings).expect("written");
    let Some(gc) = slow_gc(&group, &project) else { return };
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/late/late.sh", "sleep 4; cat \"$2\" > \"$1\"\n");
    let run = project.run(&MAIN);
    assert_eq!((run.of("cached"), run.ran()), (vec!["copy"], vec!["late"]));
    let said = output(gc);
    assert!(!said.contains("copy ("), "it stays: {said}");
    assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    project.status(&["verify"], 0);
}

#[test]
fn a_project_that_comes_back_while_garbage_is_collected_keeps_its_results() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("b\n"));
    first.run(&MAIN);
    age(&group, "workspaces/*", "100 days ago");
    second.run(&MAIN);
    let Some(gc) = slow_gc(&group, &second) else { return };
    assert_eq!(first.run(&MAIN).ran(), [""; 0]);
    output(gc);
    assert_eq!(group.workspaces().len(), 2);
    assert_eq!(first.run(&MAIN).ran(), [""; 0], "its result is still there");
}

#[test]
fn a_project_that_is_forgotten_is_named_before_anything_is_removed() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("b\n"));
    first.run(&MAIN);
    age(&group, "workspaces/*", "100 days ago");
    second.run(&MAIN);
    let said = second.command(&["gc", "--older-than", "0s", "--delete"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let (named, freed) = (said.find("was not seen for long"), said.find("freed"));
    assert!(named.is_some() && named < said.rfind("freed") && freed.is_some(), "{said}");
    assert_eq!(first.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn the_newest_checkpoint_of_each_user_stays() {
    if super::users::is_skipped() {
        return;
    }
    let group = Group::new();
    let project = group.project("a\n");
    project.run(&MAIN);
    let work = group.path().join("scratch").join("ab".repeat(32));
    for (number, owner) in [(0, 64_003), (1, 64_003), (2, 64_004)] {
        let attempt = work.join(format!("{number}.run"));
        fs::create_dir_all(&attempt).expect("created");
        std::os::unix::fs::chown(&attempt, Some(owner), None).expect("given");
    }
    age(&group, &format!("scratch/{}/*", "ab".repeat(32)), "3 hours ago");
    project.stdout(&["gc", "--older-than", "0s", "--delete"]);
    let mut left: Vec<String> = fs::read_dir(&work)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["1.run", "2.run"]);
}
