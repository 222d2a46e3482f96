//! A store that several projects share.

mod group;
mod kills;
mod leaving;
mod losses;
mod mounts;
mod races;
mod sweeps;
mod users;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{MAIN, Project, Run, until, with_own_mounts};
pub(crate) use group::Group;
use group::mode;

/// No files.
fn none() -> Vec<PathBuf> {
    Vec::new()
}

/// Rows that a run computed for a stage.
fn computed(run: &Run, stage: &str) -> Option<u64> {
    let rows = run.events().iter().find(|event| event["event"] == "rows" && event["stage"] == stage);
    rows?["compute"].as_u64()
}

#[test]
fn projects_share_results_and_own_their_runs() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    assert_eq!(first.run(&MAIN).ran(), ["copy"]);
    assert_eq!(second.run(&MAIN).of("cached"), ["copy"]);
    assert_eq!(second.read("data/out/main/copy/copy.txt"), "a\n");
    assert!(!second.exists("data/store/objects"), "results are in the shared store");
    assert_eq!(second.run(&MAIN).of("cached"), ["copy"]);
    for command in ["ls", "show copy.copy", "explain copy", "plan", "status"] {
        first.stdout(&[&command.split(' ').collect::<Vec<_>>()[..], &MAIN].concat());
    }
    for command in ["verify", "du", "runs", "gc"] {
        first.stdout(&[command]);
    }
    assert_eq!(group.entries("staging"), none(), "nothing is left of finished runs");
    assert_eq!(group.entries("holders"), none());
    assert_eq!(group.entries("intents"), none());
}

#[test]
fn results_from_before_a_project_was_attached_are_still_used_and_results_of_the_shared_store_come_after_them()
{
    let group = Group::new();
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.run(&MAIN);
    group.attach(&project);
    assert_eq!(project.run(&MAIN).of("cached"), ["copy"], "its own result is used");
    project.write("data/raw/a.txt", "b\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("data/raw/a.txt", "a\n");
    assert_eq!(project.run(&MAIN).of("cached"), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
    // A damaged result of its own does not hide the shared one that replaces it.
    let own = fs::canonicalize(project.path("data/out/main/copy/copy.txt")).expect("a result");
    assert!(own.starts_with(fs::canonicalize(project.path("data/store")).expect("a store")));
    project.overwrite(&own, "damaged\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
    project.status(&["verify"], 0);
}

#[test]
fn rows_that_one_project_computed_are_not_computed_by_another_and_rows_of_its_own_are_shared() {
    let group = Group::new();
    let (own, other) = (Project::new(), group.rows());
    for project in [&own, &other] {
        project.write("data/raw/items/a.csv", "a,x,1\nb,y,2\nc,x,3\n");
    }
    let rows = ["-p", "rows", "-d", "", "-P", ""];
    assert_eq!(computed(&own.run(&rows), "power"), Some(3));
    group.attach(&own);
    own.write("data/raw/items/b.csv", "d,y,4\n");
    assert_eq!(computed(&own.run(&rows), "power"), Some(1), "the rows of its own store are used");
    own.write("data/raw/items/b.csv", "d,y,4\ne,y,5\n");
    other.write("data/raw/items/b.csv", "e,y,5\n");
    assert_eq!(computed(&own.run(&rows), "power"), Some(1));
    let found = other.run(&rows);
    assert_eq!(found.ran(), ["items", "power", "total"], "no table is equal");
    assert_eq!(computed(&found, "power"), Some(0), "but all rows are there");
    other.status(&["verify"], 0);
}

#[test]
fn a_forced_stage_computes_all_rows_again_although_rows_in_a_shared_store_stay() {
    let group = Group::new();
    let project = group.rows();
    project.write("data/raw/items/a.csv", "a,x,1\nb,y,2\nc,x,3\n");
    let rows = ["-p", "rows", "-d", "", "-P", ""];
    project.run(&rows);
    let before = group.entries("rows");
    let again = project.run(&[&rows[..], &["--force", "power"]].concat());
    assert_eq!(computed(&again, "power"), Some(3));
    assert_eq!(group.entries("rows"), before);
    assert_eq!(project.run(&rows).ran(), [""; 0]);
}

#[test]
fn a_folder_that_a_group_cannot_share_is_refused_with_the_command_that_corrects_it() {
    let group = Group::new();
    let project = group.project("a\n");
    let run = [&["run"], &MAIN[..]].concat();
    for (rights, remedy) in [(0o755, "chmod g+rwxs"), (0o775, "chmod g+rwxs"), (0o2755, "chmod g+rwxs")] {
        mode(group.path(), rights);
        let error = project.refused("io", &run);
        assert!(error.contains(remedy) && error.contains(&format!("mode {rights:04o}")), "{error}");
    }
    mode(group.path(), 0o2775);
    fs::write(group.path().join("format-3"), "").expect("written");
    assert!(project.refused("unsupported", &run).contains("has format `3`"));
    fs::remove_file(group.path().join("format-3")).expect("removed");
    fs::write(group.path().join("store.toml"), "heartbeat = 10\nexpiry = 15.0\n").expect("written");
    assert!(project.refused("declaration", &run).contains("two heartbeats"));
    fs::write(group.path().join("store.toml"), "hartbeat = 10\n").expect("written");
    assert!(project.refused("declaration", &run).contains("heartbeat"));
    project.write("callsheet.toml", "store = \"none/here\"\n");
    let error = project.refused("unreadable", &run);
    assert!(error.contains("does not exist") && error.contains("mkdir -p"), "{error}");
    project.write("callsheet.toml", "store = \"callsheet.toml\"\n");
    assert!(project.refused("unreadable", &run).contains("is not a folder"));
    assert!(!project.exists("data/store/runs"), "nothing was begun");
}

#[test]
fn a_result_that_differs_from_the_first_one_of_its_key_is_reported_and_the_first_one_stays() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    for project in [&first, &second] {
        project.write("stages/copy/copy.sh", "sleep 1; date +%s%N > \"$1\"\n");
    }
    first.run(&MAIN);
    let kept = first.read("data/out/main/copy/copy.txt");
    let again = second.run(&[&MAIN[..], &["--force", "copy"]].concat());
    let warnings: Vec<&str> =
        again.events().iter().filter_map(|event| event["said"]["log"]["message"].as_str()).collect();
    assert!(warnings.iter().any(|warning| warning.contains("differs from that of run")), "{warnings:?}");
    assert_eq!(second.read("data/out/main/copy/copy.txt"), kept);
    assert_eq!(group.entries("diverged").len(), 1);
    let said = second.stdout(&["verify"]);
    assert!(said.contains("is not deterministic"), "{said}");
    for project in [&first, &second] {
        project.stdout(&["report", "latest", "--output", "report.html"]);
        assert!(project.read("report.html").contains("is not deterministic"));
    }
}

#[test]
fn a_run_waits_for_the_work_of_another_user_and_says_whose_it_is_and_how_far() {
    let group = Group::new();
    let work = "p() { echo \"{\\\"progress\\\":{\\\"done\\\":$1,\\\"total\\\":7,\\\"unit\\\":\\\"rows\\\"}}\" >> \"$CALLSHEET_EVENTS\"; }\n\
                p 3; while [ -e \"$2.wait\" ]; do sleep 0.05; done; cat \"$2\" > \"$1\"\n";
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    for project in [&first, &second] {
        project.write(
            "stages/copy/copy.sh",
            &work.replace("$2.wait", &group.path().join("wait").display().to_string()),
        );
    }
    fs::write(group.path().join("wait"), "").expect("written");
    let run = |project: &Project, user: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.arg("run").args(MAIN).current_dir(project.path("")).env("USER", user);
        command.stderr(Stdio::piped()).spawn().expect("callsheet starts")
    };
    let ada = run(&first, "ada");
    let told = || {
        let beats = group.entries("holders");
        beats.iter().any(|beat| fs::read_to_string(beat).is_ok_and(|text| text.contains("3 of 7 rows")))
    };
    until("a heartbeat with the progress", told);
    let grace = run(&second, "grace");
    until("a second run", || second.exists("data/store/runs"));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::remove_file(group.path().join("wait")).expect("removed");
    let said = |run: std::process::Child| {
        let output = run.wait_with_output().expect("ended");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(ada).contains("1 stage run"));
    let waited = said(grace);
    assert!(waited.contains(" of ada on ") && waited.contains("(3 of 7 rows)"), "{waited}");
    assert!(waited.contains("data/out now shows 1 earlier result"), "{waited}");
}

#[test]
fn work_of_a_killed_run_is_taken_over_from_its_last_checkpoint() {
    let group = Group::new();
    let (first, second) = (group.rows(), group.rows());
    let train = ["-p", "train", "-d", "", "-P", ""];
    let alone = Project::new();
    alone.run(&train);
    let mut run = first.start(&[&train[..], &["--set", "train.seconds=0.2"]].concat());
    let checkpoints = || {
        let attempts = group
            .entries("scratch")
            .into_iter()
            .flat_map(|of| fs::read_dir(of).into_iter().flatten().flatten());
        attempts
            .filter(|attempt| {
                fs::read_to_string(attempt.path().join("checkpoint.json"))
                    .is_ok_and(|text| !text.starts_with("[1,"))
            })
            .count()
    };
    until("a checkpoint", || checkpoints() > 0);
    run.kill().expect("killed");
    run.wait().expect("ended");
    let resumed = second.run(&train);
    let started =
        resumed.events().iter().find(|event| event["event"] == "started" && event["stage"] == "train");
    assert_eq!(started.expect("started")["resumes"], true);
    let gone = resumed.events().iter().find(|event| event["said"]["metric"]["name"] == "steps/gone");
    assert!(gone.expect("a metric")["said"]["metric"]["value"].as_f64() < Some(9.0));
    assert_eq!(second.read("data/out/train/train/model.txt"), alone.read("data/out/train/train/model.txt"));
}

#[test]
fn garbage_collection_keeps_what_any_project_needs_and_removes_the_rest() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("b\n"));
    first.run(&MAIN);
    second.run(&MAIN);
    first.write("data/raw/a.txt", "c\n");
    first.run(&MAIN);
    let listed = second.stdout(&["gc", "--older-than", "0s"]);
    assert!(listed.contains("1 unused result in the shared store"), "{listed}");
    assert_eq!(group.entries("actions").len(), 3, "nothing is removed without --delete");
    let removed = second.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert!(removed.contains("1 unused result in the shared store"), "{removed}");
    assert_eq!(group.entries("actions").len(), 2);
    for project in [&first, &second] {
        assert_eq!(project.run(&MAIN).ran(), [""; 0]);
        project.status(&["verify"], 0);
    }
    first.write("data/raw/a.txt", "a\n");
    assert_eq!(first.run(&MAIN).ran(), ["copy"], "this result was removed");
}

#[test]
fn a_project_that_was_not_seen_for_long_is_listed_before_its_results_go() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("b\n"));
    first.run(&MAIN);
    second.run(&MAIN);
    let settings = group.path().join("store.toml");
    let short = fs::read_to_string(&settings).expect("read") + "forget = 1.0\n";
    fs::write(&settings, short).expect("written");
    std::thread::sleep(std::time::Duration::from_millis(1200));
    second.run(&[&MAIN[..], &["--force", "copy"]].concat());
    let listed = second.stdout(&["gc", "--older-than", "0s"]);
    let folder = first.path("data").display().to_string();
    assert!(listed.contains(&folder) && listed.contains("1 unused result in the shared store"), "{listed}");
    second.stdout(&["gc", "--older-than", "0s", "--delete"]);
    assert_eq!(group.workspaces().len(), 1);
    assert_eq!(second.run(&MAIN).ran(), [""; 0]);
    assert_eq!(first.run(&MAIN).ran(), ["copy"], "its result is computed again");
}

#[test]
fn a_shared_store_that_disappears_during_a_run_ends_the_run_and_loses_nothing() {
    let group = Group::new();
    let project = group.project("a\n");
    project.run(&MAIN);
    project.write("data/raw/b.txt", "b\n");
    project.write("stages/copy/copy.sh", "out=$1; shift; sleep 1; cat \"$@\" > \"$out\"\n");
    let run = project.start(&MAIN);
    until("a run", || !group.entries("staging").is_empty());
    let away = group.path().with_extension("away");
    fs::rename(group.path(), &away).expect("renamed");
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let error = project.refused("unreadable", &[&["run"], &MAIN[..]].concat());
    assert!(error.contains("does not exist"), "{error}");
    fs::rename(&away, group.path()).expect("renamed");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.status(&["verify"], 0);
}

#[test]
fn a_project_is_attached_to_a_shared_store_and_detached_without_computing_anything_again() {
    let group = Group::new();
    let project = Project::new();
    project.write("data/raw/items/a.csv", "a,x,1\nb,y,2\nc,x,3\n");
    let rows = ["-p", "rows", "-d", "", "-P", ""];
    project.run(&rows);
    let settings = project.read("callsheet.toml");
    let store = group.path().display().to_string();
    project.stdout(&["store", "attach", &store]);
    assert!(project.read("callsheet.toml").contains(&store));
    assert!(project.refused("conflict", &["store", "attach", &store]).contains("already"));
    assert_eq!(project.run(&rows).ran(), [""; 0]);
    project.write("data/raw/items/b.csv", "d,y,4\n");
    assert_eq!(computed(&project.run(&rows), "power"), Some(1));
    let status = project.stdout(&["store"]);
    let here = project.path("data").display().to_string();
    assert!(status.contains("1 project") && status.contains(&here) && status.contains("0 runs"), "{status}");
    project.stdout(&["pin", "before", "-p", "rows", "-d", "", "-P", ""]);
    let detached = project.stdout(&["store", "detach"]);
    assert!(detached.contains("3 results"), "{detached}");
    assert_eq!(project.read("callsheet.toml"), settings);
    assert_eq!(group.entries("workspaces"), none());
    fs::remove_dir_all(group.path()).expect("removed");
    assert_eq!(project.run(&rows).ran(), [""; 0], "the copies are complete");
    project.status(&["verify"], 0);
    project.write("data/raw/items/c.csv", "e,y,5\n");
    assert_eq!(computed(&project.run(&rows), "power"), Some(1), "the rows were copied, too");
    assert!(project.refused("conflict", &["store", "detach"]).contains("uses no shared store"));
    assert!(project.stdout(&["store"]).contains("store attach"));
}

#[test]
fn the_settings_of_the_user_take_precedence_over_those_of_the_project() {
    let (group, own) = (Group::new(), Group::new());
    let project = group.project("a\n");
    let config = tempfile::tempdir().expect("a folder");
    let file = config.path().join("callsheet/config.toml");
    fs::create_dir(config.path().join("callsheet")).expect("created");
    fs::write(&file, format!("store = {:?}\n", own.path())).expect("written");
    let home = config.path().display().to_string();
    let run = |words: &[&str]| {
        let output = project.command_with(&[("XDG_CONFIG_HOME", &home)], words);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&[&["run"], &MAIN[..]].concat()).0, Some(0));
    assert_eq!((own.entries("actions").len(), group.entries("actions").len()), (1, 0));
    fs::write(&file, "stroe = \"x\"\n").expect("written");
    let (code, said) = run(&["store"]);
    assert!(
        code == Some(2) && said.contains("config.toml") && said.contains("did you mean `store`"),
        "{said}"
    );
}

#[test]
fn two_projects_with_equal_names_and_a_copy_of_one_are_three_projects_of_the_store() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    first.run(&MAIN);
    second.run(&MAIN);
    let copy = Project::of(&first.path(""));
    copy.write("data/raw/a.txt", "copy\n");
    copy.run(&MAIN);
    assert_eq!(group.workspaces().len(), 3);
    first.stdout(&["gc", "--older-than", "0s", "--delete"]);
    for project in [&first, &second, &copy] {
        assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    }
}

#[test]
fn a_full_shared_store_fails_the_stage_and_leaves_nothing_of_it() {
    let group = Group::new();
    let project = group.project("a\n");
    project.write("stages/copy/copy.sh", "head -c 3000000 /dev/zero > \"$1\"\n");
    let root = group.path().display().to_string();
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=2775 none '{root}' && cd '{}' && ! \"$0\" run -p main && ls '{root}/actions' '{root}/objects'; \
         umount -l '{root}'; test -z \"$(ls '{root}/objects' 2>&-)\"",
        project.path("").display()
    );
    let output = with_own_mounts(&script);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(".json"), "nothing is recorded");
}

#[test]
fn the_check_of_a_store_needs_a_second_process_and_says_what_the_file_system_guarantees() {
    let group = Group::new();
    let project = group.project("a\n");
    let here = group.path().display().to_string();
    let said = project.stdout(&["store", "check", "--with", &here]);
    assert!(said.contains("can hold a shared store") && said.contains("seen by the other process"), "{said}");
    let alone = project.refused("busy", &["store", "check", "--wait", "1s", "--json"]);
    assert!(alone.contains("another machine"), "{alone}");
    let own = Project::minimal();
    own.refused("missing_argument", &["store", "check"]);
}

#[test]
fn a_stage_version_that_two_programs_compute_is_warned_of_once() {
    let group = Group::new();
    let warned = |run: &Run| {
        let messages = run.events().iter().filter_map(|event| event["said"]["log"]["message"].as_str());
        messages.filter(|message| message.contains("by another program before")).count()
    };
    let project = group.project("a\n");
    let shell = fs::read("/bin/sh").expect("a shell");
    for (number, warnings) in [(0, 0), (1, 1), (2, 0)] {
        let mut program = shell.clone();
        // The bytes after the end of a program are not used.
        program.extend(vec![0; number.min(1)]);
        let path = project.path(&format!("sh{number}"));
        fs::write(&path, program).expect("written");
        mode(&path, 0o755);
        project.write("data/raw/a.txt", &format!("{number}\n"));
        let settings = project.read("callsheet.toml");
        let settings = settings.split("[programs]").next().expect("settings").to_owned();
        project.write("callsheet.toml", &format!("{settings}[programs]\nsh = \"sh{number}\"\n"));
        assert_eq!(warned(&project.run(&MAIN)), warnings, "{number}");
    }
}

/// Exit code and output of a command in which these system calls fail; `None`, with a message, without strace.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn with_error(calls: &str, error: &str, project: &Project, words: &[&str]) -> Option<(Option<i32>, String)> {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("inject={calls}:error={error}")]);
    let output =
        command.arg(env!("CARGO_BIN_EXE_callsheet")).args(words).current_dir(project.path("")).output();
    let Ok(output) = output else {
        eprintln!("skipped: strace is not installed");
        return None;
    };
    Some((output.status.code(), both(&output)))
}

fn both(output: &std::process::Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn a_file_system_without_links_or_with_an_exhausted_quota_is_refused_and_nothing_is_recorded() {
    let group = Group::new();
    let project = group.project("a\n");
    let run = [&["run"], &MAIN[..]].concat();
    let Some((code, said)) = with_error("link,linkat", "EPERM", &project, &run) else { return };
    assert!(
        code == Some(2)
            && said.contains("does not create hard links")
            && said.contains("another file system"),
        "{said}"
    );
    project.run(&MAIN);
    project.write("data/raw/a.txt", "b\n");
    let before = group.entries("actions");
    let (code, said) = with_error("fsync,fdatasync", "EDQUOT", &project, &run).expect("strace");
    assert!(code == Some(1) && said.contains("Disk quota exceeded"), "{said}");
    assert_eq!(group.entries("actions"), before);
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.status(&["verify"], 0);
}

/// Library that adds a number of seconds to the clock of a program; times of files stay as they are.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  const char *off = getenv("CLOCK_OFF");
  if (!failed && clock == CLOCK_REALTIME && off) now->tv_sec += atol(off);
  return failed;
}
"#;

#[test]
fn a_clock_that_is_an_hour_off_neither_takes_work_over_nor_removes_young_results() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    let library = second.path("clock.so");
    second.write("clock.c", CLOCK);
    let mut compiler = Command::new("cc");
    let compiled =
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(second.path("clock.c")).status();
    assert!(compiled.expect("a compiler, which Rust needs, too").success());
    let with_clock = |off: &str, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(words).env("LD_PRELOAD", &library).env("CLOCK_OFF", off).current_dir(second.path(""));
        let output = command.output().expect("callsheet starts");
        assert!(output.status.success(), "{}", both(&output));
        both(&output)
    };
    // A young result that nobody needs, and work in progress.
    first.write("data/raw/b.txt", "b\n");
    first.run(&MAIN);
    fs::remove_file(first.path("data/raw/b.txt")).expect("removed");
    for project in [&first, &second] {
        project.write("stages/copy/copy.sh", "sleep 3; cat \"$2\" > \"$1\"\n");
    }
    let running = first.start(&MAIN);
    let lease = || {
        group
            .entries("leases")
            .iter()
            .flat_map(fs::read_dir)
            .flatten()
            .flatten()
            .any(|lease| lease.path().extension().is_some_and(|kind| kind == "0"))
    };
    until("a lease", lease);
    for off in ["3600", "-3600"] {
        let said = with_clock(off, &["gc", "--older-than", "30min", "--delete"]);
        assert!(said.contains("0 unused results in the shared store"), "{off}: {said}");
    }
    let said = with_clock("3600", &[&["run"], &MAIN[..]].concat());
    assert!(said.contains("waiting for run") && !said.contains("1 stage run"), "{said}");
    assert!(with_clock("-3600", &[&["run"], &MAIN[..]].concat()).contains("nothing to do"));
    let id = second.json(&["runs", "--json"])["runs"][0]["id"].as_str().expect("an id").to_owned();
    let hour = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
    assert!(
        id.replace('-', ":") > hour.replace('-', ":"),
        "the clock of this run was ahead: {id} after {hour}"
    );
    assert!(running.wait_with_output().expect("ended").status.success());
}
