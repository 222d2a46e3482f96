//! Contents decide what runs, never a time stamp.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use callsheet::run::StoreSnapshot;
use callsheet::store::Store;
use callsheet::target::Target;

use crate::support::{MAIN, Project, until};

/// A project with one stage, which runs `script` on the raw files with `$out` as the path of its output.
fn project(script: &str) -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", &format!("out=$1; shift\n{script}\n"));
    project
}

fn tool(program: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it starts");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn files_of_results_have_the_time_at_which_they_were_made() {
    let project = project("cat \"$@\" > \"$out\"");
    let before = SystemTime::now() - Duration::from_secs(1);
    project.run(&MAIN);
    let made =
        fs::metadata(project.path("data/out/main/copy/copy.txt")).expect("shown").modified().expect("a time");
    assert!(made >= before && made <= SystemTime::now() + Duration::from_secs(1), "{made:?}");
}

#[test]
fn a_file_that_is_touched_or_replaced_by_an_equal_one_during_a_run_has_not_changed() {
    let project = project("sleep 2; cat \"$@\" > \"$out\"");
    let mut run = project.start(&MAIN);
    sleep(Duration::from_millis(700));
    project.write("data/raw/a.txt", "a\n");
    let script = project.read("stages/copy/copy.sh");
    project.write("stages/copy/new.sh", &script);
    fs::rename(project.path("stages/copy/new.sh"), project.path("stages/copy/copy.sh")).expect("renamed");
    assert!(run.wait().expect("ended").success());
    assert_eq!(project.run(&MAIN).ran(), [""; 0]);
}

#[test]
fn a_file_that_changes_during_a_run_ends_the_run_early_and_is_named() {
    let project = project("sleep 60; cat \"$@\" > \"$out\"");
    let begun = Instant::now();
    let run = project.start(&MAIN);
    until("the worker runs", || project.exists("data/store/staging"));
    sleep(Duration::from_millis(500));
    // The time of the change is hidden, as by `touch -r`; the change time of the file is not.
    let path = project.path("data/raw/a.txt");
    let time = fs::metadata(&path).expect("metadata").modified().expect("a time");
    fs::write(&path, "b\n").expect("written");
    File::options().write(true).open(&path).expect("opened").set_modified(time).expect("set");
    let output = run.wait_with_output().expect("ended");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("callsheet::input_changed") && stderr.contains("data/raw/a.txt"), "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(40), "the worker was not ended early");
}

#[test]
fn a_copy_of_a_project_keeps_its_results_whatever_happens_to_times() {
    let project = project("cat \"$@\" > \"$out\"");
    project.run(&MAIN);
    let copies = tempfile::tempdir().expect("a folder");
    let root = project.path("");
    tool("cp", &["-r", ".", &copies.path().join("cp").display().to_string()], &root);
    let archive = copies.path().join("a.tar").display().to_string();
    tool("tar", &["cf", &archive, "."], &root);
    fs::create_dir(copies.path().join("tar")).expect("created");
    tool("tar", &["xmf", &archive], &copies.path().join("tar"));
    let zip = copies.path().join("a.zip").display().to_string();
    tool("python3", &["-m", "zipfile", "-c", &zip, "callsheet.toml", "pipelines", "stages", "data"], &root);
    tool("python3", &["-m", "zipfile", "-e", &zip, "zip"], copies.path());
    tool("git", &["init", "-q"], &root);
    tool("git", &["add", "-f", "."], &root);
    tool("git", &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"], &root);
    tool("git", &["clone", "-q", &root.display().to_string(), "git"], copies.path());
    for copy in ["cp", "tar", "zip", "git"] {
        let copy = Project::at(&copies.path().join(copy));
        assert_eq!(copy.run(&MAIN).ran(), [""; 0], "{}", copy.path("").display());
        copy.status(&["verify"], 0);
        assert_eq!(copy.run(&MAIN).ran(), [""; 0]);
    }
}

#[test]
fn a_copied_project_is_hashed_once_with_progress() {
    let project = project("head -c 20000000 /dev/zero > \"$out\"");
    project.run(&MAIN);
    let copies = tempfile::tempdir().expect("a folder");
    tool("cp", &["-r", ".", &copies.path().join("cp").display().to_string()], &project.path(""));
    let copy = Project::at(&copies.path().join("cp"));
    let hashed = || {
        let steps = Mutex::new(Vec::new());
        let store = Store::open(&copy.path("data/store")).expect("a store");
        StoreSnapshot::new(&store, &copy.path("data"), &Target::new("main", "", ""), |done, total| {
            steps.lock().expect("not poisoned").push((done, total));
        });
        steps.into_inner().expect("not poisoned")
    };
    let steps = hashed();
    assert!(steps.len() > 2, "{steps:?}");
    assert_eq!(steps.last(), Some(&(20_000_000, 20_000_000)));
    assert_eq!(hashed(), []);
}

#[test]
fn a_result_that_was_changed_in_the_store_is_computed_again() {
    let project = project("cat \"$@\" > \"$out\"");
    project.run(&MAIN);
    let result = fs::canonicalize(project.path("data/out/main/copy/copy.txt")).expect("a result");
    project.overwrite(&result, "b\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
}

#[test]
fn a_result_that_was_overwritten_by_another_with_its_times_is_computed_again() {
    let project = project("cat \"$@\" > \"$out\"");
    let stored = || fs::canonicalize(project.path("data/out/main/copy/copy.txt")).expect("a result");
    project.run(&MAIN);
    let first = stored();
    project.write("data/raw/a.txt", "b\n");
    project.run(&MAIN);
    tool("cp", &["-fp", &first.display().to_string(), &stored().display().to_string()], &project.path(""));
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "b\n");
}

/// The reason that `plan` prints for the stage `copy`.
fn reason(project: &Project, options: &[&str]) -> String {
    let plan = project.json(&[&["plan", "--json"], &MAIN[..], options].concat());
    plan["stages"][0]["reasons"][0].as_str().unwrap_or("none").to_owned()
}

#[test]
fn the_reason_why_a_stage_runs_is_the_true_one() {
    let project = project("cat \"$@\" > \"$out\"");
    assert_eq!(reason(&project, &[]), "never ran");
    let stage = project.read("stages/copy/stage.toml");
    let with = |text: &str| project.write("stages/copy/stage.toml", &format!("{stage}{text}"));
    with("[params.margin]\ntype = \"float\"\ndefault = 0.0\ndoc = \"Margin\"\n");
    project.run(&MAIN);
    assert_eq!(reason(&project, &["--set", "copy.margin=-0.0"]), "none", "-0.0 is 0.0");
    assert_eq!(reason(&project, &["--set", "copy.margin=-0.5"]), "margin: 0.0 → -0.5");
    project.write("stages/copy/stage.toml", &stage);
    project.run(&MAIN);
    with("[outputs.log]\nkind = \"file\"\npath = \"log.txt\"\ndoc = \"Log\"\n");
    assert_eq!(reason(&project, &[]), "output log: new");
    project.write(
        "stages/copy/stage.toml",
        &stage.replace("kind = \"file\"\npath", "kind = \"directory\"\npath"),
    );
    assert_eq!(reason(&project, &[]), "output copy: another kind");
    project.write("stages/copy/stage.toml", &stage);
    assert_eq!(reason(&project, &[]), "none");
    let result = fs::canonicalize(project.path("data/out/main/copy/copy.txt")).expect("a result");
    project.overwrite(&result, "b\n");
    assert_eq!(reason(&project, &[]), "output copy was changed in the store");
    project.remove_file(&result);
    assert_eq!(reason(&project, &[]), "the result is not in the store any more");
    project.run(&MAIN);
    project.remove("data/store/actions");
    assert_eq!(reason(&project, &[]), "the result is not in the store any more");
}
