//! Outputs are kept whole: modes, links, empty files and folders, odd names.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project};

/// A project whose stage `copy` writes a folder by `script`, in the folder itself, and whose stage `use` runs
/// `reader` in it.
fn project(script: &str, reader: &str) -> Project {
    let project = Project::minimal_folder();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", &format!("mkdir \"$1\"; cd \"$1\"\n{script}\n"));
    project.write(
        "stages/use/stage.toml",
        "summary = \"Uses a folder\"\nversion = 1\ncommand = [\"sh\", \"use.sh\", \"{inputs.tree}\", \"{outputs.text}\"]\n\
         [inputs.tree]\nkind = \"directory\"\ndoc = \"A folder\"\n\
         [outputs.text]\nkind = \"file\"\npath = \"text.txt\"\ndoc = \"What was found\"\n",
    );
    project.write("stages/use/use.sh", &format!("out=$2; cd \"$1\"\n({reader}) > \"$out\"\n"));
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &format!("{pipeline}[stages.use]\ninputs.tree = \"copy.copy\"\n"));
    project
}

fn text(project: &Project) -> String {
    project.read("data/out/main/use/text.txt")
}

#[test]
fn a_tool_in_an_output_can_be_executed_and_links_lead_to_files_of_the_output() {
    let project = project(
        "mkdir bin; printf '#!/bin/sh\\necho ran\\n' > bin/tool; chmod 755 bin/tool; ln -s tool bin/link; ln -s bin same; ln -s .. bin/up",
        "bin/tool; bin/link; same/link; readlink bin/link",
    );
    project.run(&MAIN);
    assert_eq!(text(&project), "ran\nran\nran\ntool\n");
    project.status(&["verify"], 0);
}

#[test]
fn the_mode_of_a_file_is_part_of_the_content() {
    let project = project("echo 1 > tool; chmod 755 tool", "test -x tool && echo yes || echo no");
    project.run(&MAIN);
    assert_eq!(text(&project), "yes\n");
    let script = project.read("stages/copy/copy.sh");
    project.write("stages/copy/copy.sh", &script.replace("755", "644"));
    assert_eq!(project.run(&MAIN).ran(), ["copy", "use"]);
    assert_eq!(text(&project), "no\n");
}

#[test]
fn empty_files_and_folders_and_names_that_are_not_utf8_are_kept() {
    let project = project(
        "mkdir -p a/empty; : > none; : > \"$(printf 'odd\\377')\"",
        "find . | LC_ALL=C sort | od -An -c | tr -d '\\n '",
    );
    project.run(&MAIN);
    assert_output!(text(&project));
    project.status(&["verify"], 0);
    let script = project.read("stages/copy/copy.sh");
    project.write("stages/copy/copy.sh", &script.replace("a/empty", "a"));
    assert_eq!(project.run(&MAIN).ran(), ["copy", "use"]);
}

#[test]
fn links_that_leave_an_output_are_refused_with_the_remedy() {
    for target in ["/etc/hosts", "../../x", "none"] {
        let project = project(&format!("ln -s {target} link"), "true");
        assert_output!(project.run_failing("worker_output", &MAIN));
    }
}

#[test]
fn read_only_folders_are_published_and_removed() {
    let project = project("mkdir -p a/b; echo 1 > a/b/c; chmod 555 a/b a .", "cat a/b/c");
    project.run(&MAIN);
    assert_eq!(text(&project), "1\n");
    let mode = fs::metadata(project.path("data/out/main/copy/tree/a")).expect("shown").permissions().mode();
    assert_eq!(mode & 0o700, 0o700);
    project.run(&[&MAIN[..], &["--force", "copy"]].concat());
}

#[test]
fn an_empty_output_is_refused_unless_it_is_allowed() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "");
    assert_output!(project.run_failing("worker_output", &MAIN));
    let stage = project.read("stages/copy/stage.toml");
    project.write(
        "stages/copy/stage.toml",
        &stage.replace("path = \"copy.txt\"", "path = \"copy.txt\"\nallow_empty = true"),
    );
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "");
}

#[test]
fn executable_bits_that_a_copy_of_the_store_lost_come_back() {
    let project = project("printf '#!/bin/sh\\necho ran\\n' > tool; chmod 755 tool; echo > text", "./tool");
    project.run(&MAIN);
    let tool = fs::canonicalize(project.path("data/out/main/copy/tree/tool")).expect("stored");
    for mode in [0o444, 0o600] {
        fs::set_permissions(&tool, PermissionsExt::from_mode(mode)).expect("set");
        assert_eq!(project.run(&[&MAIN[..], &["--force", "use"]].concat()).ran(), ["use"]);
        assert_eq!(text(&project), "ran\n");
        assert_eq!(fs::metadata(&tool).expect("stored").permissions().mode() & 0o777, 0o555);
    }
}

#[test]
fn changed_links_and_lost_empty_folders_are_found() {
    let script = "mkdir -p a empty; echo 1 > a/x; echo 2 > a/y; ln -s a/x link";
    let project = project(script, "find . | LC_ALL=C sort; cat link");
    project.run(&MAIN);
    let whole = text(&project);
    let tree = fs::canonicalize(project.path("data/out/main/copy/tree")).expect("stored");
    let change = |change: fn(&std::path::Path)| {
        change(&tree);
        assert_eq!(project.run(&[&MAIN[..], &["--force", "use"]].concat()).ran(), ["copy", "use"]);
        assert_eq!(text(&project), whole);
    };
    change(|tree| fs::remove_dir(tree.join("empty")).expect("removed"));
    change(|tree| fs::remove_file(tree.join("link")).expect("removed"));
    change(|tree| {
        fs::remove_file(tree.join("link")).expect("removed");
        std::os::unix::fs::symlink("a/y", tree.join("link")).expect("linked");
    });
}

#[test]
fn private_folders_of_an_output_get_the_rights_of_new_folders() {
    let project = project("mkdir -m 700 own; echo 1 > own/a", "cat own/a");
    project.run(&MAIN);
    let mode = fs::metadata(project.path("data/out/main/copy/tree/own")).expect("shown").permissions().mode();
    let new = tempfile::tempdir().expect("a folder");
    fs::create_dir(new.path().join("new")).expect("created");
    let usual = fs::metadata(new.path().join("new")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, usual & 0o777);
}

#[test]
fn files_that_their_owner_may_not_read_are_published() {
    let project = project("mkdir a; echo 1 > a/b; chmod 000 a/b a", "cat a/b");
    project.run(&MAIN);
    assert_eq!(text(&project), "1\n");
    let stored = fs::metadata(project.path("data/out/main/copy/tree/a/b")).expect("shown");
    assert_eq!(stored.permissions().mode() & 0o777, 0o444);
}
