//! Terminals, users and hosts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{MAIN, Project, with_own_mounts};

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

/// Path, modification and change time of everything below a folder.
fn states(folder: &Path) -> BTreeMap<PathBuf, (i64, i64, i64, i64)> {
    let mut states = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("metadata");
        if found.is_dir() {
            states.extend(self::states(&path));
        }
        states.insert(path, (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()));
    }
    states
}

#[test]
fn nothing_is_written_when_there_is_nothing_to_do() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    sleep(Duration::from_millis(2500)); // digests of files younger than 2 s are not saved
    project.stdout(&[&["plan"], &MAIN[..]].concat());
    assert!(!project.exists("data/store"), "a plan creates no store");
    project.run(&MAIN);
    let before = states(&project.path(""));
    assert_eq!(project.run(&MAIN).ran(), [""; 0]);
    for command in ["plan", "ls", "graph", "config", "du", "verify", "gc"] {
        let target: &[&str] = if ["du", "verify", "gc"].contains(&command) { &[] } else { &MAIN };
        project.status(&[&[command], target].concat(), 0);
    }
    assert_eq!(states(&project.path("")), before);
}

#[test]
fn a_project_that_cannot_be_written_can_be_used() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.run(&MAIN);
    let root = project.path("").display().to_string();
    let commands = ["run -p main", "plan -p main", "ls -p main", "show -p main copy", "verify"];
    let commands = commands.map(|command| format!("\"$0\" {command}")).join(" && ");
    let script = format!(
        "mount --bind '{root}' '{root}' && mount -o remount,ro,bind '{root}' && cd '{root}' && ! touch x 2>&- && {commands}"
    );
    let output = with_own_mounts(&script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_containers_that_start_in_the_same_second_have_two_runs() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let start = |number: u32| {
        project.write(&format!("pipelines/main{number}.toml"), &project.read("pipelines/main.toml"));
        let script = format!("hostname box; exec \"$0\" run -p main{number} --force copy");
        let mut command = Command::new("unshare");
        command
            .args([
                "--user",
                "--map-root-user",
                "--pid",
                "--fork",
                "--mount-proc",
                "--uts",
                "sh",
                "-c",
                &script,
            ])
            .arg(env!("CARGO_BIN_EXE_callsheet"));
        command.current_dir(project.path("")).stderr(Stdio::piped()).spawn().expect("unshare starts")
    };
    for run in [1, 2, 3, 4].map(start) {
        let output = run.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(fs::read_dir(project.path("data/store/runs")).expect("listed").count(), 4);
    project.status(&["verify"], 0);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn two_users_of_one_group_share_a_project() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run programs as other users");
        return;
    }
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("data/raw/b.txt", "b\n");
    let root = project.path("").display().to_string();
    let shell = |user: u32, script: &str| {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), "--regid=64002", "--clear-groups", "--", "sh", "-c"]);
        command.arg(format!("umask 002; cd '{root}' && {script}")).arg(env!("CARGO_BIN_EXE_callsheet"));
        command.env("HOME", &root);
        let output = command.output().expect("setpriv starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}: {stderr}");
        stderr
    };
    let open = format!("chgrp -R 64002 '{root}' && chmod -R g+rwX '{root}'");
    assert!(Command::new("sh").args(["-c", &open]).status().expect("sh starts").success());
    shell(64_002, "\"$0\" run -p main");
    assert!(shell(64_003, "\"$0\" run -p main").contains("nothing to do"));
    assert!(shell(64_003, "echo c > data/raw/c.txt; \"$0\" run -p main").contains("1 stage run"));
    assert!(shell(64_002, "\"$0\" verify && \"$0\" run -p main").contains("nothing to do"));
    shell(64_002, "rm data/raw/c.txt; \"$0\" run -p main; \"$0\" gc --delete");
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\nb\n");
}

#[test]
fn the_latest_run_is_the_last_one_even_if_the_clock_was_set_back() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.run(&MAIN);
    let runs = project.path("data/store/runs");
    let id = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let ids =
        || fs::read_dir(&runs).expect("listed").map(|entry| id(entry.expect("an entry"))).collect::<Vec<_>>();
    let (old, future) = (ids().remove(0), "2099-01-01T00-00-00.000Z-host-000000");
    let record = project.read(&format!("data/store/runs/{old}/run.json")).replace(&old, future);
    fs::rename(runs.join(&old), runs.join(future)).expect("renamed");
    project.write(&format!("data/store/runs/{future}/run.json"), &record);
    project.run(&[&MAIN[..], &["--force", "copy"]].concat());
    let new = ids().into_iter().find(|id| id != future).expect("a second run");
    assert!(&*new > future, "{new}");
    let latest = project.json(&["report", "--json", "latest"]);
    assert_eq!(latest["id"], new, "{latest}");
}

#[test]
fn two_projects_that_start_at_one_time_in_one_data_folder_do_not_mix_their_results() {
    let data = tempfile::tempdir().expect("a folder");
    let start = |text: &str| {
        let project = Project::minimal();
        project.write("raw/a.txt", text);
        let pipeline = project.read("pipelines/main.toml").replace("data/raw", "raw");
        project.write("pipelines/main.toml", &pipeline);
        project.write("callsheet.toml", &format!("data = \"{}\"\n", data.path().display()));
        project.write("stages/copy/copy.sh", "sleep 2; cat \"$2\" > \"$1\"\n");
        let run = project.start(&MAIN);
        (project, run)
    };
    let runs = [start("a\n"), start("b\n")];
    let ended = runs.map(|(_project, run)| run.wait_with_output().expect("ended"));
    let succeeded = ended.iter().filter(|output| output.status.success()).count();
    let refused =
        ended.iter().filter(|output| String::from_utf8_lossy(&output.stderr).contains("callsheet::conflict"));
    assert_eq!((succeeded, refused.count()), (1, 1));
}

#[test]
fn two_projects_in_one_data_folder_do_not_mix_their_results() {
    let (first, second) = (Project::minimal(), Project::minimal());
    first.write("data/raw/a.txt", "a\n");
    second.write("data/raw/a.txt", "b\n");
    second.write("callsheet.toml", &format!("data = \"{}\"\n", first.path("data").display()));
    first.run(&MAIN);
    let error = second.refused("conflict", &[&["run"], &MAIN[..]].concat());
    let owner = first.path("").display().to_string();
    let owner = error.contains(&format!("belong to the project {}", owner.trim_end_matches('/')));
    assert!(owner && error.contains("rename the pipeline"), "{error}");
    second.write("pipelines/other.toml", &second.read("pipelines/main.toml"));
    second.stdout(&["run", "-p", "other", "-d", "", "-P", ""]);
    let gc = || second.stdout(&["gc", "--older-than", "0s", "--undeclared", "--delete"]);
    gc();
    assert_eq!(first.run(&MAIN).ran(), [""; 0], "the other project does not remove results of this one");
    first.write("callsheet.toml", "x = [");
    gc();
    second.refused("conflict", &[&["run"], &MAIN[..]].concat());
    first.write("callsheet.toml", "");
    assert_eq!(first.run(&MAIN).ran(), [""; 0], "a project that cannot be read may still use its results");
}
