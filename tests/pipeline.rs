//! Every stage of the method through the real binaries, in the smallest profile.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The programs lie side by side in the build folder.
fn engine() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_callsheet-stages")).with_file_name("callsheet")
}

/// A project with this repository's stages, pipelines and weights, and data of its own.
fn project() -> TempDir {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let shown = repository.display();
    let file = format!(
        "stages = \"{shown}/stages\"\npipelines = \"{shown}/pipelines\"\npath = [\"{shown}/.toolchain/bin\"]\n\
         [programs]\ncallsheet-stages = \"{}\"\n",
        env!("CARGO_BIN_EXE_callsheet-stages")
    );
    fs::write(folder.path().join("callsheet.toml"), file).expect("written");
    fs::create_dir(folder.path().join("data")).expect("created");
    symlink(repository.join("data/weights"), folder.path().join("data/weights")).expect("linked");
    folder
}

fn callsheet(project: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(engine());
    command.args(arguments).args(["--profile", "test"]).current_dir(project.path());
    command.output().expect("callsheet starts")
}

/// Names of the stages that ran.
fn ran(project: &TempDir, arguments: &[&str]) -> Vec<String> {
    let output = callsheet(project, &[&["run", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let finished = events.filter(|event| event["event"] == "finished");
    finished.filter_map(|event| Some(event["stage"].as_str()?.to_owned())).collect()
}

#[test]
fn the_whole_method_runs_once_and_a_changed_margin_runs_what_depends_on_it() {
    let project = project();
    let mut all = ran(&project, &[]);
    all.sort();
    let wanted = [
        "embed_styles",
        "evaluate",
        "extract_frames",
        "finetune_generator",
        "fit_mapper",
        "gram_features",
        "import_weights",
        "pair_images",
        "report",
        "sample_triplets",
        "style_clusters",
        "style_distances",
        "synthesize_timelapse",
        "train_encoder",
        "train_generator",
    ];
    assert_eq!(all, wanted);
    assert!(ran(&project, &[]).is_empty(), "nothing changed");
    let mut dependents = ran(&project, &["--set", "train_encoder.margin=0.2"]);
    dependents.sort();
    assert_eq!(
        dependents,
        [
            "embed_styles",
            "evaluate",
            "finetune_generator",
            "fit_mapper",
            "report",
            "train_encoder",
            "train_generator"
        ]
    );
    assert!(ran(&project, &["--set", "train_encoder.margin=0.1"]).is_empty(), "set back");

    let listed = String::from_utf8(callsheet(&project, &["ls"]).stdout).expect("text");
    assert!(listed.contains("rests on: synthetic stand-in"), "{listed}");
    assert!(listed.contains("pair_images.pairs                    table             96"), "{listed}");
}

#[test]
fn bad_footage_is_refused_by_name() {
    let project = project();
    let raw = project.path().join("data/raw/space_needle");
    fs::create_dir_all(&raw).expect("created");
    for (bytes, wanted) in [("", "is no readable video"), ("no video at all", "is no readable video")] {
        fs::write(raw.join("a.mp4"), bytes).expect("written");
        let output = callsheet(&project, &["run"]);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("a.mp4") && said.contains(wanted), "{said}");
        assert!(!project.path().join("data/out/synthesis/space_needle/extract_frames").exists());
    }
}
