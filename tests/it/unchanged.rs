//! A run with nothing to do stores the trace of its reads. The next one parses no declaration, unless something has changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::support::Project;

/// Time after which the digest of a raw file may be kept.
const SETTLED: Duration = Duration::from_millis(2100);

const RUN: [&str; 5] = ["run", "-p", "main", "-d", "mine"];

/// A project in which a run reads files and folders of every kind.
fn project() -> Project {
    let project = Project::minimal();
    project.write("pipelines/part.toml", "summary = \"A part\"\n[vars]\nword = \"a\"\n");
    let pipeline = project.read("pipelines/main.toml");
    let more = "include = [\"part.toml\"]\n[sources.table]\npath = \"data/raw/*.csv\"\n\
         [sources.verdicts]\npath = \"verdicts.csv\"\n";
    let rest = "[stages.tree]\ninputs.texts = \"texts\"\n[stages.count]\ninputs.rows = \"table\"\ninputs.own = \"verdicts\"\n";
    let pipeline = pipeline.replace("summary = \"Copies\"\n", &format!("summary = \"Copies\"\n{more}"));
    project.write("pipelines/main.toml", &format!("{pipeline}{rest}"));
    project.write("pipelines/datasets/mine.toml", "summary = \"Mine\"\n");
    project.write("pipelines/profiles/small.toml", "summary = \"Small\"\n");
    let stage = |kind: &str, inputs: &str, output: &str, files: &str| {
        format!(
            "summary = \"Does it\"\nversion = 1\ncommand = [\"sh\", \"do.sh\", \"{{outputs.made}}\"]\n{files}\
             {inputs}[outputs.made]\nkind = \"{kind}\"\npath = \"{output}\"\ndoc = \"Made\"\n"
        )
    };
    let texts = "[inputs.texts]\nkind = \"files\"\ndoc = \"Texts\"\n";
    project.write(
        "stages/tree/stage.toml",
        &stage("directory", texts, "tree", "files = [\"*.sh\", \"data/**\"]\n"),
    );
    project.write(
        "stages/tree/do.sh",
        "mkdir -p $1/a/b; echo 1 > $1/a/b/c; ln -s a/b/c $1/link; mkdir $1/empty\n",
    );
    project.write("stages/tree/data/words", "one\n");
    let rows = "[inputs.rows]\nkind = \"table\"\ndoc = \"Rows\"\n\
        [inputs.own]\nkind = \"files\"\noptional = true\ndoc = \"Others\"\n";
    project.write("stages/count/stage.toml", &stage("file", rows, "count.txt", ""));
    project.write("stages/count/do.sh", "echo 2 > $1\n");
    project.write("data/raw/a.txt", "a\n");
    project.write("data/raw/below/b.txt", "b\n");
    project.write("data/raw/a.csv", "n\n1\n");
    project
}

/// Runs the pipeline; returns true if the run knew without a plan that nothing is to be done.
fn knew(project: &Project) -> bool {
    let output = project.command(&RUN);
    String::from_utf8_lossy(&output.stderr).contains("MARK: nothing to do")
}

/// Returns true if a plan finds all results.
fn is_up_to_date(project: &Project) -> bool {
    let output = project.command(&["plan", "-p", "main", "-d", "mine", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let stages = plan["stages"].as_array().cloned().unwrap_or_default();
    output.status.success() && !stages.is_empty() && stages.iter().all(|stage| stage["state"] == "cached")
}

/// Runs the pipeline until a run stores its trace, and marks it, so that the next run shows whether it uses the trace.
fn settle(project: &Project) {
    let path = stored(project);
    let _ = fs::remove_file(&path);
    let runs = (1..=3).find(|_| {
        let output = project.command(&RUN);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path.exists()
    });
    assert!(runs.is_some(), "no run stores its trace");
    let text = fs::read_to_string(&path).expect("a trace");
    let mut trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    trace["heading"] = "MARK".into();
    fs::write(path, trace.to_string()).expect("written");
    assert!(knew(project) && knew(project), "nothing has changed after {runs:?} runs");
}

/// A project whose last run stored its trace.
fn settled() -> Project {
    let project = project();
    sleep(SETTLED);
    settle(&project);
    project
}

fn stored(project: &Project) -> PathBuf {
    project.path("data/store/traces/main/mine/small.json")
}

/// All files and folders of the project except those of results, relative to it.
fn entries(project: &Project) -> Vec<PathBuf> {
    let root = project.path("");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("listed").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&root).expect("below").to_owned();
            if [Path::new("data/store"), Path::new("data/out")].contains(&name.as_path()) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            }
            found.push(name);
        }
    }
    found.sort();
    found
}

/// Asserts that a run after a change plans, unless the results are up to date all the same. Returns true if it plans.
fn is_seen(project: &Project, change: &str) -> bool {
    let knows = knew(project);
    assert!(!knows || is_up_to_date(project), "not seen: {change}");
    !knows
}

#[test]
fn whatever_changes_in_a_project_is_seen_by_the_next_run() {
    let project = settled();
    let mut seen: Vec<String> = Vec::new();
    for entry in entries(&project) {
        let (name, path) = (entry.to_string_lossy().into_owned(), project.path(&entry.to_string_lossy()));
        if path.is_dir() {
            let new = match name.split('/').next() {
                Some("data") => &["new.txt", "new.csv"][..],
                Some("stages") => &["new.sh"],
                _ => &["new.toml"],
            };
            for new in new {
                fs::write(path.join(new), "n\n").expect("written");
                seen.extend(is_seen(&project, &format!("{name}/{new}")).then(|| format!("{name}/{new}")));
                fs::remove_file(path.join(new)).expect("removed");
                settle(&project);
            }
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        let is_declaration = name.ends_with(".toml");
        let changes = [Some(text.replace(['a', 'n'], "x")), Some(String::new()), None];
        // The digest of another file is kept after two seconds.
        for changed in changes.iter().take(if is_declaration { 3 } else { 1 }) {
            match &changed {
                Some(changed) => fs::write(&path, changed).expect("written"),
                None => fs::remove_file(&path).expect("removed"),
            }
            seen.extend(is_seen(&project, &format!("{name}: {changed:?}")).then(|| name.clone()));
            fs::write(&path, &text).expect("written");
            sleep(if is_declaration { Duration::ZERO } else { SETTLED });
            settle(&project);
        }
    }
    for name in
        ["callsheet.toml", "pipelines/main.toml", "pipelines/part.toml", "pipelines/datasets/mine.toml"]
    {
        assert_eq!(seen.iter().filter(|found| *found == name).count(), 3, "{name}: {seen:?}");
    }
    for name in ["stages/copy/copy.sh", "stages/tree/data/words", "data/raw/a.txt", "data/raw/a.csv"] {
        assert!(seen.contains(&name.to_owned()), "{name}: {seen:?}");
    }
    for name in ["data/raw/new.txt", "data/raw/new.csv", "stages/copy/new.sh", "stages/tree/new.sh"] {
        assert!(seen.contains(&name.to_owned()), "{name}: {seen:?}");
    }
}

#[test]
fn whatever_changes_among_the_results_is_seen_by_the_next_run() {
    let project = settled();
    let out = project.path("data/out/main/mine/small");
    let object = fs::canonicalize(out.join("copy/copy.txt")).expect("an object");
    let tree = fs::canonicalize(out.join("tree/tree")).expect("an object");
    let writable = |path: &Path| {
        let mut rights = fs::metadata(path).expect("rights").permissions();
        rights.set_mode(0o644);
        fs::set_permissions(path, rights).expect("set");
    };
    let write = |path: &Path| {
        writable(path);
        fs::write(path, "x\n").expect("written");
    };
    let changes: [(&str, &dyn Fn()); 7] = [
        ("a link is removed", &|| fs::remove_file(out.join("copy/copy.txt")).expect("removed")),
        ("a link leads elsewhere", &|| {
            fs::remove_file(out.join("copy/copy.txt")).expect("removed");
            std::os::unix::fs::symlink("/", out.join("copy/copy.txt")).expect("linked");
        }),
        ("an object is overwritten", &|| write(&object)),
        ("an object is removed", &|| fs::remove_file(&object).expect("removed")),
        ("a file of a folder is overwritten", &|| write(&tree.join("a/b/c"))),
        ("a folder gets a file", &|| fs::write(tree.join("a/new"), "").expect("written")),
        ("the records are removed", &|| {
            fs::remove_dir_all(project.path("data/store/actions")).expect("removed")
        }),
    ];
    for (what, change) in changes {
        change();
        assert!(is_seen(&project, what), "{what}");
        settle(&project);
        assert!(is_up_to_date(&project), "{what}");
    }
}

#[test]
fn another_environment_and_other_options_need_a_plan() {
    let project = settled();
    let own = project.path("own");
    fs::create_dir_all(own.join("callsheet")).expect("created");
    let knows = |variables: &[(&str, &str)], arguments: &[&str]| {
        let output = project.command_with(variables, &[&RUN[..], arguments].concat());
        String::from_utf8_lossy(&output.stderr).contains("MARK")
    };
    assert!(knows(&[], &["--jobs", "1"]));
    assert!(!knows(&[("XDG_CONFIG_HOME", &own.to_string_lossy())], &[]));
    settle(&project);
    for arguments in
        [&["copy"][..], &["--force", "copy"], &["--json"], &["--set", "vars.word=b"], &["--profile", ""]]
    {
        assert!(!knows(&[], arguments), "{arguments:?}");
    }
}

#[test]
fn a_run_with_something_to_do_or_a_young_raw_file_stores_no_trace() {
    let project = project();
    project.command(&RUN);
    assert!(!stored(&project).exists(), "the first run computes results");
    project.command(&RUN);
    assert!(!stored(&project).exists(), "raw files may change without a trace");
    sleep(SETTLED);
    project.command(&RUN);
    project.command(&RUN);
    assert!(stored(&project).exists());
}

#[test]
fn a_copy_of_a_project_reads_its_own_files() {
    let project = settled();
    let copy = Project::of(&project.path(""));
    copy.write("stages/copy/copy.sh", "echo other > $1\n");
    assert!(!knew(&copy) && knew(&project));
    assert_eq!(copy.read("data/out/main/mine/small/copy/copy.txt"), "other\n");
}

#[test]
fn another_program_or_another_target_with_the_same_path_needs_a_plan() {
    let project = settled();
    let program = project.path("callsheet-copy");
    fs::copy(env!("CARGO_BIN_EXE_callsheet"), &program).expect("copied");
    let output =
        Command::new(&program).args(RUN).args(["-P", "small"]).current_dir(project.path("")).output();
    let said = String::from_utf8_lossy(&output.expect("it starts").stderr).into_owned();
    assert!(said.contains("nothing to do") && !said.contains("MARK"), "{said}");

    settle(&project);
    let output = project.command(&["run", "-p", "main/mine", "-d", "small", "-P", ""]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("main/mine"), "{said}");
}

#[test]
fn a_link_that_comes_back_for_a_removed_stage_is_hidden_by_the_next_run() {
    let project = settled();
    let pipeline = project.read("pipelines/main.toml");
    project.write("pipelines/main.toml", &pipeline.replace("[stages.tree]\ninputs.texts = \"texts\"\n", ""));
    let link = project.path("data/out/main/mine/small/tree/tree");
    let target = fs::read_link(&link).expect("a link");
    for _ in 0..3 {
        project.command(&RUN);
        assert!(!link.is_symlink());
    }
    fs::create_dir_all(link.parent().expect("a folder")).expect("created");
    std::os::unix::fs::symlink(target, &link).expect("linked");
    project.command(&RUN);
    assert!(!link.is_symlink(), "the run has hidden the link");
}
