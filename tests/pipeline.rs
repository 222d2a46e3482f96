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
    let longer = ["--set", "train_generator.stop_kimg=0.032", "--set", "train_encoder.stop_steps=8"];
    ran(&continued, &[]);
    let output = callsheet(&continued, &[&["run"], &longer[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("train_encoder: continues from step 4"), "{said}");
    let at_once = project();
    ran(&at_once, &longer);
    for (stage, file) in [
        ("train_encoder", "encoder/encoder.safetensors"),
        ("train_generator", "model/networks.safetensors"),
        ("finetune_generator", "model/averaged.safetensors"),
    ] {
        let weights = |project: &tempfile::TempDir| {
            let out = project.path().join("data/out/synthesis/space_needle");
            std::fs::read(out.join(stage).join(file)).expect("weights")
        };
        assert!(weights(&continued) == weights(&at_once), "{stage} differs");
    }
}
