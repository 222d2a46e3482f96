//! New and removed frames: numbers of rows that the real stages compute, from the event log.

use std::collections::BTreeMap;
use std::fs;

use crate::flagship::{callsheet, failures, ffmpeg, project_of, rows, stderr, warnings};
use crate::shared::share_results;
use crate::snapshot::assert_output;
use serde_json::Value;
use tempfile::TempDir;

/// Pipeline in which the set of embedded images grows, while that of the encoder's training does not.
const PIPELINE: &str = r#"
summary = "Style features and codes of a growing folder of videos"

[sources.footage]
path = "data/raw/growing/*.mp4"
hint = "encode some"

[sources.fixed]
path = "data/raw/fixed/*.mp4"
hint = "encode one"

[sources.curation]
path = "pipelines/curation/{dataset}.csv"

[sources.vgg_weights]
path = "data/weights/vgg16.ckpt"
hint = "run `make setup`"

[sources.objectives]
path = "pipelines/objectives/*.toml"
hint = "write one"

[stages.import_weights]
inputs.weights = "vgg_weights"

[stages.list_frames]
inputs.videos = "footage"

[stages.extract_frames]
inputs.list = "list_frames.list"
inputs.videos = "footage"

[stages.list_images]
inputs.frames = "extract_frames.frames"
inputs.curation = "curation"
params.window = 3

[stages.pair_images]
inputs.images = "list_images.images"
inputs.frames = "extract_frames.frames"
params.side = 32

[stages.gram_features]
inputs.pairs = "pair_images.pairs"
inputs.vgg = "import_weights.weights"

[stages.embed_styles]
inputs.pairs = "pair_images.pairs"
inputs.model = "train_generator.model"

[stages.list_fixed]
use = "list_frames"
inputs.videos = "fixed"

[stages.extract_fixed]
use = "extract_frames"
inputs.list = "list_fixed.list"
inputs.videos = "fixed"

[stages.list_fixed_images]
use = "list_images"
inputs.frames = "extract_fixed.frames"

[stages.pair_fixed]
use = "pair_images"
inputs.images = "list_fixed_images.images"
inputs.frames = "extract_fixed.frames"
params.side = 32

[stages.gram_fixed]
use = "gram_features"
inputs.pairs = "pair_fixed.pairs"
inputs.vgg = "import_weights.weights"

[stages.style_distances]
inputs.pairs = "pair_fixed.pairs"
inputs.grams = "gram_fixed.grams"
params.near = 3
params.far = 5

[stages.style_clusters]
inputs.pairs = "pair_fixed.pairs"
inputs.distances = "style_distances.distances"
params.clusters = 2

[stages.sample_triplets]
inputs.neighbours = "style_distances.neighbours"
inputs.clusters = "style_clusters.clusters"

[stages.train_encoder]
inputs.pairs = "pair_fixed.pairs"
inputs.triplets = "sample_triplets.triplets"
params.nf = 4
params.stop_steps = 2

[stages.objective]
use = "resolve_objective"
inputs.objectives = "objectives"
params.freeze_encoder = true

[stages.train_generator]
inputs.pairs = "pair_fixed.pairs"
inputs.vgg = "import_weights.weights"
inputs.objective = "objective.objective"
inputs.encoder = "train_encoder.model"
params.nf = 4
params.scales = 2
params.w_mse = 1.0
params.warmup_kimg = 0.008
params.stop_kimg = 0.008
"#;

/// A project with the pipeline above, and a video to train on.
fn growing() -> TempDir {
    let project = project_of("growing", PIPELINE);
    share_results(&project);
    video(&project, "fixed/a", "testsrc2", 16);
    project
}

/// Encodes a video with two crops per frame.
fn video(project: &TempDir, name: &str, pattern: &str, frames: usize) {
    let path = project.path().join(format!("data/raw/{name}.mp4"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    let source = format!("{pattern}=size=128x64:rate=10");
    let (frames, path) = (frames.to_string(), path.display().to_string());
    let how = ["-frames:v", &frames, "-pix_fmt", "yuv420p", "-c:v", "libx264", &path];
    ffmpeg(&[&["-f", "lavfi", "-i", &source], &how[..]].concat());
}

fn counts<const N: usize>(counts: [(&str, (u64, u64)); N]) -> BTreeMap<String, (u64, u64)> {
    counts.map(|(stage, rows)| (stage.to_owned(), rows)).into()
}

/// Digests of the rows of frames, style features and style codes.
fn contents(project: &TempDir) -> [String; 3] {
    ["extract_frames.frames", "gram_features.grams", "embed_styles.embeddings"].map(|artifact| {
        let output = callsheet(project, &["show", artifact, "--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        shown["object"]["content"].as_str().expect("a digest").to_owned()
    })
}

#[test]
fn new_frames_compute_only_their_crops_and_removed_frames_compute_nothing() {
    let grown = growing();
    video(&grown, "growing/b", "testsrc2", 30);
    rows(&grown, &[]);
    video(&grown, "growing/a", "testsrc", 4);
    let ten_more = counts([
        ("extract_frames", (4, 34)),
        ("pair_images", (8, 68)),
        ("gram_features", (8, 68)),
        ("embed_styles", (8, 68)),
    ]);
    assert_eq!(rows(&grown, &[]), ten_more);

    let at_once = growing();
    video(&at_once, "growing/b", "testsrc2", 30);
    video(&at_once, "growing/a", "testsrc", 4);
    rows(&at_once, &[]);
    assert_eq!(contents(&grown), contents(&at_once), "30 rows and 4 more equal 34 at once");

    let margin = rows(&grown, &["--set", "train_encoder.margin=0.2"]);
    assert!(margin.is_empty(), "two steps are too few for the margin to matter: {margin:?}");
    let rate = rows(&grown, &["--set", "train_encoder.learning_rate=0.01"]);
    assert_eq!(rate, counts([("embed_styles", (68, 68))]), "the encoder changes codes, but not features");
    // A is the median of more frames, so it changes; codes and features are computed from B.
    let window = rows(&grown, &["--set", "list_images.window=5"]);
    let every_a = counts([("pair_images", (68, 68)), ("gram_features", (0, 68)), ("embed_styles", (0, 68))]);
    assert_eq!(window, every_a);
    rows(&grown, &[]);
    fs::remove_file(grown.path().join("data/raw/growing/a.mp4")).expect("removed");
    video(&grown, "growing/c", "testsrc", 2);
    let ten_less = counts([
        ("extract_frames", (2, 32)),
        ("pair_images", (4, 64)),
        ("gram_features", (4, 64)),
        ("embed_styles", (4, 64)),
    ]);
    assert_eq!(rows(&grown, &[]), ten_less, "frames of c have other names than those of a");
    fs::remove_file(grown.path().join("data/raw/growing/c.mp4")).expect("removed");
    assert!(callsheet(&grown, &["plan", "--check"]).status.success(), "all results are cached");
}

#[test]
fn a_plan_predicts_that_excluded_frames_recompute_images_smoothed_over_them() {
    let project = growing();
    video(&project, "growing/b", "testsrc2", 40);
    rows(&project, &[]);
    let excluded: Vec<String> = (10..15).map(|n| format!("b.mp4#{n:06}")).collect();
    let mut words = vec!["curate", "exclude", "--reason", "a bird", "--author", "a curator"];
    words.extend(excluded.iter().map(String::as_str));
    assert!(callsheet(&project, &words).status.success());
    let planned = String::from_utf8_lossy(&callsheet(&project, &["plan"]).stdout).into_owned();
    // Frames 9 and 15 lost a neighbour; only the run shows whether their images B changed.
    let due: Vec<&str> = planned.lines().filter(|line| !line.starts_with("cached")).collect();
    assert_output!(due.join("\n"));
    let less = counts([("pair_images", (4, 70)), ("gram_features", (0, 70)), ("embed_styles", (0, 70))]);
    assert_eq!(rows(&project, &[]), less);

    let file = project.path().join("pipelines/curation/any.csv");
    let kept = fs::read_to_string(&file).expect("readable");
    let told = [
        "b.mp4#000020,exlude,x,y,2026-01-01",
        "c.mp4#000020,exclude,x,y,2026-01-01",
        "b.mp4,exclude,x,y,2026-01-01",
        "b.mp4#00020,exclude,x,y,2026-01-01",
    ]
    .map(|line| {
        fs::write(&file, format!("{kept}{line}\n")).expect("written");
        let output = callsheet(&project, &["run"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        failures(&output)
    });
    assert_output!(told.concat());
    fs::write(&file, format!("{kept}b.mp4#000999,exclude,x,y,2026-01-01\n")).expect("written");
    let output = callsheet(&project, &["run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_output!(warnings(&output));
    fs::remove_file(&file).expect("removed");
    let back = rows(&project, &[]);
    assert!(back.is_empty(), "all rows are cached: {back:?}");
}
