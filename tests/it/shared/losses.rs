//! Ways in which a shared store could lose or change a result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::computed;
use super::group::Group;
use crate::support::{MAIN, Project, until};

const ROWS: [&str; 6] = ["-p", "rows", "-d", "", "-P", ""];
const COLLECT: [&str; 4] = ["gc", "--older-than", "0s", "--delete"];

fn succeeded(run: Child) {
    let output = run.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Removes the second names of records, as if an hour had gone by.
fn forget_leases(group: &Group) {
    for shelf in group.entries("leases") {
        fs::remove_dir_all(shelf).expect("removed");
    }
}

#[test]
fn rows_that_a_run_reuses_and_its_folder_stay_however_long_it_works() {
    let group = Group::new();
    let (first, second) = (group.rows(), group.rows());
    first.write("data/raw/items/a.csv", "a,x,1\nb,y,2\n");
    first.run(&ROWS);
    second.write("data/raw/items/a.csv", "a,x,1\nb,y,2\nc,x,3\n");
    let slow = second
        .read("pipelines/rows.toml")
        .replace("[stages.power]\n", "[stages.power]\nparams.seconds = 5.0\n");
    second.write("pipelines/rows.toml", &slow);
    let run = second.start(&ROWS);
    let attempts = || -> Vec<PathBuf> {
        let attempts = group.entries("scratch").into_iter().flat_map(fs::read_dir).flatten().flatten();
        attempts.map(|attempt| attempt.path()).filter(|attempt| attempt.join("rows").is_dir()).collect()
    };
    until("the rows of a worker", || !attempts().is_empty());
    // The worker has been at work for hours, and nobody else needs the rows that it does not compute.
    let old = Command::new("touch").args(["-d", "3 hours ago"]).args(attempts()).status();
    assert!(old.expect("touch starts").success());
    first.stdout(&["store", "detach"]);
    group.project("a\n").stdout(&COLLECT);
    assert!(!attempts().is_empty(), "the folder of a running worker is not removed");
    succeeded(run);
    second.status(&["verify"], 0);
    second.write("data/raw/items/a.csv", "a,x,1\nb,y,2\nc,x,3\nd,x,4\n");
    assert_eq!(computed(&second.run(&ROWS), "power"), Some(1));
}

#[test]
fn inputs_that_a_run_found_before_its_first_action_stay_until_it_has_ended() {
    let group = Group::new();
    let project = || {
        let project = group.project("a\n");
        project.write(
            "pipelines/main.toml",
            "summary = \"Copies\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n[stages.copy]\ninputs.texts = \"texts\"\n\
             [stages.again]\nuse = \"copy\"\ninputs.texts = \"copy.copy\"\n",
        );
        project.write(
            "stages/copy/stage.toml",
            &project.read("stages/copy/stage.toml").replace("\"files\"", "\"file\""),
        );
        project
    };
    let (first, second) = (project(), project());
    first.run(&["-p", "main", "-d", "", "-P", "", "copy"]);
    let slow = "case \"$2\" in *objects*) sleep 2;; esac; cat \"$2\" > \"$1\"\n";
    second.write(
        "pipelines/main.toml",
        &second
            .read("pipelines/main.toml")
            .replace("[stages.again]\nuse = \"copy\"", "[stages.again]\nuse = \"slow\""),
    );
    second.write("stages/slow/stage.toml", &second.read("stages/copy/stage.toml"));
    second.write("stages/slow/copy.sh", slow);
    let run = second.start(&MAIN);
    until("a second action", || {
        fs::read_dir(second.path("data/store/runs")).is_ok_and(|mut runs| runs.next().is_some())
    });
    sleep(Duration::from_millis(300));
    first.write("data/raw/a.txt", "b\n");
    first.run(&["-p", "main", "-d", "", "-P", "", "copy"]);
    first.stdout(&COLLECT);
    succeeded(run);
    assert_eq!(second.run(&MAIN).ran(), [""; 0]);
}

#[test]
fn a_result_that_was_computed_while_an_older_one_was_set_aside_stays() {
    let group = Group::new();
    let settings = "heartbeat = 0.2\nexpiry = 1.0\ngrace = 2.0\n";
    fs::write(group.path().join("store.toml"), settings).expect("written");
    let (first, second) = (group.project("a\n"), group.project("a\n"));
    for project in [&first, &second] {
        project.write("stages/copy/copy.sh", "date +%s%N > \"$1\"\n");
    }
    first.run(&MAIN);
    first.write("data/raw/a.txt", "b\n");
    first.run(&MAIN);
    forget_leases(&group);
    let mut collect = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    collect.args(COLLECT).current_dir(first.path("")).stdout(Stdio::null()).stderr(Stdio::piped());
    let collect = collect.spawn().expect("callsheet starts");
    until("a result that is set aside", || group.entries("actions").len() == 1);
    assert_eq!(second.run(&MAIN).ran(), ["copy"]);
    let shown = second.read("data/out/main/copy/copy.txt");
    succeeded(collect);
    assert_eq!(second.run(&MAIN).ran(), [""; 0]);
    assert_eq!(second.read("data/out/main/copy/copy.txt"), shown);
    second.status(&["verify"], 0);
}

#[test]
fn damaged_results_are_not_copied_when_a_project_is_detached() {
    let group = Group::new();
    let project = group.project("a\n");
    project.run(&MAIN);
    let object = fs::canonicalize(project.path("data/out/main/copy/copy.txt")).expect("an object");
    project.overwrite(&object, "b\n");
    let output = project.command(&["store", "detach"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("not copied: copy"), "{said}");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
}

#[test]
fn runs_of_one_project_at_one_time_keep_the_results_of_both() {
    let group = Group::new();
    let (project, collector) = (group.project("a\n"), group.project("b\n"));
    let names: Vec<String> = (0..4).map(|number| format!("main{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let pipeline =
            project.read("pipelines/main.toml").replace("inputs.texts", "params.number = 1\ninputs.texts");
        project.write(
            &format!("pipelines/{name}.toml"),
            &pipeline.replace("number = 1", &format!("number = {number}")),
        );
    }
    let stage = project.read("stages/copy/stage.toml");
    project.write(
        "stages/copy/stage.toml",
        &(stage + "[params.number]\ntype = \"int\"\ndefault = 9\ndoc = \"Number\"\n"),
    );
    let runs: Vec<Child> =
        names.iter().map(|name| project.start(&["-p", name, "-d", "", "-P", ""])).collect();
    runs.into_iter().for_each(succeeded);
    collector.stdout(&COLLECT);
    for name in &names {
        assert_eq!(project.run(&["-p", name, "-d", "", "-P", ""]).ran(), [""; 0]);
    }
}

#[test]
fn garbage_collection_is_refused_if_the_needs_of_a_project_cannot_be_read() {
    let group = Group::new();
    let (first, second) = (group.project("a\n"), group.project("b\n"));
    first.run(&MAIN);
    let registration = group.entries("workspaces").into_iter().max().expect("a registration");
    let text = fs::read_to_string(&registration).expect("read");
    fs::write(&registration, &text[..text.len() / 2]).expect("written");
    let error = second.refused("unreadable", &COLLECT);
    assert!(error.contains("nothing was removed"), "{error}");
    assert_eq!(first.run(&MAIN).ran(), [""; 0]);
    fs::write(&registration, text).expect("written");
    second.stdout(&COLLECT);
}

#[test]
fn a_damaged_folder_without_a_record_is_replaced() {
    let group = Group::new();
    let project = Project::minimal_folder();
    project.write("stages/copy/copy.sh", "mkdir -p \"$1\"; echo a > \"$1/a\"; echo b > \"$1/b\"\n");
    project.write("data/raw/a.txt", "a\n");
    group.attach(&project);
    project.run(&MAIN);
    let object = fs::canonicalize(project.path("data/out/main/copy/tree")).expect("an object");
    fs::remove_file(object.join("b")).expect("removed");
    group.entries("actions").iter().for_each(|record| fs::remove_file(record).expect("removed"));
    forget_leases(&group);
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    assert_eq!(project.read("data/out/main/copy/tree/b"), "b\n");
    project.status(&["verify"], 0);
    // With its record, the folder is removed by `verify --heal`.
    fs::remove_file(object.join("b")).expect("removed");
    project.status(&["verify"], 1);
    project.stdout(&["verify", "--heal"]);
    assert_eq!(group.entries("actions").len(), 0);
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.status(&["verify"], 0);
}

#[test]
fn the_folder_of_a_failed_worker_is_kept_on_another_file_system() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        return;
    }
    let group = Group::below(memory);
    let project = group.project("a\n");
    project.write("stages/copy/copy.sh", "echo trace > trace.txt; exit 1\n");
    let error = project.run_failing("worker_failed", &[&MAIN[..], &["--keep-failed"]].concat());
    let kept = crate::support::kept_folder(&error);
    assert_eq!(fs::read_to_string(kept.join("trace.txt")).expect("kept"), "trace\n");
}

#[test]
fn the_path_of_an_attached_store_has_no_relative_parts() {
    let group = Group::new();
    let project = Project::minimal();
    let folder = group.path().join("../").join(group.path().file_name().expect("a name"));
    project.stdout(&["store", "attach", &folder.display().to_string()]);
    assert!(!project.read("callsheet.toml").contains(".."), "{}", project.read("callsheet.toml"));
}
