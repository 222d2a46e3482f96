//! Users of one group with different rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::group::Group;
use crate::support::Project;

/// Group of the shared store.
const LAB: u32 = 64_002;

/// Returns true, with a message, if the tests cannot run programs as other users.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(super) fn is_skipped() -> bool {
    let skipped = !rustix::process::geteuid().is_root();
    if skipped {
        eprintln!("skipped: only root can run programs as other users");
    }
    skipped
}

/// Gives the folder of a store to its group.
fn give(group: &Group) {
    let script = format!("chgrp {LAB} '{0}' && chmod 2775 '{0}'", group.path().display());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh starts").success());
}

/// Runs a script as a user with a strict umask in his own project. Returns whether it succeeded, and its output.
fn shell(project: &Project, user: u32, group: u32, script: &str) -> (bool, String) {
    let root = project.path("").display().to_string();
    let own = format!("chown -R {user}:{user} '{root}'");
    assert!(Command::new("sh").args(["-c", &own]).status().expect("sh starts").success());
    let mut command = Command::new("setpriv");
    let ids = [format!("--reuid={user}"), format!("--regid={user}"), format!("--groups={group}")];
    command.args(ids).args(["--", "sh", "-c"]);
    command
        .arg(format!("umask 077; cd '{root}' && {{ {script}; }} 2>&1"))
        .arg(env!("CARGO_BIN_EXE_callsheet"));
    command.env("HOME", &root).env("USER", format!("user{user}"));
    let output = command.output().expect("setpriv starts");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Files and folders of a store that other members of the group cannot use.
fn closed(folder: &Path) -> Vec<PathBuf> {
    let mut closed = Vec::new();
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("metadata");
        let (mode, wanted) = (found.permissions().mode(), if found.is_dir() { 0o070 } else { 0o040 });
        if !found.is_symlink()
            && (mode & wanted != wanted
                || found.gid() != LAB && path.file_name() != Some("store.toml".as_ref()))
        {
            closed.push(path.clone());
        }
        if found.is_dir() {
            closed.extend(self::closed(&path));
        }
    }
    closed
}

const RUN: &str = "\"$0\" run -p main";

#[test]
fn members_of_a_group_share_results_whatever_their_umask_and_others_are_refused() {
    if is_skipped() {
        return;
    }
    let group = Group::new();
    give(&group);
    let (first, second, third) = (group.project("a\n"), group.project("a\n"), group.project("a\n"));
    assert!(shell(&first, 64_003, LAB, RUN).1.contains("1 stage run"));
    let (_, said) = shell(&second, 64_004, LAB, RUN);
    assert!(said.contains("1 earlier result"), "{said}");
    let change = format!("echo c > data/raw/c.txt && {RUN} && \"$0\" verify && rm data/raw/c.txt && {RUN}");
    let (succeeded, said) = shell(&second, 64_004, LAB, &change);
    assert!(succeeded, "{said}");
    let (succeeded, said) = shell(&first, 64_003, LAB, "\"$0\" gc --older-than 0s --delete");
    assert!(succeeded && said.contains("1 unused result in the shared store"), "{said}");
    let (succeeded, said) = shell(&third, 64_005, 64_005, RUN);
    assert!(!succeeded && said.contains("you cannot write to the shared store"), "{said}");
    assert_eq!(closed(group.path()), [""; 0].map(PathBuf::from));
}

/// Stage that returns 20 kB for each row.
const WIDE: &str = "import hashlib, json, sys
request = json.load(open(sys.argv[1]))
rows = [json.loads(line) for line in open(request['inputs']['items']['paths'][0])]
with open(request['outputs']['powers'], 'w') as out:
    for row in rows:
        text = ''.join(hashlib.sha256(f'{row} {n}'.encode()).hexdigest() for n in range(600))
        print(json.dumps({'name': row['name'], 'power': 1.0, 'digits': [1], 'text': text}), file=out)
";

#[test]
fn a_table_that_reuses_segments_of_another_user_consists_of_links_to_them() {
    if is_skipped() {
        return;
    }
    let group = Group::new();
    give(&group);
    let project = || {
        let project = group.rows();
        let stage = project.read("stages/power/stage.toml");
        project.write(
            "stages/power/stage.toml",
            &stage.replace("name = \"string\",", "name = \"string\", text = \"string\","),
        );
        project.write("stages/power/power.py", WIDE);
        let items: String = (0..1200).map(|n| format!("item{n:05},x,{n}\n")).collect();
        project.write("data/raw/items/a.csv", &items);
        project
    };
    let (first, second) = (project(), project());
    let run = "\"$0\" run -p rows";
    let (succeeded, said) = shell(&first, 64_003, LAB, run);
    assert!(succeeded, "{said}");
    let settings = second.read("callsheet.toml");
    second.write("callsheet.toml", &format!("sandbox = \"strict\"\n{settings}"));
    second.write("data/raw/items/b.csv", "new,x,1\n");
    let (succeeded, said) = shell(&second, 64_004, LAB, run);
    assert!(succeeded && said.contains("power: computes 1 of 1201 rows"), "{said}");
    let table = fs::canonicalize(second.path("data/out/rows/power/powers")).expect("a folder of segments");
    let links = fs::read_dir(&table)
        .expect("listed")
        .filter(|entry| entry.as_ref().expect("an entry").path().is_symlink())
        .count();
    assert!(links > 0, "segments of another user cannot be hard links");
    assert_eq!(closed(group.path()), [""; 0].map(PathBuf::from));
    let (succeeded, said) = shell(
        &second,
        64_004,
        LAB,
        "\"$0\" gc --older-than 0s --delete && \"$0\" verify && \"$0\" run -p rows && \"$0\" store detach && \"$0\" verify && \"$0\" run -p rows",
    );
    assert!(succeeded && said.matches("nothing to do").count() == 2, "{said}");
}

#[test]
fn garbage_collection_of_one_user_puts_back_the_objects_of_another() {
    if is_skipped() {
        return;
    }
    let group = Group::new();
    give(&group);
    let (owner, collector, other) = (group.project("a\n"), group.project("c\n"), group.project("a\n"));
    shell(&owner, 64_003, LAB, &format!("{RUN}; echo b > data/raw/a.txt; {RUN}"));
    let settings = "heartbeat = 0.2\nexpiry = 3.0\ngrace = 4.0\n";
    fs::write(group.path().join("store.toml"), settings).expect("written");
    // A result that nobody needs is set aside, and is needed again before the grace has ended.
    let collect = format!("{RUN}; \"$0\" gc --older-than 0s --delete");
    let set_aside = || {
        group
            .entries("removals")
            .iter()
            .any(|folder| folder.join("actions").is_dir() || folder.join("complete").exists())
    };
    let said = std::thread::scope(|scope| {
        let collecting = scope.spawn(|| shell(&collector, 64_004, LAB, &collect));
        crate::support::until("a result that is set aside", set_aside);
        let (_, said) = shell(&other, 64_004, LAB, RUN);
        assert!(said.contains("1 earlier result"), "{said}");
        collecting.join().expect("ended")
    });
    assert!(said.0, "{}", said.1);
    for (project, user) in [(&owner, 64_003), (&other, 64_004)] {
        let (succeeded, said) = shell(project, user, LAB, &format!("\"$0\" verify && {RUN}"));
        assert!(succeeded && said.contains("nothing to do"), "{said}");
    }
    let (succeeded, said) = shell(&collector, 64_004, LAB, "\"$0\" gc --older-than 0s --delete");
    assert!(succeeded, "{said}");
}
