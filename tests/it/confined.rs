//! Workers cannot destroy what they read.

use std::fs;
use std::process::Command;

use crate::snapshot::assert_output;
use crate::support::{MAIN, Project, kept_folder};

/// Environment with which callsheet runs as on a kernel without Landlock.
const WITHOUT_LANDLOCK: [(&str, &str); 1] = [("CALLSHEET_TEST_WITHOUT_LANDLOCK", "1")];

/// Commands that destroy the file `$1`.
const DEEDS: [&str; 5] = [
    "mv \"$1\" \"$out\"",
    "gzip -f \"$1\"",
    ": > \"$1\"",
    "rm -rf \"$(dirname \"$1\")\"",
    "ln \"$1\" here; : > here",
];

#[test]
fn raw_files_and_results_survive_whatever_a_worker_does_to_its_inputs() {
    let kernels: [&[(&str, &str)]; 2] = [&[], &WITHOUT_LANDLOCK];
    for (kernel, deed) in kernels.iter().flat_map(|kernel| DEEDS.map(|deed| (kernel, deed))) {
        let project = Project::minimal();
        project.write("data/raw/a.txt", "a\n");
        project.write("stages/copy/copy.sh", &format!("out=$1; shift; {deed}; cat \"$@\" > \"$out\"\n"));
        project.command_with(kernel, &[&["run"], &MAIN[..]].concat());
        assert_eq!(project.read("data/raw/a.txt"), "a\n", "{deed}");
        project.write("stages/copy/copy.sh", "out=$1; shift; cat \"$@\" > \"$out\"\n");
        project.run(&MAIN);
        assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n", "{deed}");
        assert_eq!(fs::read_dir(project.path("data/raw")).expect("listed").count(), 1, "{deed}");
    }
}

#[test]
fn results_survive_a_worker_that_destroys_a_folder_on_any_kernel() {
    for kernel in [&[][..], &WITHOUT_LANDLOCK] {
        let project = Project::minimal_folder();
        project.write("data/raw/a.txt", "a\n");
        project
            .write("stages/copy/copy.sh", "mkdir -p \"$1/a/b\"; cp \"$2\" \"$1/a/b\"; ln -s a \"$1/link\"\n");
        project.write(
            "stages/spoil/stage.toml",
            "summary = \"Spoils its input\"\nversion = 1\ncommand = [\"sh\", \"spoil.sh\", \"{inputs.tree}\", \"{outputs.text}\"]\n\
             [inputs.tree]\nkind = \"directory\"\ndoc = \"A folder\"\n\
             [outputs.text]\nkind = \"file\"\npath = \"text.txt\"\ndoc = \"The text\"\n",
        );
        project.write(
            "stages/spoil/spoil.sh",
            "cat \"$1/link/b/a.txt\" > \"$2\"; chmod -R 777 \"$1\"; (: > \"$1/a/b/a.txt\"); rm -rf \"$1\"; exit 0\n",
        );
        let pipeline = project.read("pipelines/main.toml");
        project.write(
            "pipelines/main.toml",
            &format!("{pipeline}[stages.spoil]\ninputs.tree = \"copy.copy\"\n"),
        );
        let output = project.command_with(kernel, &[&["run"], &MAIN[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(project.read("data/out/main/copy/tree/a/b/a.txt"), "a\n");
        assert_eq!(project.read("data/out/main/spoil/text.txt"), "a\n");
        project.status(&["verify"], 0);
    }
}

#[test]
fn inputs_have_the_same_names_of_folders_on_any_kernel() {
    for kernel in [&[][..], &WITHOUT_LANDLOCK] {
        let project = Project::minimal();
        let pipeline = project.read("pipelines/main.toml");
        project.write("pipelines/main.toml", &pipeline.replace("raw/*.txt", "raw/*/*.txt"));
        project.write("data/raw/cat/a.txt", "1\n");
        project.write("data/raw/dog/a.txt", "2\n");
        let script = "out=$1; shift; for f in \"$@\"; do echo \"$(basename \"$(dirname \"$f\")\")\"; done > \"$out\"\n";
        project.write("stages/copy/copy.sh", script);
        let output = project.command_with(kernel, &[&["run"], &MAIN[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(project.read("data/out/main/copy/copy.txt"), "cat\ndog\n");
    }
}

#[test]
fn workers_can_use_devices_and_sockets_wherever_the_project_is() {
    let project = Project::minimal();
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("a folder");
    fs::write(elsewhere.path().join("a.txt"), "a\n").expect("written");
    project.write("data/README", "raw files\n");
    fs::create_dir(project.path("data/raw")).expect("created");
    project.link(&elsewhere.path().join("a.txt").display().to_string(), "data/raw/a.txt");
    let socket = "python3 -c 'import multiprocessing as m; m.Manager().list()' 2>&1 || exit 1";
    project.write("stages/copy/copy.sh", &format!("{socket}\ncat \"$2\" > \"$1\" 2>/dev/null\n"));
    project.run(&MAIN);
    project.write("stages/copy/copy.sh", "rm -f \"$(readlink -f \"$2\")\"; cat \"$2\" > \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(fs::read_to_string(elsewhere.path().join("a.txt")).expect("there"), "a\n");
}

#[test]
fn a_run_without_landlock_warns_once_unless_the_sandbox_is_off() {
    let project = Project::minimal();
    let pipeline = project.read("pipelines/main.toml");
    project.write(
        "pipelines/main.toml",
        &format!("{pipeline}[stages.again]\nuse = \"copy\"\ninputs.texts = \"texts\"\n"),
    );
    project.write("data/raw/a.txt", "a\n");
    let run = || {
        let output = project.command_with(
            &WITHOUT_LANDLOCK,
            &[&["run", "--force", "copy", "--force", "again"], &MAIN[..]].concat(),
        );
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).matches("has no Landlock").count()
    };
    assert_eq!(run(), 1);
    project.write("callsheet.toml", "sandbox = \"off\"\n");
    assert_eq!(run(), 0);
    project.write("callsheet.toml", "sandbox = \"strict\"\n");
    let output = project.command_with(&WITHOUT_LANDLOCK, &[&["run", "--force", "copy"], &MAIN[..]].concat());
    assert_eq!(output.status.code(), Some(2), "a strict sandbox is not silently weaker");
    assert_output!(String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_strict_sandbox_denies_files_that_a_stage_does_not_declare_and_names_them() {
    let sh = |read: &str| format!("out=$1; shift; cat {read} > \"$out\" && cat \"$@\" >> \"$out\"\n");
    for (script, denied) in [
        (sh("\"$(dirname \"$1\")/secret.csv\""), Some("data/raw/secret.csv")),
        (sh("\"$PROJECT/stages/copy/README\""), Some("stages/copy/README")),
        (sh("\"$PROJECT/stages/copy/helper.txt\""), None),
        (sh("/etc/hostname"), None),
        ("python3 -c \"open('$PROJECT/data/raw/secret.csv')\"\n".to_owned(), Some("data/raw/secret.csv")),
        ("ls \"$PROJECT/data/raw\" > \"$1\"\n".to_owned(), Some("data/raw")),
        (sh("\"$PROJECT/data/raw/my own.csv\""), Some("data/raw/my own.csv")),
    ] {
        let project = Project::minimal();
        project.write("callsheet.toml", "sandbox = \"strict\"\n");
        project.write("data/raw/a.txt", "a\n");
        project.write("data/raw/secret.csv", "secret\n");
        project.write("data/raw/my own.csv", "secret\n");
        project.write("stages/copy/README", "not code\n");
        project.write("stages/copy/helper.txt", "code\n");
        let root = project.path("").display().to_string();
        project.write("stages/copy/copy.sh", &script.replace("$PROJECT/", &root));
        match denied {
            None => _ = project.run(&MAIN),
            Some(path) => {
                let error = project.run_failing("worker_failed", &MAIN);
                assert!(
                    error.contains(&format!(
                        "denied stage `copy` the access to {path}, which it does not declare"
                    )),
                    "{error}"
                );
                project.write("callsheet.toml", &format!("sandbox = \"strict\"\nreadable = [\"{path}\"]\n"));
                let again = project.command(&[&["run"], &MAIN[..]].concat());
                assert!(!String::from_utf8_lossy(&again.stderr).contains("strict sandbox"), "{path}");
            }
        }
    }
}

#[test]
fn the_folder_of_a_failed_worker_is_kept_if_the_user_asks_for_it() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "echo half > \"$1\"; exit 3\n");
    let error = project.run_failing("worker_failed", &MAIN);
    assert!(!error.contains("is kept"), "{error}");
    let error = project.run_failing("worker_failed", &[&["--keep-failed"], &MAIN[..]].concat());
    let copy = fs::read_to_string(kept_folder(&error).join("out/copy.txt"));
    assert_eq!(copy.expect("kept"), "half\n");
    project.write("stages/copy/copy.sh", "echo a > \"$1\"; echo b > \"$1.other\"\n");
    let error = project.run_failing("worker_output", &[&["--keep-failed"], &MAIN[..]].concat());
    assert!(error.contains("is kept"), "{error}");
}

#[test]
fn a_worker_cannot_spoil_the_pipe_for_events_of_the_next_one() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let next = "[stages.next]\nuse = \"copy\"\ninputs.texts = \"copy.copy\"\n";
    project.write("pipelines/main.toml", &format!("{}{next}", project.read("pipelines/main.toml")));
    for deed in ["mkdir", "ln -s /nowhere", "mkfifo -m 000", "touch"] {
        let spoil =
            format!("cat \"$2\" > \"$1\"; rm -f \"$CALLSHEET_EVENTS\"; {deed} \"$CALLSHEET_EVENTS\"\n");
        project.write("stages/copy/copy.sh", &spoil);
        assert_eq!(project.run(&MAIN).ran(), ["copy", "next"], "{deed}");
    }
}

#[test]
fn too_many_files_for_a_command_line_name_the_remedy() {
    let project = Project::minimal();
    for number in 0..14_000 {
        project.write(&format!("data/raw/{}{number}.txt", "long".repeat(40)), "");
    }
    let error = project.run_failing("declaration", &MAIN);
    assert!(error.contains("pass {request} instead of the files"), "{error}");
}

#[test]
fn a_worker_that_writes_to_the_project_fails_with_the_path() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "echo b > \"$2\" || exit 1\n");
    assert_output!(project.run_failing("worker_failed", &MAIN));
}

#[test]
fn data_behind_a_link_into_a_temporary_folder_survives() {
    let project = Project::minimal();
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::create_dir(elsewhere.path().join("raw")).expect("created");
    fs::write(elsewhere.path().join("raw/a.txt"), "a\n").expect("written");
    project.link(&elsewhere.path().display().to_string(), "data");
    project.run(&MAIN);
    project.write("stages/copy/copy.sh", "rm -rf ../../../objects/*; rm -f \"$2\"; cat \"$2\" > \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(project.read("data/raw/a.txt"), "a\n");
    project.status(&["verify"], 0);
}

#[test]
fn a_raw_file_that_is_a_link_into_a_temporary_folder_survives() {
    // The project is outside of the temporary folders, so workers may write to these.
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let elsewhere = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let made = Project::minimal();
    let moved = home.path().join("project");
    fs::create_dir(&moved).expect("created");
    let copied = Command::new("cp").arg("-r").arg(made.path(".")).arg(&moved).status().expect("cp starts");
    assert!(copied.success());
    fs::write(elsewhere.path().join("a.txt"), "a\n").expect("written");
    fs::create_dir_all(moved.join("data/raw")).expect("created");
    std::os::unix::fs::symlink(elsewhere.path().join("a.txt"), moved.join("data/raw/a.txt")).expect("linked");
    fs::write(
        moved.join("stages/copy/copy.sh"),
        "out=$1; shift; mktemp || exit 1; : > \"$1\"; cat \"$@\" > \"$out\"\n",
    )
    .expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    let output = command.args(["run", "-p", "main"]).current_dir(&moved).output().expect("callsheet starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("Permission denied"), "{stderr}");
    assert_eq!(fs::read_to_string(elsewhere.path().join("a.txt")).expect("there"), "a\n");
}

#[test]
fn a_worker_can_write_temporary_files() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write("stages/copy/copy.sh", "t=$(mktemp); cat \"$2\" > \"$t\"; cp \"$t\" \"$1\"\n");
    project.run(&MAIN);
    assert_eq!(project.read("data/out/main/copy/copy.txt"), "a\n");
}
