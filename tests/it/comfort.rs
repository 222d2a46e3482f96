//! Commands and options that make daily work comfortable: status, logs, quiet runs, other folders, completions, man
//! pages, notifications.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{MAIN, Project, until};

/// A project whose stage prints two lines.
fn printing() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project
        .write("stages/copy/copy.sh", "out=$1; shift; echo copying; echo done >&2; cat \"$@\" > \"$out\"\n");
    project
}

fn with(arguments: &[&'static str]) -> Vec<&'static str> {
    [arguments, &MAIN].concat()
}

fn stderr(project: &Project, arguments: &[&str]) -> String {
    String::from_utf8(project.command(arguments).stderr).expect("text")
}

#[test]
fn a_command_can_run_in_another_folder() {
    let project = printing();
    let callsheet = |folder: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(["-C", folder, "plan"]).args(MAIN).current_dir("/").output().expect("callsheet starts")
    };
    let folder = project.path("stages");
    assert!(callsheet(folder.to_str().expect("UTF-8")).status.success());
    let refused = callsheet("/does/not/exist");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("cannot enter /does/not/exist"), "{said}");
}

#[test]
fn a_quiet_run_prints_only_problems() {
    let project = printing();
    assert_eq!(stderr(&project, &with(&["run", "--quiet"])), "");
    project.write("stages/copy/copy.sh", "exit 3\n");
    let said = stderr(&project, &with(&["run", "-q"]));
    assert!(said.starts_with("copy: FAILED: the worker failed with exit status 3"), "{said}");
    assert!(!said.contains("started") && !said.contains("results:"), "{said}");
}

#[test]
fn status_shows_what_is_up_to_date_stale_and_running() {
    let project = printing();
    let status = || project.stdout(&with(&["status"]));
    assert!(status().contains("stale       copy: not computed yet"), "{}", status());
    project.run(&MAIN);
    let said = status();
    assert!(said.contains("up to date  1 of 1 stage") && said.contains(": done in "), "{said}");
    project.write("data/raw/b.txt", "b\n");
    assert!(status().contains("stale       copy: input texts: b.txt new"), "{}", status());
    project.write(
        "stages/copy/copy.sh",
        "while [ ! -e \"$PWD/../../../../go\" ]; do sleep 0.1; done; cat > \"$1\"\n",
    );
    let mut run = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    run.arg("run").args(MAIN).current_dir(project.path("")).stderr(Stdio::null()).stdin(Stdio::null());
    let mut run = run.spawn().expect("callsheet starts");
    until("the run shows its stage", || status().contains("running     copy: started"));
    let json = project.json(&with(&["status", "--json"]));
    assert_eq!(json["running"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["stale"][0]["stage"], "copy");
    run.kill().expect("killed");
    run.wait().expect("ended");
}

#[test]
fn logs_prints_what_a_worker_wrote() {
    let project = printing();
    let said = project.refused("not_computed", &["logs"]);
    assert!(said.contains("the project has no runs yet"), "{said}");
    project.run(&MAIN);
    assert_eq!(project.stdout(&["logs", "copy"]), "copying\ndone\n");
    assert_eq!(project.stdout(&["logs"]), "copy\n");
    assert_eq!(project.stdout(&["logs", "copy", "--run", "latest"]), "copying\ndone\n");
    assert!(project.refused("unknown_name", &["logs", "cpoy"]).contains("did you mean `copy`?"));
    project.write("data/store/secret.log", "secret\n");
    project.refused("unknown_name", &["logs", "../../../secret"]);
}

#[test]
fn logs_follows_a_run_until_its_end() {
    let project = printing();
    project.write(
        "stages/copy/copy.sh",
        "out=$1; shift; echo first; sleep 1; echo second; sleep 1; cat \"$@\" > \"$out\"\n",
    );
    let mut run = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let mut run = run
        .arg("run")
        .args(MAIN)
        .current_dir(project.path(""))
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    until("the first line is written", || project.command(&["logs", "copy"]).stdout.starts_with(b"first"));
    assert_eq!(project.stdout(&["logs", "copy", "--follow"]), "first\nsecond\n");
    assert!(run.wait().expect("ended").success());
}

#[test]
fn man_pages_of_all_commands_are_written() {
    let project = Project::minimal();
    project.stdout(&["man", "pages"]);
    let page = fs::read_to_string(project.path("pages/callsheet-run.1")).expect("a page");
    assert!(page.contains("keep\\-failed"), "{page}");
    assert!(project.path("pages/callsheet.1").is_file());
}

/// Completions of the last word.
fn completed(project: &Project, words: &[&str]) -> Vec<String> {
    let words = [&["--", "callsheet"], words].concat();
    let index = (words.len() - 2).to_string();
    let variables = [
        ("CALLSHEET_COMPLETE", "bash"),
        ("_CLAP_IFS", "\n"),
        ("_CLAP_COMPLETE_INDEX", index.as_str()),
        ("_CLAP_COMPLETE_COMP_TYPE", "9"),
        ("_CLAP_COMPLETE_SPACE", "true"),
    ];
    let output = project.command_with(&variables, &words);
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn the_log_of_a_stage_that_did_not_run_is_not_called_empty() {
    let project = Project::new();
    project.run(&[]);
    project.run(&["--force", "sum"]);
    let output = project.command(&["logs", "make", "--run", "latest"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the result of `make` was in the store, so no worker ran in run "), "{stderr}");
}

#[test]
fn a_run_that_does_not_exist_is_refused_with_the_number_of_runs() {
    let project = Project::new();
    project.run(&[]);
    let said = project.refused("unknown_name", &["ls", "--run", "latest~99"]);
    assert!(said.contains("unknown run `latest~99`; number of runs: 1"), "{said}");
    let said = project.refused("missing_argument", &["curate", "exclud", "1"]);
    assert!(said.contains("did you mean `exclude`?"), "{said}");
}

#[test]
fn every_form_of_the_folder_option_enters_the_folder() {
    let project = Project::new();
    project.write("sub/x", "");
    for option in ["-Csub", "-C=sub", "--directory=sub"] {
        assert!(project.stdout(&[option, "status"]).contains("up to date"), "{option}");
    }
}

#[test]
fn completions_follow_the_typed_folder() {
    let project = Project::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let folder = project.path("");
    let words = ["-C", folder.to_str().expect("UTF-8"), "run", "--pipeline=fan", "-P", "sma"];
    let words = [&["--", "callsheet"], &words[..]].concat();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.args(&words).current_dir(elsewhere.path()).env("CALLSHEET_COMPLETE", "bash");
    command.env("_CLAP_COMPLETE_INDEX", (words.len() - 2).to_string()).env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let output = command.output().expect("callsheet starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "small");
}

#[test]
fn shells_complete_the_names_of_the_project() {
    let project = Project::new();
    project.run(&[]);
    assert_eq!(completed(&project, &["run", "dou"]), ["double"]);
    assert_eq!(completed(&project, &["show", "double.d"]), ["double.doubled"]);
    assert_eq!(completed(&project, &["run", "--pipeline", "cha"]), ["chain"]);
    assert_eq!(completed(&project, &["run", "--profile", "sma"]), ["small"]);
    assert!(completed(&project, &["ls", "--run", "20"]).iter().any(|run| run.starts_with("20")));
    let parameters = completed(&project, &["plan", "--set", "make.s"]);
    assert!(parameters.iter().any(|name| name.starts_with("make.s")), "{parameters:?}");
    assert_eq!(completed(&project, &["run", "--force", "dou"]), ["double"]);
    assert_eq!(completed(&project, &["run", "-p", "fan", "dou"]), ["double", "double@2", "double@3"]);
    assert!(completed(&project, &["expl"]).contains(&"explain".to_owned()));
    assert!(completed(&project, &["run", "--fail"]).contains(&"--fail-fast".to_owned()));
    project.write(
        "callsheet.toml",
        "[commands]\ngreet = { program = \"echo\", summary = \"Greet somebody\" }\n",
    );
    assert_eq!(completed(&project, &["gre"]), ["greet"], "a command of the project");
}

#[test]
fn the_end_of_a_long_run_starts_the_command_of_the_project() {
    let project = printing();
    let notify = |after: &str| {
        project.write(
            "callsheet.toml",
            &format!(
                "[notify]\ncommand = [\"sh\", \"-c\", 'echo \"$1\" > notified', \"sh\"]\nafter = {after}\n"
            ),
        );
    };
    notify("1000");
    project.run(&MAIN);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!project.path("notified").exists(), "the run was short");
    notify("0.000001");
    project.run(&[&MAIN[..], &["--force", "copy"]].concat());
    until("the message is written", || {
        project.path("notified").exists() && !project.read("notified").is_empty()
    });
    let message = project.read("notified");
    assert!(message.starts_with("main: done, 1 stage run after "), "{message}");
    project.write("callsheet.toml", "[notify]\ncommand = []\n");
    let said = project.refused("declaration", &["plan"]);
    assert!(said.contains("callsheet.toml: `command` under [notify] is empty"), "{said}");
    project.write("callsheet.toml", "[notify]\ncommand = [\"no-such-program\"]\nafter = 0.000001\n");
    let said = stderr(&project, &with(&["run"]));
    assert!(said.contains("warning: the command under [notify] in callsheet.toml did not start"), "{said}");
}
