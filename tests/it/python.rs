//! Stages that run in a Python environment.

use std::process::Command;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

/// A project whose stage runs in the environment `.venv`, which contains the module `own`.
fn project() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project.read("stages/copy/stage.toml");
    let stage = stage
        .replace("command = [\"sh\", \"copy.sh\"", "python = \".venv\"\ncommand = [\"python3\", \"main.py\"");
    project.write("stages/copy/stage.toml", &stage);
    project.write(
        "stages/copy/main.py",
        "import sys, own, helper\nopen(sys.argv[1], 'w').write(own.text + helper.text)\n",
    );
    project.write("stages/copy/helper.py", "text = 'helper'\n");
    let made = Command::new("python3")
        .args(["-m", "venv", "--without-pip", ".venv"])
        .current_dir(project.path(""))
        .status()
        .expect("python3 starts");
    assert!(made.success());
    let folder = "import site; print(site.getsitepackages()[0])";
    let folder =
        Command::new(project.path(".venv/bin/python3")).args(["-c", folder]).output().expect("it starts");
    let folder = String::from_utf8(folder.stdout).expect("UTF-8");
    std::fs::write(format!("{}/own.py", folder.trim()), "text = 'own '\n").expect("written");
    project
}

#[test]
fn a_stage_runs_in_its_environment_and_again_when_the_lock_file_changes() {
    for sandbox in ["on", "strict"] {
        let project = project();
        project.write("callsheet.toml", &format!("sandbox = \"{sandbox}\"\n"));
        project.write("uv.lock", "own = 1\n");
        project.run(&MAIN);
        assert_eq!(project.read("data/out/main/copy/copy.txt"), "own helper");
        project.write("requirements.txt", "own\n");
        assert_eq!(project.run(&MAIN).ran(), [""; 0], "uv.lock takes precedence");
        project.write("uv.lock", "own = 2\n");
        let plan = project.stdout(&[&["plan"], &MAIN[..]].concat());
        assert!(plan.contains("file ../../uv.lock:"), "{plan}");
        assert_eq!(project.run(&MAIN).ran(), ["copy"]);
        project.write("stages/copy/helper.py", "text = 'other'\n");
        assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    }
}

#[test]
fn another_environment_is_another_computation_and_a_broken_one_is_refused() {
    let project = project();
    let output = project.command(&[&["run"], &MAIN[..]].concat());
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("no lock file is next to the Python environment `.venv`")
    );
    let stage = project.read("stages/copy/stage.toml");
    let moved = std::fs::rename(project.path(".venv"), project.path(".other"));
    moved.expect("renamed");
    project.write("stages/copy/stage.toml", &stage.replace("\".venv\"", "\".other\""));
    let plan = project.stdout(&[&["plan"], &MAIN[..]].concat());
    assert!(plan.contains("python: .venv → .other"), "{plan}");
    std::fs::remove_file(project.path(".other/bin/python3")).expect("removed");
    project.link("/nothing/python3", ".other/bin/python3");
    let error = project.run_failing("missing_program", &MAIN);
    assert!(error.contains("is broken") && error.contains(".other/bin/python3"), "{error}");
}

#[test]
fn a_lock_file_outside_the_project_does_not_hide_a_file_of_the_stage() {
    let project = project();
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::fs::rename(project.path(".venv"), elsewhere.path().join(".venv")).expect("renamed");
    std::fs::write(elsewhere.path().join("requirements.txt"), "own\n").expect("written");
    let venv = elsewhere.path().join(".venv").display().to_string();
    let stage = project.read("stages/copy/stage.toml").replace("\".venv\"", &format!("\"{venv}\""));
    project.write("stages/copy/stage.toml", &stage);
    project.write("stages/copy/requirements.txt", "1\n");
    project.run(&MAIN);
    project.write("stages/copy/requirements.txt", "2\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    std::fs::write(elsewhere.path().join("requirements.txt"), "own==2\n").expect("written");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn a_missing_environment_is_named_with_the_remedy() {
    let project = project();
    project.remove(".venv");
    let error = project.run_failing("missing_program", &MAIN);
    assert_output!(error.replace(&project.path("").display().to_string(), "PROJECT/"));
}

#[test]
fn a_record_has_the_digest_of_the_program_that_computed_it() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("callsheet.toml", "[programs]\nsh = \"tools/sh\"\n");
    let digest = |word: &str| {
        project.write("tools/sh", &format!("#!/bin/sh\n# {word}\nexec /bin/sh \"$@\"\n"));
        std::fs::set_permissions(
            project.path("tools/sh"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("set");
        project.run(&[&MAIN[..], &["--force", "copy"]].concat());
        let made = project.json(&[&["show", "copy", "--json"], &MAIN[..]].concat());
        made["provenance"]["worker"].as_str().expect("a digest").to_owned()
    };
    let first = digest("first");
    assert_eq!(
        first,
        blake3::hash(&std::fs::read(project.path("tools/sh")).expect("read")).to_hex().to_string()
    );
    assert_ne!(first, digest("second"));
}
