//! Output of a run on a terminal, which tmux provides, and without one.

use std::process::Command;

use crate::support::{MAIN, Project, until};

fn tmux(socket: &str, words: &[&str]) -> String {
    let output = Command::new("tmux").args(["-L", socket]).args(words).output().expect("tmux is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A project whose stage `copy` reports progress for a while.
fn slow() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write(
        "stages/copy/copy.sh",
        "out=$1; shift\nfor n in $(seq 1 60); do\n  \
         echo '{\"progress\": {\"done\": '$n', \"total\": 60, \"unit\": \"steps\"}}' > $CALLSHEET_EVENTS\n  \
         echo '{\"metric\": {\"name\": \"perceptual/relu5_2\", \"step\": '$n', \"value\": 0.25}}' > $CALLSHEET_EVENTS\n  \
         sleep 0.1\ndone\ncat \"$@\" > \"$out\"\n",
    );
    project
}

#[test]
fn lines_on_a_terminal_fit_its_width_and_show_the_stage_and_the_run() {
    for columns in [60, 80, 200] {
        let project = slow();
        let socket = format!("callsheet-{}-{columns}", std::process::id());
        let program = env!("CARGO_BIN_EXE_callsheet");
        let run = format!("cd {}; {program} run {}; sleep 100", project.path("").display(), quoted());
        tmux(&socket, &["new-session", "-d", "-x", &columns.to_string(), "-y", "20", &run]);
        let screen = || tmux(&socket, &["capture-pane", "-p"]);
        until("the bar is shown", || screen().contains("of 60 steps"));
        std::thread::sleep(std::time::Duration::from_secs(2));
        let shown = screen();
        let lines: Vec<&str> = shown.lines().filter(|line| !line.trim().is_empty()).collect();
        let end = &lines[lines.len() - 2..];
        assert_eq!(lines.len(), 4, "heading, start, bar and run: {shown}");
        assert!(end[0].starts_with("copy  ") && end[0].contains("of 60 steps"), "{shown}");
        assert!(end[0].contains('█') && end[0].contains(" %, ") && end[0].contains("left"), "{shown}");
        assert_eq!(end[0].contains("perceptual/relu5_2 0.2500"), columns > 80, "{shown}");
        assert!(end[1].starts_with("0 of 1 stage, "), "{shown}");
        until("the run ends", || screen().contains("results: "));
        let shown = screen();
        assert!(!shown.contains('█') && shown.contains("done in"), "{shown}");
        tmux(&socket, &["kill-server"]);
    }
}

fn quoted() -> String {
    MAIN.map(|word| format!("'{word}'")).join(" ")
}

#[test]
fn a_log_has_few_lines_of_progress_and_names_the_results() {
    let project = slow();
    let output = project.command(&[&["run"][..], &MAIN].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let progress = said.lines().filter(|line| line.contains("of 60 steps")).count();
    assert!((1..=2).contains(&progress), "{said}");
    let line = said.lines().find(|line| line.contains("of 60 steps")).expect("a line");
    assert!(
        line.contains(" left, ") && line.contains("steps/s") && line.contains("(run: 0 of 1 stage, "),
        "{line}"
    );
    assert!(said.contains("done in") && said.contains("1 stage run, 0 up to date"), "{said}");
    let last = said.lines().last().expect("a line");
    assert!(last.starts_with("results: ") && last.ends_with("data/out/main"), "{said}");
    let again =
        String::from_utf8_lossy(&project.command(&[&["run"][..], &MAIN].concat()).stderr).into_owned();
    assert!(again.contains("nothing to do, 1 stage up to date") && again.contains("results: "), "{again}");
}

#[test]
fn an_interrupted_run_says_what_is_done_and_how_to_resume() {
    let project = slow();
    let run = project.start(&MAIN);
    until("the stage runs", || {
        project.json(&["runs", "--json"])["runs"][0]["stages"]["copy"]["state"] == "running"
    });
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill");
    let output = run.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("stopping 1 running stage"), "{said}");
    assert!(said.contains("0 stages done, 1 left; `callsheet run` resumes"), "{said}");
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn a_failure_shows_the_lines_of_the_project_and_reasons_name_files_and_rows() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project.read("stages/copy/stage.toml");
    project
        .write("stages/copy/stage.toml", &stage.replace("\"sh\", \"copy.sh\"", "\"python3\", \"main.py\""));
    project.write(
        "stages/copy/main.py",
        "import json\n\n\ndef load(text):\n    return json.loads(text)\n\n\nload('{')\n",
    );
    let failed = project.run_failing("worker_failed", &MAIN);
    assert!(
        failed.contains("main.py:8: load('{')") && failed.contains("main.py:5: return json.loads(text)"),
        "{failed}"
    );
    assert!(failed.contains("JSONDecodeError") && failed.contains("see the full log: "), "{failed}");
    project.write("stages/copy/main.py", "import sys\nopen(sys.argv[1], 'w').write('x')\n");
    project.run(&MAIN);
    project.write("data/raw/a.txt", "b\n");
    project.write("data/raw/c.txt", "c\n");
    let plan = project.stdout(&[&["plan"][..], &MAIN].concat());
    assert!(plan.contains("input texts: a.txt changed, c.txt new"), "{plan}");
}

#[test]
fn a_path_is_never_broken_over_two_lines() {
    let project = Project::minimal();
    let folder = format!("data/raw/{}", "a-long/name-".repeat(20));
    project.write(
        "pipelines/main.toml",
        &project.read("pipelines/main.toml").replace("data/raw/*.txt", &folder),
    );
    let refused = project.refused("declaration", &[&["run"][..], &MAIN].concat());
    assert!(
        refused.lines().any(|line| line.contains(&folder) && line.contains("no file matches")),
        "{refused}"
    );
}
