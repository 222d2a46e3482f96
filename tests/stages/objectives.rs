//! Objectives through the real binaries: the complete comparison, and settings that cannot be trained.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::flagship::{callsheet, callsheet_in, failures, finished, latest, project, ran, start, stderr};
use crate::pinned::check_outputs;
use crate::shared::with_results;
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::Float64Type;

const ABLATION: [&str; 4] = ["--pipeline", "ablation", "--jobs", "2"];

#[test]
#[ignore = "takes minutes: `make test-all` runs it"]
fn the_ablation_survives_a_kill_shares_upstream_results_and_compares_every_model() {
    let project = project();
    let events = project.path().join("events");
    let mut engine = start(&project, &ABLATION, &events);
    let before = || finished(&fs::read_to_string(&events).expect("events"));
    let trained = || before().iter().any(|stage| stage.starts_with("train_jointly"));
    for _ in (0..6000).take_while(|_| !trained()) {
        assert!(engine.try_wait().expect("a child").is_none(), "the run ended before it was killed");
        sleep(Duration::from_millis(50));
    }
    assert!(trained(), "no training finished within five minutes");
    engine.kill().expect("killed");
    engine.wait().expect("ended");
    let before = before();
    let after = ran(&project, &ABLATION);
    let twice: BTreeSet<_> = before.iter().filter(|stage| after.contains(stage)).collect();
    assert!(twice.is_empty(), "finished stages ran again: {twice:?}");
    let all: Vec<&String> = before.iter().chain(&after).collect();
    for shared in ["gram_features", "sample_triplets", "train_encoder", "compare_methods"] {
        assert_eq!(all.iter().filter(|stage| **stage == shared).count(), 1, "{shared}");
    }
    // While the encoder is frozen, versions 3 and 4 train identically, so they share one training.
    let trained = |of: &str| all.iter().filter(|stage| stage.split('@').next() == Some(of)).count();
    assert_eq!(["train_jointly", "train_frozen", "finetune"].map(trained), [7, 3, 4]);

    let table = latest(&project, "compare_methods/comparison.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &[]).expect("a table");
    let text = |name: &str, row| rows[name].as_string::<i32>().value(row).to_owned();
    let models: Vec<_> =
        (0..rows.num_rows()).map(|row| (text("method", row), text("training", row))).collect();
    let of = |training: &str| models.iter().filter(|(_, found)| found == training).count();
    assert_eq!(["untrained", "from scratch", "encoder frozen", "fine-tuned"].map(of), [3, 7, 4, 4]);
    assert_eq!(
        models[..3].iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["copy", "mean", "reinhard"]
    );
    let cycle: Vec<_> = (0..rows.num_rows())
        .filter(|row| text("term_cycle", *row) == "on")
        .map(|row| models[row].0.as_str())
        .collect();
    let energy = |row: usize| (models[row].1.as_str(), text("term_code_l2", row));
    let step_v3: Vec<_> =
        (0..rows.num_rows()).filter(|row| models[*row].0 == "step_v3").map(energy).collect();
    assert_eq!(step_v3, [("encoder frozen", "off".to_owned()), ("fine-tuned", "on".to_owned())]);
    assert_eq!(text("term_cycle", 0), "", "a trivial predictor has no objective");
    assert_eq!(cycle, ["munit_p_v1", "munit_p_v2", "munit_p_v3", "step_v1", "step_v1"]);
    assert_eq!(text("distance_name", 0), "LPIPS v0.1 (AlexNet, 256 px)");
    for metric in ["psnr", "ssim", "l1", "perceptual", "distance"] {
        let values = rows[metric].as_primitive::<Float64Type>().values().to_vec();
        assert!(values.iter().all(|value| value.is_finite()), "{metric}: {values:?}");
        let frozen =
            |name: &str| models.iter().position(|m| *m == (name.to_owned(), "encoder frozen".to_owned()));
        assert_eq!(values[frozen("step_v3").expect("a row")], values[frozen("step_v4").expect("a row")]);
    }
    assert!(ran(&project, &ABLATION).is_empty(), "nothing changed");
    check_outputs(project.path(), "ablation/space_needle");
}

/// Tests of `make test-all` run the two pipelines.
#[test]
fn ablation_and_generalization_are_planned_and_share_results_of_the_synthesis() {
    let project = with_results();
    for (pipeline, ran) in
        [("ablation", "train_jointly@munit_p_v1-0"), ("generalization", "pretrain_other@similar")]
    {
        let planned = callsheet(&project, &["plan", "--pipeline", pipeline]);
        let said = String::from_utf8_lossy(&planned.stdout).into_owned();
        assert!(planned.status.success(), "{said}{}", String::from_utf8_lossy(&planned.stderr));
        let state = |stage: &str| {
            let words = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let mut found = words.filter(|words| words.get(1) == Some(&stage)).map(|words| words[0]);
            found.next().unwrap_or_else(|| panic!("{stage} is not in {said}"))
        };
        assert!(["run", "maybe"].contains(&state(ran)), "{said}");
        assert_eq!(state("train_encoder"), "cached", "{said}");
    }
}

#[test]
fn a_comment_in_an_objective_trains_nothing_and_another_weight_trains_what_uses_it() {
    let project = with_results();
    let folder = project.path().join("pipelines/objectives");
    fs::remove_file(&folder).expect("a link");
    fs::create_dir(&folder).expect("created");
    let from = crate::flagship::repository().join("pipelines/objectives/step_v4.toml");
    let text = fs::read_to_string(from).expect("an objective");
    let file = folder.join("step_v4.toml");
    fs::write(&file, &text).expect("written");
    let target = ["finetune_generator"];
    ran(&project, &target);
    fs::write(&file, format!("# Mine.\n{text}")).expect("written");
    assert_eq!(ran(&project, &target).len(), 2, "the objectives are read again and are unchanged");
    fs::write(folder.join("mine.toml"), &text).expect("written");
    ran(&project, &target);
    fs::write(&file, text.replace("perceptual = 0.02", "perceptual = 0.03")).expect("written");
    let mut ran = ran(&project, &target);
    ran.sort();
    assert_eq!(ran, ["finetune_generator", "finetune_objective", "frozen_objective", "train_generator"]);
}

#[test]
fn fine_tunings_of_several_lengths_are_compared_and_one_is_that_of_the_pipeline_synthesis() {
    let project = with_results();
    let lengths = ["--pipeline", "lengths", "compare_methods"];
    let all = ran(&project, &lengths);
    let trained: Vec<&String> = all.iter().filter(|stage| stage.starts_with("finetune_longer")).collect();
    assert_eq!(trained, ["finetune_longer@0.008"], "0.016 has the settings of the pipeline `synthesis`");
    let table = latest(&project, "compare_methods/comparison.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &["method"]).expect("a table");
    let methods: Vec<&str> = rows["method"].as_string::<i32>().iter().flatten().collect();
    assert_eq!(methods, ["copy", "mean", "reinhard", "0.008", "0.016"]);
    assert!(ran(&project, &lengths).is_empty(), "nothing changed");
}

#[test]
fn every_profile_suits_every_pipeline() {
    let project = with_results();
    let names = |folder: &str| {
        let files = fs::read_dir(crate::flagship::repository().join(folder)).expect(folder);
        let names = files
            .filter_map(|file| file.ok()?.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned));
        names.collect::<Vec<String>>()
    };
    let (pipelines, profiles) = (names("pipelines"), names("pipelines/profiles"));
    assert!(pipelines.len() > 5 && profiles.len() > 4, "{pipelines:?} {profiles:?}");
    for (pipeline, profile) in pipelines.iter().flat_map(|one| profiles.iter().map(move |two| (one, two))) {
        // The pipeline `audit` plants faults into the videos that a dataset names.
        let dataset = if pipeline == "audit" { "python_clips" } else { "space_needle" };
        let output = callsheet_in(profile, &project, &["plan", "--pipeline", pipeline, "--dataset", dataset]);
        assert!(output.status.success(), "{pipeline} in {profile}: {}", stderr(&output));
    }
}

/// Errors of a run, which must fail.
fn refused(project: &tempfile::TempDir, arguments: &[&str]) -> String {
    let output = callsheet(project, &[&["run"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    failures(&output)
}

#[test]
fn settings_that_cannot_be_trained_are_refused_with_a_remedy() {
    let project = with_results();
    let told = [
        "finetune_objective.name=step_v5",
        "frozen_objective.name=munit_p_v1",
        "train_generator.batch=1000",
        "pair_images.side=32",
        "train_generator.fixed_kimg=900",
        "train_generator.stop_kimg=0.001",
        "finetune_generator.nf=8",
        "finetune_objective.name=bicyclegan_v0",
    ]
    .map(|option| refused(&project, &["--set", option, "finetune_generator"]));
    assert_output!(told.concat());
    let option = "joint_objective@munit_p_v1.name=step_v4";
    let ablation = ["--pipeline", "ablation", "--set", option, "train_jointly@munit_p_v1-0"];
    assert_output!(refused(&project, &ablation));
}

#[test]
#[ignore = "takes minutes: `make test-all` runs it"]
fn encoders_of_three_sets_are_compared_on_one_before_and_after_fine_tuning() {
    let project = with_results();
    let all = ran(&project, &["--pipeline", "generalization"]);
    let instances = |of: &str| all.iter().filter(|stage| stage.split('@').next() == Some(of)).count();
    let counts = ["train_encoder", "pretrain_other", "train_frozen", "finetune"].map(instances);
    assert_eq!(counts, [0, 2, 3, 3], "the pipeline `synthesis` has trained the encoder of the set `same`");
    let table = latest(&project, "test_claims/claims.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &[]).expect("a table");
    let text = |name: &str, row| rows[name].as_string::<i32>().value(row).to_owned();
    // Seven claims, each tested by PSNR and by the distance.
    assert_eq!(rows.num_rows(), 14);
    assert_eq!([text("metric", 0), text("metric", 1)], ["psnr", "distance"]);
    assert_eq!([text("better", 12), text("than", 12)], ["different, fine-tuned", "same, fine-tuned"]);
    let numbers = |name: &str| rows[name].as_primitive::<Float64Type>().values().to_vec();
    let (low, high, slack) = (numbers("difference_low"), numbers("difference_high"), numbers("slack"));
    let methods = latest(&project, "compare_methods/comparison.parquet");
    let methods = callsheet_worker::table::read_columns(&methods, &[]).expect("a table");
    let mean = |metric: &str, shown: &str| {
        let name = |column: &str, row| methods[column].as_string::<i32>().value(row).to_owned();
        let called = |row: &usize| format!("{}, {}", name("method", *row), name("training", *row)) == shown;
        let row = (0..methods.num_rows()).find(called).expect(shown);
        methods[metric].as_primitive::<Float64Type>().value(row)
    };
    for row in 0..14 {
        let metric = text("metric", row);
        let wanted = mean(&metric, &text("better", row)) - mean(&metric, &text("than", row));
        assert!((numbers("difference")[row] - wanted).abs() < 1e-9, "{row}");
        let (worst, best) = if metric == "psnr" { (low[row], high[row]) } else { (-high[row], -low[row]) };
        let wanted = match () {
            () if worst > -slack[row] => "yes",
            () if best < -slack[row] => "no",
            () => "undecided",
        };
        assert_eq!(text("holds", row), wanted, "{row}");
    }
    assert!(ran(&project, &["--pipeline", "generalization"]).is_empty(), "nothing changed");
    check_outputs(project.path(), "generalization/space_needle");

    let claims = project.path().join("pipelines/claims");
    fs::remove_file(&claims).expect("a link");
    fs::create_dir(&claims).expect("created");
    let claim = |better: &str| {
        let text = format!(
            "[[claims]]\nclaim = \"It is better\"\nbetter = {better}\nthan = {{ training = \"fine-tuned\" }}\n"
        );
        fs::write(claims.join("generalization.toml"), text).expect("written");
        refused(&project, &["--pipeline", "generalization"])
    };
    assert_output!(claim("{ method = \"sane\", training = \"fine-tuned\" }"));
    assert_output!(claim("\"same\""));
}
