//! Runs that are killed next to others and to garbage collection.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::group::Mounts;
use crate::support::{MAIN, Project};

/// A project with a chain of stages: a file, a folder, and a table of rows.
fn chain() -> Project {
    let project = Project::minimal_folder();
    project.write(
        "stages/copy/copy.sh",
        "out=$1; shift; mkdir -p \"$out/deep\"; cat \"$@\" > \"$out/a\"; cat \"$@\" > \"$out/deep/b\"\n",
    );
    project.write(
        "stages/join/stage.toml",
        "summary = \"Joins\"\nversion = 1\ncommand = [\"sh\", \"join.sh\", \"{outputs.all}\", \"{inputs.tree}\"]\n\
         [inputs.tree]\nkind = \"directory\"\ndoc = \"A folder\"\n\
         [outputs.all]\nkind = \"file\"\npath = \"all.txt\"\ndoc = \"All files\"\n",
    );
    project.write("stages/join/join.sh", "cat \"$2/a\" \"$2/deep/b\" > \"$1\"\n");
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &(pipeline + "[stages.join]\ninputs.tree = \"copy.copy\"\n"));
    project
}

fn command(project: &Project, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.args(words).current_dir(project.path("")).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Objects that a record names and the store lacks. A record that has gone in the meantime may lack everything.
fn lacking(store: &Path) -> Vec<String> {
    let mut lacking = Vec::new();
    for entry in fs::read_dir(store.join("actions")).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let record: Value = serde_json::from_str(&text).expect("a record is never seen in part");
        for (output, object) in record["outputs"].as_object().expect("outputs") {
            let bytes = object["bytes"].as_str().expect("a digest");
            if !store.join("objects").join(&bytes[..2]).join(bytes).exists() && path.exists() {
                lacking.push(format!("{output} of {}: {bytes}", path.display()));
            }
        }
    }
    lacking
}

/// Kills a run `times` times at different moments, while two others and garbage collection go on.
fn check_kills(times: u64) {
    let Some(mounts) = Mounts::new() else { return };
    let settings = "heartbeat = 0.2\nexpiry = 1.0\ngrace = 1.0\n";
    fs::write(mounts.group.path().join("store.toml"), settings).expect("written");
    let (killed, steady, collector) = ([chain(), chain()], [chain(), chain()], chain());
    for mount in 0..2 {
        mounts.attach(&killed[mount], mount);
        mounts.attach(&steady[mount], mount);
    }
    mounts.attach(&collector, 0);
    let (ended, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
    let again = |project: &Project, words: &[&str], number: &mut usize| {
        while !ended.load(Relaxed) {
            *number += 1;
            project.write("data/raw/a.txt", &format!("{}\n", *number % 3));
            let output = command(project, words).output().expect("callsheet starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            runs.fetch_add(1, Relaxed);
        }
    };
    let run = [&["run"], &MAIN[..]].concat();
    thread::scope(|scope| {
        for (number, project) in steady.iter().enumerate() {
            let (run, again) = (&run, &again);
            scope.spawn(move || again(project, run, &mut (number * 100)));
        }
        scope.spawn(|| again(&collector, &["gc", "--older-than", "0s", "--delete"], &mut 0));
        for time in 0..times {
            let project = &killed[time as usize % 2];
            project.write("data/raw/a.txt", &format!("{}\n", time % 5));
            let mut run = command(project, &run).spawn().expect("callsheet starts");
            let [a, b, ..] = *blake3::hash(&time.to_le_bytes()).as_bytes();
            thread::sleep(Duration::from_millis(u64::from(u16::from_le_bytes([a, b])) % 300));
            run.kill().expect("killed");
            run.wait().expect("ended");
        }
        ended.store(true, Relaxed);
    });
    assert!(runs.load(Relaxed) > times as usize / 20, "other runs went on");
    assert_eq!(lacking(mounts.group.path()), [""; 0]);
    for project in killed.iter().chain(&steady) {
        project.run(&MAIN);
        project.status(&["verify"], 0);
        assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    }
}

#[test]
fn no_record_lacks_an_object_after_runs_were_killed_next_to_garbage_collection() {
    check_kills(10);
}

#[test]
#[ignore = "takes minutes; `make test-shared` runs it"]
fn no_record_lacks_an_object_after_two_hundred_runs_were_killed_next_to_garbage_collection() {
    check_kills(200);
}
