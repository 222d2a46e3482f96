//! Two mounts of one shared store whose names are stale for five seconds.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::group::Mounts;
use crate::support::{MAIN, Project, until};

const TRAIN: [&str; 6] = ["-p", "train", "-d", "", "-P", ""];

fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(status.expect("kill starts").success());
}

#[test]
fn a_frozen_training_goes_on_on_another_mount_to_the_bit_and_does_no_harm_when_it_wakes_up() {
    let Some(mounts) = Mounts::new() else { return };
    let (first, second, alone) = (Project::new(), Project::new(), Project::new());
    mounts.attach(&first, 0);
    mounts.attach(&second, 1);
    alone.run(&TRAIN);
    let slow = first
        .read("pipelines/train.toml")
        .replace("[stages.train]\n", "[stages.train]\nparams.seconds = 0.15\n");
    first.write("pipelines/train.toml", &slow);
    let frozen = first.start(&TRAIN);
    let step = |steps: usize| {
        let attempts = mounts.group.entries("scratch").into_iter();
        let attempts = attempts.flat_map(|of| fs::read_dir(of).into_iter().flatten().flatten());
        let checkpoints =
            attempts.filter_map(|attempt| fs::read_to_string(attempt.path().join("checkpoint.json")).ok());
        let step = |text: String| {
            text.trim_start_matches('[').split(',').next().and_then(|step| step.parse::<usize>().ok())
        };
        checkpoints.filter_map(step).max() >= Some(steps)
    };
    until("a checkpoint", || step(3));
    // The worker and the engine are frozen together, as on a machine that lost its network.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", frozen.id())).expect("children");
    let supervisor: u32 =
        children.split_whitespace().next().expect("a supervisor").parse().expect("a number");
    let workers = descendants(supervisor);
    let all: Vec<u32> = [frozen.id(), supervisor].into_iter().chain(workers).collect();
    all.iter().for_each(|process| signal(*process, "STOP"));
    let resumed = second.run(&TRAIN);
    let started =
        resumed.events().iter().find(|event| event["event"] == "started" && event["stage"] == "train");
    assert_eq!(started.expect("the training was taken over")["resumes"], true);
    let expected = alone.read("data/out/train/train/model.txt");
    assert_eq!(second.read("data/out/train/train/model.txt"), expected);
    all.iter().for_each(|process| signal(*process, "CONT"));
    let woken = frozen.wait_with_output().expect("ended");
    assert!(woken.status.success(), "{}", String::from_utf8_lossy(&woken.stderr));
    assert_eq!(first.read("data/out/train/train/model.txt"), expected);
    second.status(&["verify"], 0);
    assert_eq!(mounts.group.entries("diverged").len(), 0);
}

fn descendants(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a measured figure")]
fn a_commit_is_known_on_the_other_mount_within_three_seconds() {
    let Some(mounts) = Mounts::new() else { return };
    fs::remove_file(mounts.group.path().join("store.toml")).expect("removed");
    let (first, second) = (Project::minimal(), Project::minimal());
    for (project, mount) in [(&first, 0), (&second, 1)] {
        project.write("data/raw/a.txt", "a\n");
        project.write("stages/copy/copy.sh", "sleep 3; cat \"$2\" > \"$1\"\n");
        mounts.attach(project, mount);
    }
    let mut one = first.start(&MAIN);
    until("a lease", || {
        mounts
            .group
            .entries("leases")
            .iter()
            .any(|shelf| fs::read_dir(shelf).is_ok_and(|all| all.count() > 0))
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let mut two = command
        .args(["run", "--json"])
        .args(MAIN)
        .current_dir(second.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("callsheet starts");
    until("the record", || {
        !mounts.group.entries("actions").iter().all(|path| path.extension().is_none_or(|kind| kind != "json"))
    });
    let committed = Instant::now();
    assert!(two.wait().expect("ended").success());
    let known = committed.elapsed();
    assert!(one.wait().expect("ended").success());
    eprintln!("a commit is known on the other mount after {:.1} s", known.as_secs_f64());
    assert!(known < Duration::from_secs(3), "{known:?}");
    let output = std::io::read_to_string(two.stdout.take().expect("piped")).expect("read");
    assert!(output.contains("\"waiting\"") && output.contains("\"cached\""), "{output}");
}

#[test]
fn the_check_of_a_store_measures_what_two_mounts_guarantee() {
    let Some(mounts) = Mounts::new() else { return };
    let project = Project::minimal();
    mounts.attach(&project, 0);
    let second = mounts.path(1).display().to_string();
    let checked = project.json(&["store", "check", "--with", &second, "--json"]);
    assert_eq!((&checked["created_twice"][0], &checked["linked_twice"][0]), (&0.into(), &0.into()));
    assert_eq!(checked["locks_seen"], false, "these mounts do not forward locks");
    assert!(checked["stale"].as_f64().is_some_and(|stale| stale > 3.0 && stale < 8.0), "{checked}");
    assert_eq!(checked["fractions"], "kept");

    assert!(mounts.group.entries("check").is_empty(), "nothing is left");
}
