//! One run of the complete pipeline in profile `test`, which the suite computes once and any test may start
//! from.
//!
//! The run is kept in the build folder under a digest of both programs, the declarations of stages and
//! pipelines, and the list of files that `make setup` fetches. A test of a cold run, or of a training's first
//! steps, starts with an empty store instead.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::flagship::{command, engine, project, repository};

/// Time without use after which a run is removed, because it belongs to an older build.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// File with the events of the run, one JSON object for each line.
const EVENTS: &str = "events.ndjson";

/// A project in which the complete pipeline has run, with its results, views, history and checkpoints.
pub(crate) fn finished() -> TempDir {
    let project = project();
    share_results(&project);
    take(&project, &["out", "store/latest", "store/runs", "store/scratch"]);
    project
}

/// A project that has never run and whose store contains all results of the pipeline, but no checkpoint.
pub(crate) fn with_results() -> TempDir {
    let project = project();
    share_results(&project);
    project
}

/// Copies the results of the pipeline into a project, so that stages with equal keys need not run.
pub(crate) fn share_results(project: &TempDir) {
    take(project, &["store/actions", "store/objects", "store/rows"]);
    for folder in ["latest", "runs", "scratch", "locks", "staging"] {
        fs::create_dir_all(project.path().join("data/store").join(folder)).expect("created");
    }
}

/// Copies folders of the shared run's data.
fn take(project: &TempDir, folders: &[&str]) {
    let run = shared_run();
    for folder in folders {
        let link = folder == &"store/objects";
        copy(&run.join("data").join(folder), &project.path().join("data").join(folder), link);
    }
}

/// Events of the cold run that other tests start from.
pub(crate) fn events_of_the_cold_run() -> String {
    fs::read_to_string(shared_run().join(EVENTS)).expect("events")
}

/// Folder of the shared run's project. The first test that needs the run computes it.
#[expect(clippy::disallowed_methods, reason = "the time of last use is not part of any artifact")]
fn shared_run() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared_runs");
    fs::create_dir_all(&all).expect("created");
    let run = all.join(digest());
    // Each test is a separate process; the others wait for the first.
    let lock = File::create(all.join("lock")).expect("created");
    lock.lock().expect("locked");
    if !run.join(EVENTS).exists() {
        remove_old(&all);
        let made = project();
        let output = command(made.path(), "test", &["run", "--json"]).output().expect("callsheet starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let whole = tempfile::tempdir_in(&all).expect("a folder");
        copy(&made.path().join("data/store"), &whole.path().join("data/store"), false);
        copy(&made.path().join("data/out"), &whole.path().join("data/out"), false);
        fs::write(whole.path().join(EVENTS), output.stdout).expect("written");
        fs::rename(whole.keep(), &run).expect("renamed");
    }
    File::open(&run).and_then(|folder| folder.set_modified(SystemTime::now())).expect("marked as used");
    run
}

fn remove_old(all: &Path) {
    for run in fs::read_dir(all).expect("listed").flatten().filter(|entry| entry.path().is_dir()) {
        let used = run.metadata().and_then(|found| found.modified());
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > KEPT)) {
            fs::remove_dir_all(run.path()).expect("removed");
        }
    }
}

/// Digest of the programs, all declarations and the list of fetched files.
fn digest() -> String {
    let mut files = vec![engine(), env!("CARGO_BIN_EXE_callsheet-stages").into()];
    declarations(&repository().join("stages"), &mut files);
    declarations(&repository().join("pipelines"), &mut files);
    files.push(repository().join("setup/pins.json"));
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update(blake3::hash(&fs::read(&file).expect("readable")).as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Every TOML file below a folder.
fn declarations(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            declarations(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

/// Copies a folder with its symbolic links. With `link`, files become hard links where the file system allows
/// it, which is safe for the store's objects because they never change.
fn copy(from: &Path, to: &Path, link: bool) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("listed") {
        let (from, to) =
            (entry.as_ref().expect("an entry").path(), to.join(entry.expect("an entry").file_name()));
        let found = fs::symlink_metadata(&from).expect("there");
        if found.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from).expect("a link"), to).expect("linked");
        } else if found.is_dir() {
            copy(&from, &to, link);
        } else if !link || fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).expect("copied");
            let times = FileTimes::new().set_modified(found.modified().expect("a time"));
            File::open(&to).and_then(|file| file.set_times(times)).expect("a copied time");
        }
    }
}
