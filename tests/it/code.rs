//! The code of a stage is what its folder holds.

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

fn project() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write(
        "stages/copy/copy.sh",
        "out=$1; shift; . \"$(dirname \"$0\")/helper.sh\"; cat \"$@\" > \"$out\"\n",
    );
    project.write("stages/copy/helper.sh", "true\n");
    project.run(&MAIN);
    project
}

fn declare(project: &Project, files: &str) {
    let stage = project.read("stages/copy/stage.toml");
    let stage: Vec<&str> = stage.lines().filter(|line| !line.starts_with("files")).collect();
    project.write(
        "stages/copy/stage.toml",
        &stage.join("\n").replace("version = 1", &format!("version = 1\nfiles = {files}")),
    );
}

#[test]
fn a_file_next_to_a_script_is_code_and_plan_names_it() {
    let project = project();
    project.write("stages/copy/helper.sh", ":\n");
    assert_output!(project.stdout(&[&["plan"], &MAIN[..]].concat()));
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn tests_notes_hidden_files_and_caches_are_no_code() {
    let project = project();
    for file in
        ["README.md", "tests/a.sh", "test_copy.py", ".hidden", "__pycache__/a.pyc", "a.pyc", "sub/.git/x"]
    {
        project.write(&format!("stages/copy/{file}"), "1");
    }
    assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    project.write("stages/copy/sub/more.sh", "1");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn a_linked_folder_and_all_files_below_a_folder_are_code() {
    let project = project();
    project.write("shared/x.py", "1");
    project.link("../../shared", "stages/copy/shared");
    project.link("..", "stages/copy/up");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("shared/x.py", "2");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    declare(&project, "[\"shared/**\"]");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("shared/sub/y.py", "2");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
}

#[test]
fn files_replace_or_extend_the_code_and_may_be_elsewhere() {
    let project = project();
    project.write("shared/lock.txt", "1");
    declare(&project, "[\"**\", \"../../shared/*.txt\"]");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("shared/lock.txt", "2");
    assert_output!(project.stdout(&[&["plan"], &MAIN[..]].concat()));
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("stages/copy/helper.sh", ":\n");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    declare(&project, "[]");
    assert_eq!(project.run(&MAIN).ran(), ["copy"]);
    project.write("stages/copy/helper.sh", "true\n");
    assert_eq!(project.run(&MAIN).ran(), [""; 0], "no file is code");
}

#[test]
fn patterns_that_match_nothing_or_leave_the_project_are_refused() {
    let project = project();
    for files in ["[\"none.py\"]", "[\"../../../x\"]", "[\"/etc/hosts\"]", "[\"a***\"]"] {
        declare(&project, files);
        assert_output!(project.refused("declaration", &[&["plan"], &MAIN[..]].concat()));
    }
}
