//! Terminals, users and hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{MAIN, Project};

/// Returns the files below `folder` whose mode lacks one of these bits.
fn files_without(folder: &Path, bits: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        let state = fs::symlink_metadata(&path).expect("metadata");
        if state.is_dir() {
            found.extend(files_without(&path, bits));
        } else if state.is_file() && state.permissions().mode() & bits != bits {
            found.push(path);
        }
    }
    found
}

#[test]
fn other_users_of_a_group_can_read_a_store_if_the_umask_allows_it() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    for (mask, readable) in [("002", true), ("077", false)] {
        let _ = fs::remove_dir_all(project.path("data/store"));
        let mut command = Command::new("sh");
        command.args([
            "-c",
            &format!("umask {mask}; exec \"$0\" run \"$@\""),
            env!("CARGO_BIN_EXE_callsheet"),
        ]);
        let status = command
            .args(MAIN)
            .current_dir(project.path(""))
            .stderr(Stdio::null())
            .status()
            .expect("it starts");
        assert!(status.success());
        let unreadable = files_without(&project.path("data/store"), 0o040);
        assert_eq!(unreadable.is_empty(), readable, "{mask}: {unreadable:?}");
    }
}

#[test]
fn a_run_under_nohup_survives_the_end_of_its_terminal() {
    for (ignore, code) in [("trap '' HUP; ", Some(0)), ("", Some(130))] {
        let project = Project::minimal();
        project.write("data/raw/a.txt", "a\n");
        project.write("stages/copy/copy.sh", "sleep 2; cat \"$2\" > \"$1\"\n");
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{ignore}exec \"$0\" run \"$@\""), env!("CARGO_BIN_EXE_callsheet")])
            .args(MAIN);
        let mut run = command.current_dir(project.path("")).stderr(Stdio::null()).spawn().expect("it starts");
        sleep(Duration::from_millis(800));
        let hung_up =
            Command::new("kill").args(["-HUP", &run.id().to_string()]).status().expect("kill starts");
        assert!(hung_up.success());
        assert_eq!(run.wait().expect("ended").code(), code, "{ignore}");
    }
}
