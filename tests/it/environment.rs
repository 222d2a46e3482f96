//! The environment of workers, as `explain` lists it.

use std::process::Command;

use serde_json::Value;

use crate::support::{MAIN, Project};

/// Output of a command whose caller has only these variables, and PATH.
fn said(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    command.args(arguments).args(MAIN).current_dir(project.path("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").expect("a path")).envs(variables.iter().copied());
    let output = command.output().expect("callsheet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn project() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let settings = project.read("callsheet.toml");
    project.write(
        "callsheet.toml",
        &format!("environment = [\"MY_HOME\", \"MY_TOKEN\", \"MY_OTHER\"]\n{settings}"),
    );
    project
}

const CALLER: [(&str, &str); 9] = [
    ("LANG", "C.UTF-8"),
    ("MY_HOME", "/my/home"),
    ("MY_TOKEN", "hush-1"),
    ("HF_HOME", "/models"),
    ("HF_TOKEN", "hush-2"),
    ("VIRTUAL_ENV", "/venv"),
    ("CUDA_HOME", "/cuda"),
    ("OMP_NUM_THREADS", "3"),
    ("UNRELATED", "x"),
];

#[test]
fn explain_lists_the_variables_of_the_worker_with_their_source() {
    let text = said(&project(), &["explain", "copy"], &CALLER);
    let line = |name: &str| {
        let found = text.lines().find(|line| line.split("  ").next() == Some(name));
        found
            .unwrap_or_else(|| panic!("{name} is not in\n{text}"))
            .split("  ")
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(line("LANG"), ["LANG", "always passed", "C.UTF-8"]);
    assert_eq!(line("MY_HOME"), ["MY_HOME", "environment in callsheet.toml", "/my/home"]);
    assert_eq!(line("MY_TOKEN"), ["MY_TOKEN", "environment in callsheet.toml", "(hidden)"]);
    assert_eq!(line("CALLSHEET_RUN"), ["CALLSHEET_RUN", "set by callsheet", "(id of the run)"]);
    assert_eq!(line("CUDA_VISIBLE_DEVICES"), ["CUDA_VISIBLE_DEVICES", "set by callsheet"]);
    assert!(text.contains("\nnamed in callsheet.toml but not set: MY_OTHER\n"), "{text}");
    assert!(
        text.ends_with(
            "set here but not passed to the worker: CUDA_HOME, HF_HOME, HF_TOKEN, OMP_NUM_THREADS, VIRTUAL_ENV\n\
             add those that the worker needs to callsheet.toml: environment = [\"MY_HOME\", \"MY_TOKEN\", \
             \"MY_OTHER\", \"CUDA_HOME\", \"HF_HOME\", \"HF_TOKEN\", \"OMP_NUM_THREADS\", \"VIRTUAL_ENV\"]\n"
        ),
        "{text}"
    );
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn the_listed_variables_are_those_that_the_worker_has() {
    let project = project();
    project.write("stages/copy/copy.sh", "env > \"$1\"\n");
    let listed: Value =
        serde_json::from_str(&said(&project, &["explain", "copy", "--json"], &CALLER)).expect("JSON");
    assert!(!listed.to_string().contains("hush"));
    let names = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .expect("a list")
            .iter()
            .map(|v| v["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let listed = names(&listed["environment"]["passed"]);
    said(&project, &["run"], &CALLER);
    let text = project.read("data/out/main/copy/copy.txt");
    // The shell of the stage sets the others.
    let of_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    let mut found: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    found.retain(|name| !of_shell.contains(name));
    found.sort_unstable();
    assert_eq!(found, listed);
}
