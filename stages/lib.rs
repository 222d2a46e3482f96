//! Stages of StEP (style-based encoder pre-training).
//!
//! Each stage is a folder with its declaration (`stage.toml`) and its code. [`STAGES`] lists them in the
//! order of the method. `lib/` contains the code that two or more stages share, and `commands/` the commands
//! of this project.

mod commands;
#[path = "lib/mod.rs"] // without a path, `lib` is ambiguous, because this file is `lib.rs`
mod lib;

use std::process::ExitCode;

use callsheet_worker::{Job, perform};

/// Code of a stage.
type Run = fn(&Job) -> anyhow::Result<()>;

/// Declares a module for each stage, and `STAGES`. The name of a stage is the name of its folder.
macro_rules! stages {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// Name and code of every stage, in the order of the method.
        pub const STAGES: &[(&str, Run)] = &[$((stringify!($name), $name::run)),*];
    };
}

stages! {
    import_weights
    synthesize_timelapse
    synthesize_textures
    list_frames
    extract_frames
    measure_frames
    audit_frames
    filter_frames
    plant_faults
    evaluate_audit
    list_images
    pair_images
    list_pairs
    split_pairs
    list_renderings
    cut_renderings
    gram_features
    reference_features
    style_distances
    style_clusters
    sample_triplets
    train_encoder
    resolve_objective
    train_generator
    embed_styles
    project_embeddings
    probe_style
    compare_probes
    fit_mapper
    transfer_grid
    sample_grid
    interpolation_grid
    average_images
    evaluate_baseline
    evaluate_reconstruction
    evaluate_other_style
    evaluate_diversity
    compare_methods
    compare_diversity
    test_claims
    contact_sheets
    user_study
}

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
        None => usage(&format!("unknown stage `{name}`")),
    }
}

/// Runs a stage with the number of threads that the engine grants.
fn guarded(job: &Job, run: Run) -> anyhow::Result<()> {
    tch::set_num_threads(job.request.cpus.max(1) as i32);
    lib::memory::guarded(|| run(job))
}

#[expect(clippy::print_stderr, reason = "called by hand, not by the engine")]
fn usage(problem: &str) -> ExitCode {
    let names: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
    eprintln!("{problem}\nstages: {}\nrun `callsheet run` to start them", names.join(", "));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_folder_with_a_declaration_is_listed_as_a_stage() {
        let folders = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("stages").flatten();
        let declared = folders.filter(|folder| folder.path().join("stage.toml").is_file());
        let declared: BTreeSet<String> =
            declared.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(declared, STAGES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
