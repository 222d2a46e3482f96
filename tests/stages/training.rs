//! Trainings that stop and resume, through the real binaries.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::flagship::{callsheet, command, failures, latest, limited, ran, start, stderr, warnings};
use crate::shared::{finished, with_results};
use crate::snapshot::assert_output;
use tempfile::TempDir;

#[test]
fn a_longer_budget_resumes_and_equals_an_uninterrupted_training() {
    let continued = finished();
    for (stage, longer, file) in [
        ("train_encoder", "train_encoder.stop_steps=8", "encoder/encoder.safetensors"),
        // The shared run has two steps: one of the warm-up and one with all terms.
        ("train_generator", "train_generator.stop_kimg=0.032", "model/networks.safetensors"),
        // The fine-tuning starts at step 2, and the shared run stopped it exactly at the end of its warm-up.
        ("finetune_generator", "finetune_generator.stop_kimg=0.032", "model/averaged.safetensors"),
    ] {
        assert_output!(beginning(&said(&continued, &["--set", longer, stage]), stage));
        let at_once = with_results();
        ran(&at_once, &["--set", longer, stage]);
        let folder = file.split('/').next().expect("a folder");
        for file in [file, &format!("{folder}/best.safetensors")] {
            let weights = |project: &tempfile::TempDir| {
                fs::read(latest(project, &format!("{stage}/{file}"))).expect("weights")
            };
            assert!(weights(&continued) == weights(&at_once), "{file} of {stage} differs");
        }
    }
}

#[test]
fn the_best_weights_are_part_of_the_model_and_every_stage_can_use_them() {
    let project = finished();
    let config = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(latest(&project, name)).expect("a configuration")).expect("JSON")
    };
    for (model, last) in
        [("train_encoder/encoder", 4), ("train_generator/model", 2), ("finetune_generator/model", 4)]
    {
        let best = config(&format!("{model}/config.json"))["best"].clone();
        assert!((1..=last).contains(&best["step"].as_u64().expect("a step")), "{model}: {best}");
        assert!(best["loss"].as_f64().is_some_and(|loss| loss > 0.0 && loss < 1e6), "{model}: {best}");
    }
    // Without held-out images, the best weights are those after the last step.
    ran(&project, &["--set", "train_generator.select_images=0", "train_generator"]);
    let read =
        |file: &str| fs::read(latest(&project, &format!("train_generator/model/{file}"))).expect("weights");
    assert!(read("best.safetensors") == read("averaged.safetensors"));
    let readers = [
        "embed_styles",
        "evaluate_finetuned",
        "evaluate_other_style",
        "evaluate_diversity@transfer",
        "transfer_grid",
        "sample_grid",
        "interpolation_grid",
        "contact_sheets",
    ];
    let sets: Vec<String> = readers
        .iter()
        .map(|stage| format!("{}.weights=best", stage.split('@').next().unwrap_or(stage)))
        .chain(["train_generator.encoder_weights=best".to_owned()])
        .collect();
    let set = sets.iter().flat_map(|set| ["--set", set]);
    let made = ran(&project, &set.chain(readers).collect::<Vec<_>>());
    assert!(readers.iter().all(|stage| made.iter().any(|made| made == stage)), "{made:?}");
}

/// Output of a run, which must succeed.
fn said(project: &TempDir, arguments: &[&str]) -> String {
    let output = callsheet(project, &[&["run"], arguments].concat());
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    said
}

/// Lines of a run about a training, up to its first step.
fn beginning(said: &str, stage: &str) -> String {
    let lines = said.lines().filter(|line| line.starts_with(&format!("{stage}: ")));
    let later = ["samples at step", "waited", "best.safetensors", "done in"];
    let is_later = |line: &str| later.iter().any(|text| line.starts_with(&format!("{stage}: {text}")));
    // A slow machine prints the progress within these lines.
    let is_progress = |line: &&str| line.contains("(run: ");
    lines.take_while(|line| !is_later(line)).filter(|line| !is_progress(line)).collect::<Vec<_>>().join("\n")
}

fn weights(project: &TempDir) -> Vec<u8> {
    fs::read(latest(project, "train_generator/model/networks.safetensors")).expect("weights")
}

/// Checkpoints of the generator, which has the largest ones.
fn checkpoints(project: &TempDir) -> Vec<PathBuf> {
    let scratch = fs::read_dir(project.path().join("data/store/scratch")).expect("scratch folders");
    let folders = scratch.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let largest = folders.max_by_key(|folder| files(folder).iter().map(|file| size(file)).max());
    let mut found = files(&largest.expect("a folder"));
    found.sort();
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path()).collect()
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).expect("a file").len()
}

#[test]
fn a_changed_schedule_resumes_while_both_schedules_are_equal() {
    let project = with_results();
    let target = "train_generator";
    let stop = |kimg: &str| format!("train_generator.stop_kimg={kimg}");
    said(&project, &["--set", &stop("0.024"), target]);
    let longer = stop("0.04");
    // 24 images were seen, far fewer than 150,000 and 200,000, so both schedules are still equal.
    let set = ["--set", &longer, "--set", "train_generator.fixed_kimg=200", target];
    assert_output!(beginning(&said(&project, &set), target));
    let at_once = with_results();
    said(&at_once, &set);
    assert!(weights(&project) == weights(&at_once), "the weights equal those of an uninterrupted training");
}

#[test]
fn an_unusable_checkpoint_is_reported_and_the_previous_one_is_used() {
    let project = with_results();
    let target = "train_generator";
    let every = ["--set", "train_generator.checkpoint_every=1"];
    said(&project, &[&every[..], &["--set", "train_generator.stop_kimg=0.032", target]].concat());
    let kept: Vec<PathBuf> = checkpoints(&project);
    let last = kept.last().expect("a checkpoint");
    assert!(
        last.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-000000004-")),
        "{kept:?}"
    );
    let whole = fs::read(last).expect("a checkpoint");
    fs::write(last, &whole[..whole.len() / 2]).expect("cut short");
    let longer = [&every[..], &["--set", "train_generator.stop_kimg=0.04", target]].concat();
    assert_output!(beginning(&said(&project, &longer), target));
    let at_once = with_results();
    said(&at_once, &longer);
    assert!(weights(&project) == weights(&at_once));
}

#[test]
fn a_training_that_resumes_with_more_threads_warns_of_different_rounding() {
    let project = finished(); // with one CPU
    let target = "train_encoder";
    let longer = said(&project, &["--set", "train_encoder.stop_steps=6", "--jobs", "2", target]);
    assert_output!(beginning(&longer, target));
}

/// Step of the generator's last checkpoint; 0 if it has none yet.
fn last_step(project: &TempDir) -> u64 {
    let scratch = fs::read_dir(project.path().join("data/store/scratch")).into_iter().flatten().flatten();
    let files = scratch.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
    // The encoder's last checkpoint, of step 4, does not count; it is smaller.
    let of_generator = files.filter(|file| file.metadata().is_ok_and(|file| file.len() > 1 << 20));
    let step = |name: String| name.strip_prefix("step-")?.split_once('-')?.0.parse().ok();
    of_generator.filter_map(|file| step(file.file_name().into_string().ok()?)).max().unwrap_or(0)
}

#[test]
fn however_often_a_training_is_killed_it_ends_in_the_same_bits() {
    // With two CPUs a step is computed on two lanes.
    let target = ["--jobs", "2", "--set", "train_generator.stop_kimg=0.2", "train_generator"];
    // Measuring held-out images takes longer than a step, so it is switched off.
    let every = ["--set", "train_generator.checkpoint_every=1", "--set", "train_generator.select_images=0"];
    let whole = with_results();
    said(&whole, &[&every[2..], &target].concat());
    let project = with_results();
    // Kills come at arbitrary moments: within a step, or while a checkpoint is written.
    let (mut reached, mut went_on, events) = (0, 0, project.path().join("events"));
    for milliseconds in [0, 230, 70, 310, 150] {
        let mut run = start(&project, &[&every[..], &target].concat(), &events);
        while last_step(&project) == reached && run.try_wait().expect("a state").is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        run.kill().expect("killed");
        run.wait().expect("over");
        // The engine's supervisor process ends the worker soon after.
        std::thread::sleep(Duration::from_millis(500));
        reached = last_step(&project);
        let told = fs::read_to_string(&events).expect("events");
        went_on += usize::from(told.contains("continues from step"));
    }
    assert!(went_on > 0, "no run resumed from a checkpoint");
    let last = callsheet(&project, &[&["run"], &every[..], &target].concat());
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    assert!(weights(&project) == weights(&whole));
}

#[test]
fn a_disk_that_fills_up_during_a_checkpoint_keeps_earlier_checkpoints() {
    let project = with_results();
    let target = ["--set", "train_generator.checkpoint_every=1", "train_generator"];
    said(&project, &[&["--force", "train_generator"], &target[..]].concat());
    let before = checkpoints(&project);
    let longer = [&["--set", "train_generator.stop_kimg=0.04"], &target[..]].concat();
    let half = size(before.last().expect("a checkpoint")) / 2;
    let output = limited(&project, half, &longer);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_output!(failures(&output));
    let picture = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "png");
    let without = |files: Vec<PathBuf>| files.into_iter().filter(|path| !picture(path)).collect::<Vec<_>>();
    assert_eq!(without(checkpoints(&project)), without(before), "no incomplete file remains");
    assert_output!(beginning(&said(&project, &longer), "train_generator"));
}

#[test]
fn bf16_on_a_cpu_without_it_is_warned_of_with_the_remedy() {
    let project = with_results();
    let file = project.path().join("callsheet.toml");
    let declared = fs::read_to_string(&file).expect("a project");
    fs::write(&file, format!("environment = [\"ONEDNN_MAX_CPU_ISA\"]\n{declared}")).expect("written");
    let one_step = ["run", "train_encoder", "--set", "train_encoder.stop_steps=1"];
    let arguments = [&one_step[..], &["--set", "train_encoder.precision=bf16"]].concat();
    let mut command = command(project.path(), "test", &arguments);
    // This CPU may have the instructions, so the variable forbids oneDNN to use them.
    let output = command.env("ONEDNN_MAX_CPU_ISA", "AVX2").output().expect("callsheet starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_output!(warnings(&output));
    assert_eq!(warnings(&callsheet(&project, &one_step)), "");
}
