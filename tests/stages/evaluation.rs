//! Measurements of models and of trivial predictors, through the real binaries.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::flagship::{
    callsheet, engine, failures, latest, project, project_with_dataset, ran, repository, stderr, warnings,
};
use crate::shared::{finished, share_results};
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int32Type};
use arrow::record_batch::RecordBatch;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

fn table(project: &TempDir, name: &str) -> RecordBatch {
    let path = latest(project, &format!("{name}.parquet"));
    callsheet_worker::table::read_columns(&path, &[]).expect(name)
}

fn floats(rows: &RecordBatch, name: &str) -> Vec<f64> {
    rows[name].as_primitive::<Float64Type>().values().to_vec()
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    rows[name].as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Errors of a run, which must fail.
fn failed(project: &TempDir, arguments: &[&str]) -> String {
    let output = callsheet(project, &[&["run"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    failures(&output)
}

#[test]
fn methods_are_listed_with_trivial_predictors_intervals_and_the_distance_name() {
    let project = finished();
    let all = table(&project, "compare_methods/comparison");
    assert_eq!(texts(&all, "method"), ["copy", "mean", "reinhard", "", "", ""]);
    let trained = ["encoder frozen", "fine-tuned", "fine-tuned, another image's style"];
    assert_eq!(texts(&all, "training"), [["untrained"; 3], trained].concat());
    assert!(texts(&all, "distance_name").iter().all(|name| name == "LPIPS v0.1 (AlexNet, 256 px)"));
    let images = all["images"].as_primitive::<Int32Type>().value(0) as usize;
    for (row, of) in [(0, "evaluate_baseline@copy"), (4, "evaluate_finetuned"), (5, "evaluate_other_style")] {
        let rows = table(&project, &format!("{of}/reconstruction"));
        assert_eq!(rows.num_rows(), images, "{of}");
        for metric in ["psnr", "ssim", "l1", "perceptual", "distance"] {
            let [found, low, high] =
                ["", "_low", "_high"].map(|end| floats(&all, &format!("{metric}{end}"))[row]);
            let wanted = mean(&floats(&rows, metric));
            assert!((found - wanted).abs() < 1e-9, "{of}: {metric} {found}, not {wanted}");
            assert!(low <= found && found <= high, "{of}: {metric} {low} {found} {high}");
        }
        assert!(floats(&all, "psnr_deviation")[row].is_nan(), "one repetition has no deviation");
    }
    let diversity = |from: &str| table(&project, &format!("evaluate_diversity@{from}/diversity"));
    for from in ["transfer", "mapper"] {
        let rows = diversity(from);
        assert_eq!(rows.num_rows(), 4, "contents");
        assert!(rows["styles"].as_primitive::<Int32Type>().values().iter().all(|styles| *styles == 3));
        let all = [floats(&rows, "consecutive"), floats(&rows, "all_pairs")].concat();
        assert!(all.iter().all(|distance| *distance > 0.0), "{from}: {all:?}");
    }
    assert!(ran(&project, &["compare_methods", "evaluate_diversity"]).is_empty());
    let again = ran(&project, &["--set", "evaluate_diversity.seed=1", "evaluate_diversity@mapper"]);
    assert_eq!(again, ["evaluate_diversity@mapper"]);
    let many = ["run", "--set", "evaluate_diversity.styles=500", "evaluate_diversity@transfer"];
    assert_output!(warnings(&callsheet(&project, &many)));
}

#[test]
fn claims_compare_the_fine_tuned_model_with_trivial_predictors_a_wrong_style_and_a_frozen_encoder() {
    let project = finished();
    let claims = table(&project, "test_claims/claims");
    let others = [
        "copy, untrained",
        "mean, untrained",
        "reinhard, untrained",
        "fine-tuned, another image's style",
        "encoder frozen",
    ];
    let twice: Vec<&str> = others.iter().flat_map(|other| [*other; 2]).collect();
    assert_eq!(texts(&claims, "than"), twice, "by PSNR and by the distance");
    assert!(texts(&claims, "better").iter().all(|better| better == "fine-tuned"));
    let ours = floats(&table(&project, "evaluate_finetuned/reconstruction"), "distance");
    let theirs = floats(&table(&project, "evaluate_other_style/reconstruction"), "distance");
    let found = floats(&claims, "difference")[7];
    assert!((found - (mean(&ours) - mean(&theirs))).abs() < 1e-9, "{found}");
}

#[test]
fn baselines_with_missing_or_mismatched_inputs_are_refused() {
    let text = fs::read_to_string(repository().join("pipelines/parts/baselines.toml")).expect("a file");
    let wired = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let project = project_with_dataset("summary = \"Mine\"\n");
        let edited = project.path().join("pipelines/parts/baselines.toml");
        fs::write(edited, text.replacen(from, to, 1)).expect("written");
        share_results(&project);
        project
    };
    let dataset = ["--dataset", "space_needle"];
    let unwired = wired("[stages.\"evaluate_baseline@mean\"]\ninputs.mean = \"average_images.mean\"\n", "");
    assert_output!(failed(&unwired, &[&dataset[..], &["evaluate_baseline@mean"]].concat()));

    let mixed = wired(
        "inputs.trunk = \"import_trunk.weights\"\ninputs.lpips_heads = \"lpips_heads\"\n",
        "inputs.trunk = \"import_weights.weights\"\ninputs.lpips_heads = \"lpips_heads\"\n",
    );
    assert_output!(failed(&mixed, &[&dataset[..], &["evaluate_baseline@copy"]].concat()));
}

fn measure(project: &TempDir, words: &[&str]) -> Output {
    let mut command = Command::new(engine());
    command.arg("measure").args(words).current_dir(project.path()).output().expect("callsheet starts")
}

/// A command, which must be refused, and its error message.
fn refused(project: &TempDir, words: &[&str]) -> String {
    let output = measure(project, words);
    assert_eq!(output.status.code(), Some(2), "{words:?}");
    format!("$ callsheet measure {}\n{}\n", words.join(" "), stderr(&output))
}

/// Saves a picture, 48 pixels high, whose blue is `shade`.
fn draw(path: &Path, width: u32, shade: u8) {
    let picture = RgbImage::from_fn(width, 48, |x, y| Rgb([(x * 3) as u8, (y * 5) as u8, shade]));
    picture.save(path).expect("saved");
}

#[test]
fn images_are_compared_with_images_of_equal_name_without_a_pipeline() {
    let project = project();
    let draw = |name: &str, width: u32, shade: u8| draw(&project.path().join(name), width, shade);
    for folder in ["made", "wanted", "other"] {
        fs::create_dir(project.path().join(folder)).expect("created");
    }
    for (name, width, shade) in [
        ("made/a.png", 64, 10),
        ("wanted/a.png", 64, 20),
        ("made/b.png", 96, 90),
        ("wanted/b.png", 96, 90),
        ("other/a.png", 40, 0),
    ] {
        draw(name, width, shade);
    }
    let output = measure(&project, &["made", "wanted", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(all["distance"] == "LPIPS v0.1 (AlexNet, 256 px)", "{all}");
    // The images differ by 10 in one of three channels.
    let wanted = 10.0 * (255f64 * 255.0 / (100.0 / 3.0)).log10();
    assert!((all["images"][0]["psnr"].as_f64().expect("a number") - wanted).abs() < 1e-9, "{all}");
    assert!(all["images"][0]["lpips"].as_f64().is_some_and(|lpips| lpips > 0.0), "{all}");
    assert!(all["images"][1]["psnr"].is_null() && all["images"][1]["lpips"] == 0.0, "identical: {all}");
    let said = String::from_utf8_lossy(&measure(&project, &["made", "wanted"]).stdout).into_owned();
    assert_output!(said.lines().last().expect("a line"));
    assert!(said.lines().any(|line| line.starts_with("PSNR 32.90") && line.ends_with("  mean")), "{said}");

    draw("tiny.png", 20, 0);
    RgbImage::new(2900, 2900).save(project.path().join("large.png")).expect("saved");
    let told = [
        &["made", "other"][..],
        &["made/a.png", "other/a.png"],
        &["made/a.png", "wanted"],
        &["made/a.png", "none.png"],
        &["other/a.png", "other/a.png", "--network", "squeeze"],
        &["made/a.png", "wanted/a.png", "--weights", "data/weights/vgg16.ckpt"],
        &["tiny.png", "tiny.png", "--side", "0"],
        &["large.png", "large.png", "--side", "0", "--lpips", "--network", "vgg"],
    ]
    .map(|words| refused(&project, words));
    assert_output!(told.concat());
}

#[test]
fn diversity_is_measured_within_each_folder_of_outputs() {
    let project = project();
    let draw = |name: &str, width: u32, shade: u8| draw(&project.path().join(name), width, shade);
    for folder in ["outputs/0", "outputs/1", "single", "empty"] {
        fs::create_dir_all(project.path().join(folder)).expect("created");
    }
    for (n, shade) in [0, 100, 0, 250].into_iter().enumerate() {
        draw(&format!("outputs/0/{n}.png"), 48, shade);
    }
    for n in 0..2 {
        draw(&format!("outputs/1/{n}.png"), 64, 30);
    }
    draw("single/a.png", 48, 0);
    fs::create_dir_all(project.path().join("mixed/b")).expect("created");
    draw("mixed/a.png", 48, 0);
    fs::create_dir(project.path().join("outputs/.thumbnails")).expect("created");

    let between = |a: &str, b: &str| {
        let output = measure(&project, &[a, b, "--json", "--lpips"]);
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        all["images"][0]["lpips"].as_f64().expect("a number")
    };
    let [near, far, farther] = [("0", "1"), ("0", "3"), ("1", "3")]
        .map(|(a, b)| between(&format!("outputs/0/{a}.png"), &format!("outputs/0/{b}.png")));
    let output = measure(&project, &["outputs", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found =
        |folder: usize, what: &str| all["folders"][folder][what].as_f64().expect("a number of the folder");
    let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-6;
    // Images 0 and 2 are identical.
    assert!(close(found(0, "consecutive"), (near + near + far) / 3.0), "{all}");
    assert!(close(found(0, "all_pairs"), (2.0 * near + 2.0 * far + farther) / 6.0), "{all}");
    assert!(found(1, "consecutive").abs() < 1e-6 && all["folders"][1]["images"] == 2, "{all}");
    let said = String::from_utf8_lossy(&measure(&project, &["outputs"]).stdout).into_owned();
    assert!(said.lines().last().is_some_and(|line| line.ends_with("  mean")), "{said}");
    let said = String::from_utf8_lossy(&measure(&project, &["outputs/0"]).stdout).into_owned();
    assert_eq!(said.lines().count(), 2, "{said}");

    draw("outputs/1/2.png", 48, 30);
    let told = ["outputs", "single", "single/a.png", "empty", "none", "mixed"]
        .map(|outputs| refused(&project, &[outputs]));
    assert_output!(told.concat());
}

#[test]
fn a_reader_that_closes_the_pipe_is_not_an_error() {
    let project = project();
    for words in ["weights", "datasets"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(engine());
        let status = command.arg(words).current_dir(project.path()).stdout(writer).status();
        assert!(status.expect("callsheet starts").success(), "{words}");
    }
}

#[test]
fn images_that_a_folder_command_leaves_out_are_counted_and_named() {
    let project = project();
    for folder in ["made/part", "made/.ipynb_checkpoints", "wanted"] {
        fs::create_dir_all(project.path().join(folder)).expect("created");
    }
    for name in ["made/1.png", "made/2.jpeg", "made/3.WEBP", "wanted/1.tif", "wanted/2.png", "wanted/3.png"] {
        draw(&project.path().join(name), 64, 10);
    }
    for n in 4..9 {
        draw(&project.path().join(format!("wanted/{n}.png")), 64, 10);
    }
    for name in ["made/._1.png", "made/4.heic", "made/5.gif", "made/notes.txt", "made/.DS_Store"] {
        fs::write(project.path().join(name), "any").expect("written");
    }
    // A name that is not UTF-8.
    let odd = |folder: &str| {
        let name = std::os::unix::ffi::OsStrExt::from_bytes(&b"caf\xe9.png"[..]);
        project.path().join(folder).join::<&std::ffi::OsStr>(name)
    };
    for folder in ["made", "wanted"] {
        fs::copy(project.path().join("wanted/2.png"), odd(folder)).expect("copied");
    }
    let output = measure(&project, &["made", "wanted", "--json", "--lpips"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_output!(stderr(&output));
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["images"].as_array().map(Vec::len), Some(4), "{all}");
}
