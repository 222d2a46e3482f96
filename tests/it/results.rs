//! `data/out` shows exactly the results that the plan calls cached for the declared values.

use std::fs;
use std::path::Path;

use crate::support::{MAIN, Project};

/// A project with two chains of two stages: `first` and `second`, and `other` and `last`, which read the same raw file.
fn chains() -> Project {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    let stage = project.read("stages/copy/stage.toml");
    project.write(
        "stages/copy/stage.toml",
        &(stage.replace("\"{outputs.copy}\"", "\"{outputs.copy}\", \"{params.mark}\"")
            + "[params.mark]\ntype = \"string\"\ndefault = \"x\"\ndoc = \"Mark\"\n"),
    );
    project.write(
        "stages/copy/copy.sh",
        "out=$1; mark=$2; shift 2; test $mark != bad || exit 3; { echo $mark; cat \"$@\"; } > \"$out\"\n",
    );
    let mut pipeline = "summary = \"Chains\"\n[sources.texts]\npath = \"data/raw/*.txt\"\n".to_owned();
    for (stage, from) in [("first", "texts"), ("second", "first"), ("other", "texts"), ("last", "other")] {
        let from = if from == "texts" { from.to_owned() } else { format!("{from}.copy") };
        pipeline += &format!(
            "[stages.{stage}]\nuse = \"copy\"\ninputs.texts = \"{from}\"\nparams.mark = \"{stage}\"\n"
        );
    }
    project.write("pipelines/main.toml", &pipeline);
    project
}

/// Sets the parameter `mark` of a stage in the pipeline.
fn mark(project: &Project, stage: &str, old: &str, new: &str) {
    let from = format!("[stages.{stage}]");
    let text = project.read("pipelines/main.toml");
    let (before, after) = text.split_once(&from).expect("the stage");
    let after = after.replacen(&format!("mark = \"{old}\""), &format!("mark = \"{new}\""), 1);
    project.write("pipelines/main.toml", &format!("{before}{from}{after}"));
}

/// Paths of all links below `data/out`, relative to it, with the first line of each.
fn shown(project: &Project) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let (root, mut found) = (project.path("data/out"), Vec::new());
    walk(&root, &mut found);
    let line = |path: &Path| {
        fs::read_to_string(path).expect("a link that leads to its result").lines().next().map(str::to_owned)
    };
    let mut lines: Vec<String> = found
        .iter()
        .map(|path| {
            format!(
                "{}: {}",
                path.strip_prefix(&root).expect("below").display(),
                line(path).unwrap_or_default()
            )
        })
        .collect();
    lines.sort();
    lines
}

fn run(project: &Project, code: i32, arguments: &[&str]) -> Vec<String> {
    let run = project.run_to(code, &[&MAIN[..], arguments].concat());
    run.ran().into_iter().map(str::to_owned).collect()
}

const ALL: [&str; 4] = [
    "main/first/copy.txt: first",
    "main/last/copy.txt: last",
    "main/other/copy.txt: other",
    "main/second/copy.txt: second",
];

#[test]
fn stale_results_leave_data_out_when_a_run_starts_and_return_with_their_values() {
    let project = chains();
    assert_eq!(run(&project, 0, &[]).len(), 4);
    assert_eq!(shown(&project), ALL);
    mark(&project, "first", "first", "bad");
    run(&project, 1, &[]);
    assert_eq!(shown(&project), ["main/last/copy.txt: last", "main/other/copy.txt: other"]);
    mark(&project, "first", "bad", "first");
    assert!(run(&project, 0, &[]).is_empty());
    assert_eq!(shown(&project), ALL);
}

#[test]
fn a_cached_result_returns_to_data_out_if_its_inputs_were_computed_again_with_equal_content() {
    let project = chains();
    run(&project, 0, &[]);
    // The worker prints the mark without the spaces at its end.
    mark(&project, "first", "first", "first ");
    assert_eq!(run(&project, 0, &[]), ["first"]);
    assert_eq!(shown(&project), ALL);
    mark(&project, "first", "first ", "first  ");
    assert_eq!(run(&project, 0, &["first"]), ["first"]);
    assert_eq!(shown(&project), ALL);
}

#[test]
fn a_run_of_selected_stages_hides_stale_results_of_other_stages_and_keeps_cached_ones() {
    let project = chains();
    run(&project, 0, &[]);
    mark(&project, "first", "first", "new");
    mark(&project, "last", "last", "newer");
    assert_eq!(run(&project, 0, &["first"]), ["first"]);
    assert_eq!(shown(&project), ["main/first/copy.txt: new", "main/other/copy.txt: other"]);
    assert_eq!(run(&project, 0, &["--force", "other", "other"]), ["other"]);
    assert_eq!(shown(&project), ["main/first/copy.txt: new", "main/other/copy.txt: other"]);
}

#[test]
fn results_of_a_stage_that_was_removed_leave_data_out_and_other_files_stay() {
    let project = chains();
    run(&project, 0, &[]);
    project.write("data/out/main/last/mine.txt", "somebody's own");
    project.link("../../raw/a.txt", "data/out/main/raw.txt");
    let text = project.read("pipelines/main.toml");
    let (before, _) = text.split_once("[stages.last]").expect("the stage");
    project.write("pipelines/main.toml", before);
    assert!(run(&project, 0, &[]).is_empty());
    let wanted = [ALL[0], "main/last/mine.txt: somebody's own", ALL[2], "main/raw.txt: a", ALL[3]];
    assert_eq!(shown(&project), wanted);
}

#[test]
fn results_of_set_are_reached_by_their_run_and_never_mixed_in() {
    let project = chains();
    run(&project, 0, &[]);
    assert_eq!(run(&project, 0, &["--set", "first.mark=third"]), ["first", "second"]);
    assert_eq!(shown(&project), ALL);
    assert_eq!(project.latest("first.copy").lines().next(), Some("third"));
    let runs = || project.json(&["ls", "--runs", "--json"])["runs"].as_array().expect("runs").len();
    assert_eq!(runs(), 2);
    assert!(run(&project, 0, &["--set", "first.mark=third"]).is_empty());
    assert_eq!(runs(), 2, "the run is known");
    assert!(run(&project, 0, &["--set", "first.mark=first"]).is_empty());
    assert_eq!(runs(), 3, "these results have no run yet that lists them");
    project.status(&[&["plan", "--check"][..], &MAIN].concat(), 0);
}

#[test]
fn a_run_that_shows_earlier_results_is_in_the_list_of_runs() {
    let project = chains();
    run(&project, 0, &[]);
    mark(&project, "last", "last", "new");
    run(&project, 0, &[]);
    mark(&project, "last", "new", "last");
    let output = project.command(&[&["run"][..], &MAIN].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing to run; data/out now shows 1 earlier result"), "{said}");
    assert_eq!(shown(&project), ALL);
    assert_eq!(project.json(&["ls", "--runs", "--json"])["runs"].as_array().expect("runs").len(), 3);
    let said = project.command(&[&["run"][..], &MAIN].concat()).stderr;
    assert!(String::from_utf8_lossy(&said).contains("nothing to do"));
    assert_eq!(project.json(&["ls", "--runs", "--json"])["runs"].as_array().expect("runs").len(), 3);
}

#[test]
fn datasets_and_profiles_have_folders_of_their_own() {
    let project = chains();
    project.write("pipelines/datasets/d.toml", "summary = \"D\"\n");
    project.write(
        "pipelines/profiles/small.toml",
        "summary = \"Small\"\n[stages.first]\nparams.mark = \"small\"\n",
    );
    for target in [["", ""], ["d", ""], ["", "small"], ["d", "small"]] {
        project.status(&["run", "-p", "main", "-d", target[0], "-P", target[1]], 0);
    }
    let lines = shown(&project);
    assert_eq!(lines.len(), 16, "{lines:?}");
    for wanted in [
        "main/first/copy.txt: first",
        "main/d/first/copy.txt: first",
        "main/_/small/first/copy.txt: small",
        "main/d/small/first/copy.txt: small",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
    }
    mark(&project, "other", "other", "new");
    run(&project, 0, &[]);
    assert_eq!(shown(&project).len(), 16, "the results of other targets stay");
}

#[test]
fn a_missing_raw_file_fails_only_the_stages_that_read_it() {
    let project = chains();
    run(&project, 0, &[]);
    let text = project.read("pipelines/main.toml");
    let text =
        text.replace("[sources.texts]", "[sources.more]\npath = \"data/raw/more/b.txt\"\n[sources.texts]");
    let (before, after) = text.split_once("[stages.other]").expect("the stage");
    project.write(
        "pipelines/main.toml",
        &format!("{before}[stages.other]{}", after.replacen("\"texts\"", "\"more\"", 1)),
    );
    for command in ["ls", "graph", "config", "plan"] {
        project.status(&[&[command][..], &MAIN].concat(), 0);
    }
    let target = |words: &[&str]| project.stdout(&[words, &MAIN].concat());
    assert!(target(&["ls"]).contains("cannot run: source `more`: no file matches `data/raw/more/b.txt`"));
    assert!(target(&["plan"]).contains("2 cached, 0 to run, 1 maybe, 1 cannot run"));
    assert!(target(&["show", "first"]).contains("first.copy"));
    assert!(target(&["explain", "other"]).contains("cannot run: source `more`"));
    mark(&project, "second", "second", "new");
    assert_eq!(run(&project, 1, &[]), ["second"]);
    assert_eq!(shown(&project), [ALL[0], "main/second/copy.txt: new"]);
    project.refused("declaration", &[&["run", "last"][..], &MAIN].concat());
    fs::create_dir(project.path("data/raw/more")).expect("created");
    project.link("../../lost/b.txt", "data/raw/more/b.txt");
    assert!(target(&["ls"]).contains("cannot run: source `more`: cannot read"), "a link to a lost file");
    project.remove("data/raw/more");
    project.write("data/raw/more/b.txt", "b\n");
    assert_eq!(run(&project, 0, &[]), ["other", "last"]);
}

#[test]
fn ls_and_show_say_that_a_result_is_stale_and_why() {
    let project = chains();
    let target = |words: &[&str]| project.stdout(&[words, &MAIN].concat());
    assert!(target(&["ls"]).contains("not computed yet"));
    run(&project, 0, &[]);
    mark(&project, "first", "first", "new");
    let listed = target(&["ls"]);
    assert!(
        listed.contains("stale: mark: \"first\" → \"new\"")
            && listed.contains("stale, unless first computes equal content"),
        "{listed}"
    );
    let refused = project.refused("not_computed", &[&["show", "second"][..], &MAIN].concat());
    assert!(refused.contains("stale, unless first computes equal content"), "{refused}");
}

#[test]
fn a_run_of_selected_stages_shows_the_cached_results_of_others_even_if_it_fails_or_has_nothing_to_do() {
    let project = chains();
    run(&project, 0, &[]);
    mark(&project, "other", "other", "v2");
    run(&project, 0, &[]);
    mark(&project, "other", "v2", "other");
    mark(&project, "first", "first", "bad");
    run(&project, 1, &["first"]);
    assert_eq!(shown(&project), ["main/last/copy.txt: last", "main/other/copy.txt: other"]);
    mark(&project, "first", "bad", "first");
    mark(&project, "last", "last", "newer");
    run(&project, 0, &["first"]);
    assert_eq!(shown(&project), [ALL[0], ALL[2], ALL[3]]);
}

#[test]
fn a_forced_stage_that_fails_leaves_the_cached_results_of_the_declared_values() {
    let project = chains();
    let flag = project.path("broken");
    let script = project.read("stages/copy/copy.sh");
    project.write("stages/copy/copy.sh", &format!("test ! -e '{}' || exit 4\n{script}", flag.display()));
    run(&project, 0, &[]);
    mark(&project, "other", "other", "v2");
    run(&project, 0, &[]);
    mark(&project, "other", "v2", "other");
    project.write("broken", "");
    run(&project, 1, &["--force", "other"]);
    assert_eq!(shown(&project), ALL);
    project.status(&[&["plan", "--check"][..], &MAIN].concat(), 0);
}

#[test]
fn results_of_a_dataset_stay_if_a_stage_with_its_name_was_renamed() {
    let project = Project::minimal();
    project.write("data/raw/a.txt", "a\n");
    project.write(
        "stages/copy/stage.toml",
        "summary = \"Copies\"\nversion = 1\ncommand = [\"cp\", \"{inputs.text}\", \"{outputs.text}\"]\n\
         inputs.text = { kind = \"file\", doc = \"Any\" }\n\
         outputs.text = { kind = \"file\", path = \"o.txt\", doc = \"Copy\" }\n",
    );
    let pipeline = |stage: &str| {
        let text = "summary = \"Copies\"\n[sources.raw]\npath = \"data/raw/a.txt\"\n";
        let text = format!("{text}[stages.{stage}]\nuse = \"copy\"\ninputs.text = \"raw\"\n");
        project.write("pipelines/main.toml", &text);
    };
    pipeline("train");
    project.run(&MAIN);
    pipeline("fit");
    project.write("pipelines/datasets/train.toml", "summary = \"A dataset\"\n");
    project.run(&["-p", "main", "-d", "train", "-P", ""]);
    project.write("data/raw/a.txt", "b\n");
    project.run(&MAIN);
    assert!(project.exists("data/out/main/train/fit/o.txt"));
}

#[test]
fn names_that_would_share_a_folder_of_results_are_refused() {
    let project = chains();
    project.write("pipelines/datasets/first.toml", "summary = \"A dataset with the name of a stage\"\n");
    let refused = project.refused("conflict", &[&["plan"][..], &MAIN].concat());
    assert!(refused.contains("stage `first` has the name of a dataset"), "{refused}");
    project.status(&["run", "-p", "main", "-d", "first", "-P", ""], 0);
    project.write("pipelines/profiles/last.toml", "summary = \"A profile with the name of a stage\"\n");
    project.refused("conflict", &["plan", "-p", "main", "-d", "first", "-P", ""]);
    project.write("pipelines/datasets/_.toml", "summary = \"No dataset\"\n");
    project.refused("conflict", &["plan", "-p", "main", "-d", "_", "-P", "last"]);
}

#[test]
fn results_of_another_project_in_the_same_data_folder_stay() {
    let (project, other) = (chains(), chains());
    let data = project.path("data").display().to_string();
    other.write("callsheet.toml", &format!("data = \"{data}\"\n[defaults]\npipeline = \"main\"\n"));
    other.write("pipelines/datasets/dd.toml", "summary = \"Only here\"\n");
    other.write("data/raw/a.txt", "a\n");
    other.status(&["run", "-p", "main", "-d", "dd", "-P", ""], 0);
    run(&project, 0, &[]);
    mark(&project, "first", "first", "new");
    run(&project, 0, &[]);
    assert!(project.exists("data/out/main/dd/first/copy.txt"));
}

#[test]
fn ls_says_which_artifacts_data_out_does_not_show() {
    let project = chains();
    let listed = || project.stdout(&[&["ls"][..], &MAIN].concat());
    run(&project, 0, &["--set", "first.mark=first"]);
    assert!(
        listed().contains("4 artifacts are not in") && listed().contains("`callsheet run` shows them there")
    );
    run(&project, 0, &[]);
    assert!(listed().contains("the artifacts are in "));
    mark(&project, "last", "last", "new");
    run(&project, 0, &[]);
    mark(&project, "last", "new", "last");
    assert!(listed().contains("1 artifact is not in"), "{}", listed());
}
