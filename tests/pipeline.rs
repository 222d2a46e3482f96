//! Every stage of the method through the real binaries, in the smallest profile.

mod flagship;

use flagship::{callsheet, project, ran};

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
fn a_longer_budget_continues_and_equals_a_run_that_went_there_at_once() {
    let continued = project();
    ran(&continued, &[]);
    for (stage, longer, step, file) in [
        ("train_encoder", "train_encoder.stop_steps=8", 4, "encoder/encoder.safetensors"),
        // Two steps were made: one of the warm-up and one with all terms.
        ("train_generator", "train_generator.stop_kimg=0.032", 2, "model/networks.safetensors"),
        // It starts at step 2 and was stopped just where its warm-up ends.
        ("finetune_generator", "finetune_generator.stop_kimg=0.032", 4, "model/averaged.safetensors"),
    ] {
        let output = callsheet(&continued, &["run", "--set", longer]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("{stage}: continues from step {step}")), "{said}");
        let at_once = project();
        ran(&at_once, &["--set", longer]);
        let weights = |project: &tempfile::TempDir| {
            let out = project.path().join("data/out/synthesis/space_needle");
            std::fs::read(out.join(stage).join(file)).expect("weights")
        };
        assert!(weights(&continued) == weights(&at_once), "{stage} differs");
    }
}
