//! Encoders of several settings on recordings whose styles are known, because filters made them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::audit::video;
use crate::flagship::{callsheet, failures, latest, project_with_dataset, ran, rows};
use crate::pinned::check_outputs;
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use arrow::record_batch::RecordBatch;
use tempfile::TempDir;

const DATASET: &str = r#"
summary = "Mine"
import = "filtered"

[sources.footage]
path = "data/raw/footage/*.mp4"

[stages.filter_frames.params]
side = 64

[stages.probe_style]
inputs.factors = "filter_frames.styles"
inputs.features = "reference_features.features"

[stages.probe_variant]
inputs.factors = "filter_frames.styles"

[stages.reference_features]
use = "reference_features"
inputs.pairs = "pair_images.pairs"
inputs.vgg = "import_weights.weights"
"#;

/// The pipeline `retrieval` with few variants.
const PIPELINE: &str = r#"
summary = "A few variants"
include = ["retrieval.toml"]

[stages.style_distances]
foreach.variant = ["all", "images_50", "side_32", "code_4"]

[stages.train_encoder]
foreach.variant = ["all", "images_50", "side_32", "code_4"]
foreach.seed = [0, 1]
"#;

const RUN: [&str; 4] = ["--pipeline", "few", "--dataset", "mine"];

/// A project with two videos of different size.
fn recordings() -> TempDir {
    let project = project_with_dataset(DATASET);
    fs::write(project.path().join("pipelines/few.toml"), PIPELINE).expect("written");
    video(&project, "a", "null", 50);
    video(&project, "b", "crop=280:160", 50);
    project
}

fn table(project: &TempDir, name: &str) -> RecordBatch {
    let path = latest(project, &format!("{name}.parquet"));
    callsheet_worker::table::read_columns(&path, &[]).expect(name)
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    rows[name].as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

#[test]
fn known_styles_of_recordings_are_searched_with_encoders_of_each_variant() {
    let project = recordings();
    let counted = rows(&project, &RUN);
    assert_eq!(counted["small_grams@32"], (100, 100));
    assert_eq!(counted["embed_styles@code_4-1"], (100, 100));

    let frames = table(&project, "filter_frames/frames");
    assert_eq!(frames.num_rows(), 100, "frames of both videos");
    assert!(frames["width"].as_primitive::<Int32Type>().values().iter().all(|width| *width == 64));
    let styles = table(&project, "filter_frames/styles");
    assert_eq!(texts(&styles, "frame_id"), texts(&frames, "frame_id"));
    let modes: BTreeSet<String> = texts(&styles, "mode").into_iter().collect();
    assert_eq!(modes.into_iter().collect::<Vec<_>>(), ["day", "fog", "night"]);

    let images = |variant: &str| table(&project, &format!("style_distances@{variant}/distances")).num_rows();
    assert_eq!(images("images_50"), 50);
    assert!(images("all") > 50, "{} training images", images("all"));
    let codes = table(&project, "embed_styles@code_4-0/embeddings");
    assert_eq!(codes["z"].as_list::<i32>().value(0).as_primitive::<Float32Type>().len(), 4);

    let all = table(&project, "compare_probes/probes");
    let keys = texts(&all, "variant").into_iter().zip(texts(&all, "code")).zip(texts(&all, "probe"));
    let values = all["value"].as_primitive::<Float64Type>().values();
    let found: BTreeMap<(String, String), (usize, f64)> = keys
        .enumerate()
        .filter(|(_, (_, probe))| probe == "retrieval")
        .map(|(row, (key, _))| (key, (row, values[row])))
        .collect();
    let of = |variant: &str, code: &str| found[&(variant.to_owned(), code.to_owned())];
    for variant in ["all", "images_50", "side_32", "code_4"] {
        let (row, _) = of(variant, "style");
        assert_eq!(all["repetitions"].as_primitive::<Int32Type>().value(row), 2, "{variant}");
        let deviation = all["value_deviation"].as_primitive::<Float64Type>().value(row);
        assert!(deviation.is_finite(), "{variant}: {deviation}");
        let (_, repetitions) = (0..2).fold((0, 0.0), |(n, sum), seed| {
            let probes = table(&project, &format!("probe_variant@{variant}-{seed}/probes"));
            let at = (texts(&probes, "code").into_iter().zip(texts(&probes, "probe")))
                .position(|(code, probe)| code == "style" && probe == "retrieval");
            (n + 1, sum + probes["value"].as_primitive::<Float64Type>().value(at.expect("a retrieval")))
        });
        assert!((of(variant, "style").1 - repetitions / 2.0).abs() < 1e-12, "{variant}");
    }
    assert!(found.contains_key(&("side_32".into(), "style distance".into())));
    let once = table(&project, "probe_style/probes");
    let at = |code: &str| {
        let rows = texts(&once, "code").into_iter().zip(texts(&once, "probe"));
        rows.into_iter().position(|row| row == (code.to_owned(), "retrieval".to_owned())).expect(code)
    };
    let number = |name: &str| once[name].as_primitive::<Float64Type>().value(at("style distance"));
    assert!(number("value") > number("chance") + 0.2, "{} by style distance", number("value"));
    at("pixels");

    let more = ["--set", "train_encoder@code_4-0.nf=5", "--set", "train_encoder@code_4-1.nf=5"];
    let stages = ran(&project, &[&RUN[..], &more].concat());
    // The search may find the same images, and then there is nothing to compare.
    let stages: BTreeSet<String> = stages.into_iter().filter(|stage| stage != "compare_probes").collect();
    let wanted = ["embed_styles", "probe_variant", "train_encoder"];
    let wanted = wanted.iter().flat_map(|stage| [format!("{stage}@code_4-0"), format!("{stage}@code_4-1")]);
    assert_eq!(stages, wanted.collect());
    check_outputs(project.path(), "few/mine");
}

#[test]
fn codes_of_another_size_are_refused_by_the_stages_that_train_on_them() {
    let project = project_with_dataset(DATASET);
    video(&project, "a", "null", 60);
    let refused = |stage: &str| {
        let set = ["--set", "train_encoder.code_size=4"];
        failures(&callsheet(&project, &[&["run", stage, "--dataset", "mine"], &set[..]].concat()))
    };
    assert_output!(refused("train_generator"));

    let pipeline = "summary = \"A mapper for codes of a pre-trained encoder\"\ninclude = [\"parts/encoder.toml\"]\n\
        [stages.embed_styles]\ninputs.pairs = \"pair_images.pairs\"\ninputs.model = \"train_encoder.model\"\n\
        [stages.fit_mapper]\ninputs.pairs = \"pair_images.pairs\"\ninputs.embeddings = \"embed_styles.embeddings\"\n\
        [stages.probe_style]\ninputs.pairs = \"pair_images.pairs\"\ninputs.embeddings = \"embed_styles.embeddings\"\n";
    fs::write(project.path().join("pipelines/mapper.toml"), pipeline).expect("written");
    let set = ["--set", "train_encoder.code_size=4", "--pipeline", "mapper", "--dataset", "mine"];
    assert_output!(failures(&callsheet(&project, &[&["run", "fit_mapper"], &set[..]].concat())));
}

#[test]
fn frames_need_at_least_one_filter() {
    let project = recordings();
    let none = ["--set", "filter_frames.filters="];
    assert_output!(failures(&callsheet(&project, &[&["run", "filter_frames"], &RUN[..], &none].concat())));
}
