//! The stages of StEP (style-based encoder pre-training), in the order of the method.
//!
//! Each stage is a folder with its declaration (`stage.toml`) and its code; [`STAGES`] lists them.
//! The other folders hold what two or more stages share.

mod audit_frames;
mod average_images;
mod commands;
mod compare_diversity;
mod compare_methods;
mod contact_sheets;
mod embed_styles;
mod evaluate_baseline;
mod evaluate_diversity;
mod evaluate_other_style;
mod evaluate_reconstruction;
mod extract_frames;
mod fit_mapper;
mod gram_features;
mod import_weights;
mod interpolate;
mod list_frames;
mod list_images;
mod list_pairs;
mod measure_frames;
mod pair_images;
mod probe_style;
mod project_embeddings;
mod read_objective;
mod sample_grid;
mod sample_triplets;
mod split_pairs;
mod style_clusters;
mod style_distances;
mod synthesize_textures;
mod synthesize_timelapse;
mod test_claims;
mod train_encoder;
mod train_generator;
mod transfer_grid;
mod user_study;

mod codes;
mod columns;
mod data;
mod figures;
mod lpips;
mod memory;
mod metrics;
mod model;
pub mod nn;
mod objective;
mod overlap;
mod pairs;
mod parts;
mod picture;
mod random;
mod splits;
mod style;
mod verdicts;
mod video;
mod weights;

use std::process::ExitCode;

use callsheet_worker::{Job, perform};

/// A stage's code.
type Run = fn(&Job) -> anyhow::Result<()>;

/// Every stage, in the order of the method.
pub const STAGES: [(&str, Run); 35] = [
    ("import_weights", import_weights::run),
    ("synthesize_timelapse", synthesize_timelapse::run),
    ("synthesize_textures", synthesize_textures::run),
    ("list_frames", list_frames::run),
    ("extract_frames", extract_frames::run),
    ("measure_frames", measure_frames::run),
    ("audit_frames", audit_frames::run),
    ("list_images", list_images::run),
    ("pair_images", pair_images::run),
    ("list_pairs", list_pairs::run),
    ("split_pairs", split_pairs::run),
    ("gram_features", gram_features::run),
    ("style_distances", style_distances::run),
    ("style_clusters", style_clusters::run),
    ("sample_triplets", sample_triplets::run),
    ("train_encoder", train_encoder::run),
    ("read_objective", read_objective::run),
    ("train_generator", train_generator::run),
    ("embed_styles", embed_styles::run),
    ("project_embeddings", project_embeddings::run),
    ("probe_style", probe_style::run),
    ("fit_mapper", fit_mapper::run),
    ("transfer_grid", transfer_grid::run),
    ("sample_grid", sample_grid::run),
    ("interpolate", interpolate::run),
    ("average_images", average_images::run),
    ("evaluate_baseline", evaluate_baseline::run),
    ("evaluate_reconstruction", evaluate_reconstruction::run),
    ("evaluate_other_style", evaluate_other_style::run),
    ("evaluate_diversity", evaluate_diversity::run),
    ("compare_methods", compare_methods::run),
    ("compare_diversity", compare_diversity::run),
    ("test_claims", test_claims::run),
    ("contact_sheets", contact_sheets::run),
    ("user_study", user_study::run),
];

/// Runs the stage named on the command line.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| commands::NAMES.contains(&word.as_str())) {
        return commands::main();
    }
    let [name, request] = words.as_slice() else {
        return usage("callsheet-stages STAGE REQUEST.json");
    };
    match STAGES.iter().find(|(stage, _)| stage == name) {
        Some((_, run)) => perform(|job| guarded(job, *run), request.as_ref()),
        None => usage(&format!("no stage `{name}`")),
    }
}

/// Runs a stage with the threads that the engine grants it.
fn guarded(job: &Job, run: Run) -> anyhow::Result<()> {
    tch::set_num_threads(job.request.cpus.max(1) as i32);
    memory::guarded(|| run(job))
}

#[expect(clippy::print_stderr, reason = "called by hand, not by the engine")]
fn usage(problem: &str) -> ExitCode {
    let names: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
    eprintln!("{problem}\nstages: {}\n(`callsheet run` starts them)", names.join(", "));
    ExitCode::from(2)
}
