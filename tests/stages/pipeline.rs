//! Every stage of the method through the real binaries, in the smallest profile.

use std::fs::{self, File};
use std::path::Path;

use crate::flagship::{
    callsheet, callsheet_in, ffmpeg, finished, project, ran, repository, stderr, warnings,
};
use crate::shared::{self, events_of_the_cold_run};
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Columns of every table that the pipeline makes.
const TABLES: [(&str, &[&str]); 13] = [
    ("synthesize_timelapse/factors", &["frame_index", "time_of_day", "cloud", "haze", "season", "mode"]),
    ("list_frames/list", &["frame_id", "video", "file", "frame_index", "time_s", "damaged"]),
    (
        "extract_frames/frames",
        &["frame_id", "video", "frame_index", "time_s", "width", "height", "content_digest", "image"],
    ),
    (
        "measure_frames/measures",
        &[
            "frame_id",
            "video",
            "time_s",
            "width",
            "height",
            "content_digest",
            "sharpness",
            "luma_mean",
            "luma_deviation",
            "black_share",
            "clipped_low_share",
            "clipped_high_share",
            "perceptual_hash",
            "features",
        ],
    ),
    ("audit_frames/findings", &["frame_id", "finding", "score", "threshold", "reason", "other_frame_id"]),
    (
        "list_images/images",
        &[
            "image_id",
            "frame_id",
            "crop",
            "crops",
            "split",
            "time_s",
            "for_style",
            "frame_digest",
            "window_ids",
            "window_digest",
        ],
    ),
    (
        "pair_images/pairs",
        &[
            "image_id",
            "frame_id",
            "crop",
            "split",
            "time_s",
            "for_style",
            "content_digest",
            "a_digest",
            "a",
            "b",
        ],
    ),
    (
        "gram_features/grams",
        &["image_id", "gram_relu1_2", "gram_relu2_2", "gram_relu3_2", "gram_relu4_2", "gram_relu5_2"],
    ),
    ("style_distances/neighbours", &["image_id", "side", "rank", "neighbour_id", "distance"]),
    ("style_clusters/clusters", &["image_id", "cluster", "size", "distance", "rank"]),
    (
        "sample_triplets/triplets",
        &[
            "visit",
            "anchor_id",
            "positive_id",
            "negative_id",
            "positive_distance",
            "negative_distance",
            "anchor_cluster",
            "positive_cluster",
            "negative_cluster",
        ],
    ),
    ("embed_styles/embeddings", &["image_id", "z"]),
    (
        "evaluate_finetuned/reconstruction",
        &[
            "image_id",
            "psnr",
            "ssim",
            "l1",
            "perceptual",
            "distance",
            "side",
            "distance_name",
            "distance_weights",
        ],
    ),
];

#[test]
fn the_whole_method_runs_once_and_a_changed_learning_rate_runs_what_depends_on_it() {
    let mut all = finished(&events_of_the_cold_run());
    all.sort();
    let wanted = [
        "audit_frames",
        "average_images",
        "compare_diversity",
        "compare_methods",
        "contact_sheets",
        "embed_styles",
        "evaluate_baseline@copy",
        "evaluate_baseline@mean",
        "evaluate_baseline@reinhard",
        "evaluate_diversity@mapper",
        "evaluate_diversity@transfer",
        "evaluate_finetuned",
        "evaluate_frozen",
        "evaluate_other_style",
        "extract_frames",
        "finetune_generator",
        "finetune_objective",
        "fit_mapper",
        "frozen_objective",
        "gram_features",
        "import_trunk",
        "import_weights",
        "interpolate",
        "list_frames",
        "list_images",
        "measure_frames",
        "pair_images",
        "probe_style",
        "project_embeddings",
        "sample_grid",
        "sample_triplets",
        "style_clusters",
        "style_distances",
        "synthesize_timelapse",
        "train_encoder",
        "train_generator",
        "transfer_grid",
    ];
    assert_eq!(all, wanted);
    let project = shared::finished();
    assert!(ran(&project, &[]).is_empty(), "nothing changed");
    let mut dependents = ran(&project, &["--set", "train_encoder.learning_rate=0.002"]);
    dependents.sort();
    assert_eq!(
        dependents,
        [
            "compare_diversity",
            "compare_methods",
            "contact_sheets",
            "embed_styles",
            "evaluate_diversity@mapper",
            "evaluate_diversity@transfer",
            "evaluate_finetuned",
            "evaluate_frozen",
            "evaluate_other_style",
            "finetune_generator",
            "fit_mapper",
            "interpolate",
            "probe_style",
            "project_embeddings",
            "sample_grid",
            "train_encoder",
            "train_generator",
            "transfer_grid"
        ]
    );
    assert!(ran(&project, &["--set", "train_encoder.learning_rate=0.001"]).is_empty(), "set back");

    let listed = String::from_utf8(callsheet(&project, &["ls"]).stdout).expect("text");
    let (artifacts, below) = listed.split_once("\n\n").expect("lines below the table");
    let pairs = artifacts.lines().find(|line| line.starts_with("pair_images.pairs")).expect("a line");
    assert_eq!(pairs.split_whitespace().take(3).collect::<Vec<_>>(), ["pair_images.pairs", "table", "96"]);
    assert_output!(below);

    for (table, columns) in TABLES {
        let path = project.path().join(format!("data/out/synthesis/space_needle/{table}.parquet"));
        let part = callsheet_worker::table::part_files(&path).expect(table).remove(0);
        let reader = SerializedFileReader::new(File::open(part).expect(table)).expect("Parquet");
        let file = reader.metadata().file_metadata();
        let found: Vec<&str> = file.schema().get_fields().iter().map(|field| field.name()).collect();
        assert_eq!(found, columns, "{table}");
        // Nothing need be wrong with a frame.
        assert!(file.num_rows() > 0 || table == "audit_frames/findings", "{table}");
    }
    let agreement = agreement(&project).expect("a figure");
    assert!(agreement > 0.3 && agreement <= 1.0, "clusters know something of styles: {agreement}");
}

/// Mutual information of style clusters and the stand-in's modes.
fn agreement(project: &tempfile::TempDir) -> Option<f64> {
    let table = project.path().join("data/out/synthesis/space_needle/probe_style/probes.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &["measure", "value"]).expect("probes");
    let measures = rows["measure"].as_string::<i32>();
    let row = (0..rows.num_rows()).find(|row| measures.value(*row) == "NMI")?;
    Some(rows["value"].as_primitive::<Float64Type>().value(row))
}

#[test]
fn a_positive_is_nearer_than_the_negative_and_shows_another_crop_than_the_anchor() {
    let project = shared::finished();
    let table = project.path().join("data/out/synthesis/space_needle/sample_triplets/triplets.parquet");
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
    // The cut at frame 15 keeps frames 12 to 14 in the file, for decoding, and does not show them.
    ffmpeg(&["-ss", "0.5", "-i", &shown(&whole), "-c", "copy", &shown(&footage.join("trimmed.mp4"))]);
    fs::remove_file(whole).expect("removed");

    let output = callsheet(&project, &["run", "probe_style"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_output!(warnings(&output));
    assert!(!said.contains("synthesize_timelapse"), "{said}");
    let frames = project.path().join("data/out/synthesis/space_needle/extract_frames/frames.parquet");
    assert_eq!(callsheet_worker::table::row_count(&frames).expect("frames"), 45);
    assert_eq!(agreement(&project), None, "nothing is known of footage");
    let planned = |arguments: &[&str]| {
        let output = callsheet(&project, &[&["plan"], arguments].concat());
        let stages = String::from_utf8_lossy(&output.stdout).into_owned();
        let of_frames = stages.lines().find(|line| line.split_whitespace().nth(1) == Some("extract_frames"));
        of_frames.expect("a line").to_owned()
    };
    assert_output!(planned(&[]));
    // As many as last time.
    assert_output!(planned(&["--set", "list_frames.count=30"]));
}

#[test]
fn profile_paper_asks_for_the_paper_s_sizes_of_the_same_networks() {
    let output = callsheet_in("paper", &project(), &["config"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(said.matches("perceptual_scale = 3300.0").count(), 2, "{said}");
    assert!(said.contains("nf = 32") && said.contains("sha256 = \"2ecbe4ce"), "{said}");
}

#[test]
fn the_graph_in_the_readme_is_that_of_the_pipeline() {
    let project = project();
    let verdicts = "pipelines/curation/space_needle.csv";
    fs::create_dir_all(project.path().join("pipelines/curation")).expect("created");
    fs::copy(repository().join(verdicts), project.path().join(verdicts)).expect("copied");
    let output = callsheet_in("demo", &project, &["graph"]);
    let graph = String::from_utf8(output.stdout).expect("text");
    let readme = fs::read_to_string(repository().join("README.md")).expect("a README");
    assert!(output.status.success() && readme.contains(&format!("```mermaid\n{graph}```\n")), "{graph}");
}
