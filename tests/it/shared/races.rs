//! Many processes on two mounts of one shared store.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use callsheet::store::Store;
use callsheet_worker::digest::Digest;

use super::group::Mounts;
use crate::support::{MAIN, Project};

/// Variables of a process that takes leases: the store, its own folder, and the number of keys.
const STORE: &str = "CALLSHEET_TEST_STORE";
const OWN: &str = "CALLSHEET_TEST_OWN";
const KEYS: &str = "CALLSHEET_TEST_KEYS";

/// Key with this number.
fn key(number: usize) -> Digest {
    blake3::hash(&number.to_le_bytes()).into()
}

/// Starts this test program again as a process that takes leases on all keys.
fn start(store: &Path, own: &Path, keys: usize) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", "shared::races::a_process_that_takes_leases", "--ignored"]);
    command.env(STORE, store).env(OWN, own).env(KEYS, keys.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("started")
}

#[test]
#[ignore = "a part of another test"]
fn a_process_that_takes_leases() {
    let Some(store) = env::var_os(STORE) else { return };
    let own = PathBuf::from(env::var_os(OWN).expect("a folder"));
    let keys: usize = env::var(KEYS).expect("a number").parse().expect("a number");
    let store = Store::open_shared(&own, Path::new(&store)).expect("a store");
    store.create().expect("created");
    let _alive = store.run_staging(&own.file_name().expect("a name").to_string_lossy()).expect("a run");
    let mut held = Vec::new();
    let mut granted = String::new();
    for number in 0..keys {
        // A key that another process holds is left to it.
        if let Some(claim) = store.claim(&key(number), "", |_| false).expect("claimed") {
            granted += &format!("{number}\n");
            held.push(claim);
        }
    }
    fs::write(own.join("granted"), granted).expect("written");
    // The leases are held until all processes have tried.
    while !own.parent().expect("a folder").join("end").exists() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Number of processes to which each key was granted.
fn grants(folders: &[PathBuf]) -> BTreeMap<usize, usize> {
    let mut grants = BTreeMap::new();
    for folder in folders {
        let text = fs::read_to_string(folder.join("granted")).expect("granted");
        text.lines().for_each(|number| *grants.entry(number.parse().expect("a number")).or_default() += 1);
    }
    grants
}

fn wait_for(folders: &[PathBuf]) {
    while !folders.iter().all(|folder| folder.join("granted").exists()) {
        thread::sleep(Duration::from_millis(50));
    }
}

/// Lets eight processes race for leases. Returns how often each key was granted, first to all of them, and then to four new
/// ones after four of the first had been killed.
fn race(mounts: &Mounts, keys: usize) -> (BTreeMap<usize, usize>, BTreeMap<usize, usize>) {
    let scratch = tempfile::tempdir().expect("a folder");
    // On a busy machine, a heartbeat can be late.
    let settings = "heartbeat = 0.5\nexpiry = 20.0\n";
    fs::write(mounts.group.path().join("store.toml"), settings).expect("written");
    let folder = |number: usize| scratch.path().join(format!("process{number}"));
    let begin = |numbers: std::ops::Range<usize>| -> Vec<(PathBuf, Child)> {
        let one = |number: usize| {
            let own = folder(number);
            fs::create_dir(&own).expect("created");
            let child = start(mounts.path(number % 2), &own, keys);
            (own, child)
        };
        numbers.map(one).collect()
    };
    let (mut first, mut all) = (begin(0..8), Vec::new());
    let folders: Vec<PathBuf> = first.iter().map(|(own, _)| own.clone()).collect();
    wait_for(&folders);
    let granted = grants(&folders);
    for (own, child) in &mut first[..4] {
        child.kill().expect("killed");
        child.wait().expect("ended");
        fs::remove_file(own.join("granted")).expect("removed");
    }
    let second = begin(8..12);
    let new: Vec<PathBuf> = second.iter().map(|(own, _)| own.clone()).collect();
    wait_for(&new);
    let alive: Vec<PathBuf> = folders[4..].iter().chain(&new).cloned().collect();
    let taken_over = grants(&alive);
    fs::write(scratch.path().join("end"), "").expect("written");
    all.extend(first.into_iter().skip(4).chain(second));
    all.into_iter().for_each(|(_, mut child)| assert!(child.wait().expect("ended").success()));
    (granted, taken_over)
}

fn check_race(keys: usize) {
    let Some(mounts) = Mounts::new() else { return };
    let (granted, taken_over) = race(&mounts, keys);
    for (what, grants) in [("first", granted), ("after four processes were killed", taken_over)] {
        assert_eq!(grants.len(), keys, "{what}");
        let twice: Vec<_> = grants.iter().filter(|(_, times)| **times != 1).collect();
        assert_eq!(twice, [], "{what}");
    }
}

#[test]
fn of_eight_processes_on_two_mounts_one_gets_each_lease() {
    check_race(200);
}

#[test]
#[ignore = "takes minutes; `make test-shared` runs it"]
fn of_eight_processes_on_two_mounts_one_gets_each_of_ten_thousand_leases() {
    check_race(10_000);
}

/// A project whose pipeline has this number of stages.
fn wide(stages: usize) -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stages: String = (0..stages)
        .map(|n| format!("[stages.copy{n}]\nuse = \"copy\"\ninputs.texts = \"texts\"\nparams.number = {n}\n"))
        .collect();
    project.write(
        "pipelines/main.toml",
        &format!("summary = \"Copies\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n{stages}"),
    );
    let stage = project
        .read("stages/copy/stage.toml")
        .replace("\"{inputs.texts}\"", "\"{params.number}\", \"{inputs.texts}\"");
    project.write(
        "stages/copy/stage.toml",
        &(stage + "[params.number]\ntype = \"int\"\ndefault = 0\ndoc = \"Number\"\n"),
    );
    project.write("stages/copy/copy.sh", "echo $2 > \"$1\"\n");
    project
}

/// Removes all leases again and again, so that every process starts every action.
fn without_leases<T>(leases: &Path, work: impl FnOnce() -> T) -> T {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                for shelf in fs::read_dir(leases).into_iter().flatten().flatten() {
                    for lease in fs::read_dir(shelf.path()).into_iter().flatten().flatten() {
                        let _ = fs::remove_file(lease.path());
                    }
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let done = work();
        ended.store(true, Relaxed);
        done
    })
}

fn check_commits(actions: usize) {
    let Some(mounts) = Mounts::new() else { return };
    let projects: Vec<Project> = (0..4).map(|_| wide(actions)).collect();
    projects.iter().enumerate().for_each(|(number, project)| mounts.attach(project, number % 2));
    // Two of the processes perform every action whatever the others have done.
    let run = |(number, project): (usize, &Project)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(["run", "--json", "--jobs", "2"]).args(MAIN).current_dir(project.path(""));
        let all = (0..if number < 2 { actions } else { 0 }).map(|stage| format!("--force=copy{stage}"));
        command.args(all);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("callsheet starts")
    };
    let started = without_leases(&mounts.group.path().join("leases"), || {
        let runs: Vec<Child> = projects.iter().enumerate().map(run).collect();
        let mut started: BTreeMap<String, usize> = BTreeMap::new();
        for run in runs {
            let output = run.wait_with_output().expect("ended");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let event: serde_json::Value = serde_json::from_str(line).expect("an event");
                if event["event"] == "started" {
                    *started.entry(event["stage"].as_str().expect("a stage").to_owned()).or_default() += 1;
                }
            }
        }
        started
    });
    let twice = started.values().filter(|times| **times > 1).count();
    assert_eq!(twice, actions, "every action was started more than once");
    let records = mounts.group.entries("actions");
    assert_eq!(records.len(), actions, "one record for each action, and no draft");
    assert_eq!(mounts.group.entries("diverged").len(), 0);
    for project in &projects {
        project.status(&["verify"], 0);
        assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    }
}

#[test]
fn actions_that_several_processes_perform_at_once_have_one_record_each() {
    check_commits(20);
}

#[test]
#[ignore = "takes minutes; `make test-shared` runs it"]
fn a_thousand_actions_that_four_processes_perform_at_once_have_one_record_each() {
    check_commits(1000);
}
