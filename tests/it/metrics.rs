//! Curves of the metrics that stages report, read from the events of runs.

use crate::snapshot::assert_output;
use crate::support::{Project, until};
use serde_json::Value;

/// Runs a training of `steps` steps, each of which reports a metric.
fn train(project: &Project, steps: &str, more: &[&str]) {
    let set = format!("train.stop_steps={steps}");
    project.run(&[&["-p", "train", "--set", &set][..], more].concat());
}

/// Steps at which a stage of a run reported `metric`.
fn steps(project: &Project, run: &str, stage: &str, metric: &str) -> Vec<u64> {
    let all = project.json(&["metrics", run, "--json"]);
    let curve = all["runs"][0]["stages"][stage][metric].as_object().cloned().unwrap_or_default();
    let mut steps: Vec<u64> = curve.keys().map(|step| step.parse().expect("a step")).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn curves_of_a_resumed_training_are_complete() {
    let project = Project::new();
    train(&project, "4", &[]);
    train(&project, "7", &[]);
    assert_eq!(steps(&project, "latest", "train", "state/rest"), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        steps(&project, "latest~1", "train", "state/rest"),
        [1, 2, 3, 4],
        "the curve has no steps of a later run"
    );
    // A shorter training that an earlier run computed ends at its own last step.
    train(&project, "4", &["--force", "make"]);
    assert_eq!(steps(&project, "latest", "train", "state/rest"), [1, 2, 3, 4]);
}

#[test]
fn runs_and_instances_that_share_a_scratch_folder_keep_their_own_curves() {
    let project = Project::new();
    train(&project, "4", &[]);
    // The training still has its checkpoint, so it runs no step and reports 0 steps.
    train(&project, "4", &["--force", "train"]);
    let gone = |run: &str| {
        project.json(&["metrics", run, "--json"])["runs"][0]["stages"]["train"]["steps/gone"]["4"].clone()
    };
    assert_eq!((gone("latest~1"), gone("latest")), (4.0.into(), 0.0.into()));
    assert_eq!(
        steps(&project, "latest", "train", "state/rest"),
        [1, 2, 3, 4],
        "the steps before its checkpoint are part of the curve"
    );

    let pipeline = project.read("pipelines/train.toml");
    let two = "[stages.train]\nforeach.steps = [3, 6]\nparams.stop_steps = \"{steps}\"\n";
    project.write("pipelines/two.toml", &pipeline.replace("[stages.train]\n", two));
    project.run(&["-p", "two", "--set", "train@3.seed=5", "train@3"]);
    project.run(&["-p", "two", "--set", "train@3.seed=5", "--set", "train@6.seed=5"]);
    assert_eq!(steps(&project, "latest", "train@3", "state/rest"), [1, 2, 3]);
    assert_eq!(steps(&project, "latest", "train@6", "state/rest"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn killed_and_running_runs_have_curves() {
    let project = Project::new();
    let mut run = project.start(&["-p", "train", "-d", "toy", "-P", "small", "--set", "train.seconds=0.3"]);
    let told = || {
        let said = project.command(&["metrics", "--json"]).stdout;
        let all: Value = serde_json::from_slice(&said).unwrap_or_default();
        all["runs"][0]["stages"]["train"]["state/rest"].as_object().map_or(0, serde_json::Map::len)
    };
    until("the running training reports two steps", || told() >= 2);
    run.kill().expect("killed");
    run.wait().expect("ended");
    let before = told();
    assert!(before >= 2);
    train(&project, "10", &["--set", "train.seconds=0.3"]);
    assert_eq!(steps(&project, "latest", "train", "state/rest"), (1..=10).collect::<Vec<_>>());
}

#[test]
fn compare_prints_the_last_values_of_metrics() {
    let project = Project::new();
    train(&project, "4", &[]);
    train(&project, "5", &[]);
    let both = project.json(&["compare", "latest~1", "latest", "--json"]);
    assert_eq!((&both["version"], &project.json(&["metrics", "--json"])["version"]), (&1.into(), &1.into()));
    let metrics: Vec<&str> =
        both["metrics"].as_array().expect("a list").iter().filter_map(|m| m["metric"].as_str()).collect();
    assert!(metrics.contains(&"train: state/rest"), "{both}");
}

#[test]
fn pictures_and_metrics_of_a_run_are_in_its_tensorboard_files() {
    let project = Project::new();
    train(&project, "8", &[]);
    let run = project.json(&["ls", "--runs", "--json"])["runs"][0]["id"].as_str().expect("a run").to_owned();
    let folder = format!("data/store/runs/{run}");
    for step in [4u8, 8] {
        let picture =
            image::open(project.path(&format!("{folder}/images/train/state%2fcolour-00000000{step}.png")));
        assert_eq!(picture.expect("a picture").to_rgb8().as_raw(), &vec![step; 6]);
    }
    let events = project.read(&format!("{folder}/events.ndjson"));
    assert!(events.contains(r#""path":"images/train/state%2fcolour-000000004.png""#), "{events}");
    let files = std::fs::read_dir(project.path(&format!("{folder}/tensorboard/train"))).expect("a folder");
    let files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].to_string_lossy().contains("/events.out.tfevents."), "{files:?}");
    // Records: the version, 8 states, 2 pictures, and the number of steps of the run.
    let bytes = std::fs::read(&files[0]).expect("read");
    assert_eq!(records(&bytes), 1 + 8 + 2 + 1);
}

/// Counts TFRecords. A record is a length, its checksum, the data of this length, and the data's checksum.
fn records(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((length, _)) = bytes.split_first_chunk::<8>() {
        bytes = &bytes[8 + 4 + u64::from_le_bytes(*length) as usize + 4..];
        count += 1;
    }
    count
}

#[test]
fn curves_are_drawn_in_the_terminal_and_as_pictures() {
    let project = Project::new();
    train(&project, "8", &[]);
    assert_output!(project.stdout(&["metrics", "--metric", "state/*"]));
    project.stdout(&["metrics", "-o", "curves.svg"]);
    let svg = project.read("curves.svg");
    assert!(svg.contains("state/rest") && svg.contains("steps/gone"), "{svg}");
    project.stdout(&["metrics", "latest", "latest", "--smooth", "0.5", "-o", "curves.png"]);
    assert_eq!(image::image_dimensions(project.path("curves.png")).expect("a picture"), (1120, 320));
}

#[test]
fn curves_that_cannot_be_drawn_are_refused_with_the_available_names() {
    let project = Project::new();
    assert_output!(project.refused("unknown_name", &["metrics"]));
    project.run(&[]);
    assert_output!(project.refused("unsupported", &["metrics"]));
    train(&project, "4", &[]);
    let cases = [
        ("unknown_name", ["--metric", "state/rst"]),
        ("unknown_name", ["--stage", "trian"]),
        ("invalid_value", ["--smooth", "1"]),
        ("invalid_value", ["-o", "curves.pdf"]),
        ("io", ["-o", "no/folder/curves.png"]),
        ("invalid_value", ["--metric", "a["]),
    ];
    let said = cases.map(|(code, [option, value])| project.refused(code, &["metrics", option, value]));
    assert_output!(said.join("\n"));
    assert!(!project.exists("curves.pdf"));
}
