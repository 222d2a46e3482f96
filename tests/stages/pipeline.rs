//! Every stage of the method through the real binaries, in the smallest profile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::flagship::{
    callsheet, callsheet_in, ffmpeg, finished, latest, project, ran, repository, stderr, warnings,
};
use crate::shared::{self, events_of_the_cold_run};
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

#[test]
fn the_whole_method_runs_once_and_a_changed_learning_rate_runs_what_depends_on_it() {
    let mut all = finished(&events_of_the_cold_run());
    all.sort();
    let project = shared::finished();
    let stages = stages(&project);
    assert_eq!(all, stages.iter().map(String::as_str).collect::<Vec<_>>(), "each stage of the plan, once");
    assert!(ran(&project, &[]).is_empty(), "nothing changed");
    let mut dependents = ran(&project, &["--set", "train_encoder.learning_rate=0.002"]);
    dependents.sort();
    assert_eq!(dependents, depending_on(&project, "train_encoder"));
    assert!(ran(&project, &["--set", "train_encoder.learning_rate=0.001"]).is_empty(), "set back");

    let listed = String::from_utf8(callsheet(&project, &["ls"]).stdout).expect("text");
    let (artifacts, below) = listed.split_once("\n\n").expect("lines below the table");
    let pairs = artifacts.lines().find(|line| line.starts_with("pair_images.pairs")).expect("a line");
    assert_eq!(pairs.split_whitespace().take(3).collect::<Vec<_>>(), ["pair_images.pairs", "table", "96"]);
    assert_output!(below);

    for name in &stages {
        for path in tables(&latest(&project, name)) {
            let shown = path.display().to_string();
            let part = callsheet_worker::table::part_files(&path).expect(&shown).remove(0);
            let reader = SerializedFileReader::new(File::open(part).expect(&shown)).expect("Parquet");
            let file = reader.metadata().file_metadata();
            let footer = file.key_value_metadata().expect("a footer");
            let stage = footer.iter().find(|entry| entry.key == "callsheet.stage").expect("a stage");
            let declared = columns(stage.value.as_deref().unwrap_or_default(), &path);
            let found: BTreeSet<String> =
                file.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
            assert!(!declared.is_empty() && declared.is_subset(&found), "{shown}: {declared:?}, {found:?}");
            // Only tables of findings and faults may be empty: this profile plants none.
            let may_be_empty = ["findings.parquet", "faults.parquet", "faults_found.parquet"];
            assert!(file.num_rows() > 0 || may_be_empty.iter().any(|name| path.ends_with(name)), "{shown}");
        }
    }
    let agreement = agreement(&project).expect("a figure");
    assert!(agreement > 0.3 && agreement <= 1.0, "agreement of clusters with modes: {agreement}");
}

/// Instances of the plan's stages, sorted.
fn stages(project: &tempfile::TempDir) -> BTreeSet<String> {
    let output = callsheet(project, &["plan", "--json"]);
    let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names = plan["stages"].as_array().expect("stages").iter();
    names.map(|stage| stage["stage"].as_str().expect("a name").to_owned()).collect()
}

/// Tables in the folder of a stage's results.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("results").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

/// Columns that a stage's declaration lists for the output in this file.
fn columns(stage: &str, file: &Path) -> BTreeSet<String> {
    let path = repository().join("stages").join(stage).join("stage.toml");
    let declared: toml::Table = fs::read_to_string(path).expect(stage).parse().expect("TOML");
    let outputs = declared["outputs"].as_table().expect("outputs").values();
    let name = file.file_name().and_then(|name| name.to_str());
    let output = outputs.into_iter().find(|output| output["path"].as_str() == name);
    let columns = output.and_then(|output| output.get("columns")?.as_table());
    columns.into_iter().flat_map(|columns| columns.keys().cloned()).collect()
}

/// A stage and all stages that depend on it, directly or indirectly, sorted.
fn depending_on(project: &tempfile::TempDir, stage: &str) -> Vec<String> {
    let output = callsheet(project, &["graph", "--format", "dot", "--instances"]);
    let graph = String::from_utf8(output.stdout).expect("text");
    // `n0 [label="features"];` is a stage, `n0 -> n1 [label="table"];` an edge.
    let (edges, nodes): (Vec<&str>, Vec<&str>) =
        graph.lines().filter(|line| line.contains("[label=")).partition(|line| line.contains(" -> "));
    let names: BTreeMap<&str, &str> = nodes
        .iter()
        .filter_map(|line| Some((line.split_whitespace().next()?, line.split('"').nth(1)?)))
        .collect();
    let edges = edges.iter().filter_map(|line| {
        let mut ids = line.split_whitespace();
        Some((names[ids.next()?], names[ids.nth(1)?]))
    });
    let edges: Vec<(&str, &str)> = edges.collect();
    let mut found = BTreeSet::from([stage]);
    loop {
        let next: Vec<&str> =
            edges.iter().filter(|(from, _)| found.contains(from)).map(|(_, to)| *to).collect();
        let before = found.len();
        found.extend(next);
        if found.len() == before {
            return found.into_iter().map(str::to_owned).collect();
        }
    }
}

/// Normalized mutual information of style clusters and the stand-in's modes; none without modes.
fn agreement(project: &tempfile::TempDir) -> Option<f64> {
    let table = latest(project, "probe_style/probes.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &["measure", "value"]).expect("probes");
    let measures = rows["measure"].as_string::<i32>();
    let row = (0..rows.num_rows()).find(|row| measures.value(*row) == "NMI")?;
    Some(rows["value"].as_primitive::<Float64Type>().value(row))
}

#[test]
fn a_positive_is_nearer_than_the_negative_and_shows_another_crop_than_the_anchor() {
    let project = shared::finished();
    let table = latest(&project, "sample_triplets/triplets.parquet");
    let columns = ["anchor_id", "positive_id", "negative_id", "positive_distance", "negative_distance"];
    let rows = callsheet_worker::table::read_columns(&table, &columns).expect("triplets");
    let crop = |id: &str| id.rsplit('/').next().expect("a crop").to_owned();
    let text = |name: &str, row| rows[name].as_string::<i32>().value(row).to_owned();
    let number = |name: &str, row| rows[name].as_primitive::<Float64Type>().value(row);
    assert!(rows.num_rows() > 0);
    for row in 0..rows.num_rows() {
        let [anchor, positive, negative] = ["anchor_id", "positive_id", "negative_id"].map(|n| text(n, row));
        assert_ne!(crop(&anchor), crop(&positive));
        assert_ne!(anchor, negative);
        let distances = ["positive_distance", "negative_distance"].map(|name| number(name, row));
        assert!(0.0 < distances[0] && distances[0] < distances[1], "{anchor}: {distances:?}");
    }
}

#[test]
fn a_trimmed_video_of_one_crop_takes_the_stand_in_s_place() {
    let project = shared::with_results();
    let footage = project.path().join("data/raw/space_needle");
    fs::create_dir_all(&footage).expect("created");
    let whole = project.path().join("whole.mp4");
    let shown = |path: &Path| path.display().to_string();
    let pattern = ["-f", "lavfi", "-i", "testsrc2=size=96x96:rate=30:duration=2", "-pix_fmt", "yuv420p"];
    ffmpeg(&[&pattern[..], &["-c:v", "libx264", "-g", "12", &shown(&whole)]].concat());
    // The cut at frame 15 keeps frames 12 to 14 in the file for decoding, but they are not shown.
    ffmpeg(&["-ss", "0.5", "-i", &shown(&whole), "-c", "copy", &shown(&footage.join("trimmed.mp4"))]);
    fs::remove_file(whole).expect("removed");

    let output = callsheet(&project, &["run", "probe_style"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_output!(warnings(&output));
    assert!(!said.contains("synthesize_timelapse"), "{said}");
    let frames = latest(&project, "extract_frames/frames.parquet");
    assert_eq!(callsheet_worker::table::row_count(&frames).expect("frames"), 45);
    assert_eq!(agreement(&project), None, "footage has no known modes");
    let planned = |arguments: &[&str]| {
        let output = callsheet(&project, &[&["plan"], arguments].concat());
        let stages = String::from_utf8_lossy(&output.stdout).into_owned();
        let of_frames = stages.lines().find(|line| line.split_whitespace().nth(1) == Some("extract_frames"));
        of_frames.expect("a line").to_owned()
    };
    assert_output!(planned(&[]));
    // The predicted number of rows is that of the last run.
    assert_output!(planned(&["--set", "list_frames.count=30"]));
}

#[test]
fn profile_paper_has_the_paper_s_sizes_and_the_networks_of_other_profiles() {
    let output = callsheet_in("paper", &project(), &["config"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(said.matches("perceptual_scale = 3300.0").count(), 2, "{said}");
    assert!(said.contains("nf = 32") && said.contains("sha256 = \"2ecbe4ce"), "{said}");
}

#[test]
fn the_graph_in_the_readme_of_the_pipelines_is_that_of_the_pipeline() {
    let project = project();
    let verdicts = "pipelines/curation/space_needle.csv";
    fs::create_dir_all(project.path().join("pipelines/curation")).expect("created");
    fs::copy(repository().join(verdicts), project.path().join(verdicts)).expect("copied");
    let output = callsheet_in("demo", &project, &["graph"]);
    let graph = String::from_utf8(output.stdout).expect("text");
    let readme = fs::read_to_string(repository().join("pipelines/README.md")).expect("a README");
    assert!(output.status.success() && readme.contains(&format!("```mermaid\n{graph}```\n")), "{graph}");
}

#[test]
fn footage_with_few_images_of_one_crop_runs_in_profile_demo() {
    let project = project();
    let raw = project.path().join("data/raw/space_needle");
    fs::create_dir_all(&raw).expect("created");
    let video = raw.join("small.mp4").display().to_string();
    ffmpeg(&["-f", "lavfi", "-i", "testsrc2=size=96x72:rate=10:duration=6", "-pix_fmt", "yuv420p", &video]);
    let output = callsheet_in("demo", &project, &["run", "sample_triplets"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let warned = warnings(&output);
    assert!(warned.contains("near = 15 and far = 78 exceed the share 0.5 of"), "{warned}");
    let triplets = callsheet_worker::table::row_count(&latest(&project, "sample_triplets/triplets.parquet"));
    assert!(triplets.expect("a table") >= 40);
}
