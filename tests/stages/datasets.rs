//! Benchmarks of the method on small fixtures in their layouts, and errors in datasets.

use std::fs;
use std::process::Command;

use crate::flagship::{callsheet, failures, project, ran, repository, rows};
use crate::pairs::{dataset, datasets, fixture, jpeg, pair, raw, said};
use crate::shared::with_results;
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use image::{Rgb, RgbImage};

/// A dataset of pairs: name, size of a file, folders, and the half that is the content.
type Paired = (&'static str, (u32, u32), &'static [&'static str], &'static str);

const PAIRED: [Paired; 5] = [
    ("facades", (512, 256), &["train", "val", "test"], "right"),
    ("maps", (1200, 600), &["train", "val"], "right"),
    ("edges2shoes", (512, 256), &["train", "val"], "left"),
    ("edges2handbags", (512, 256), &["train", "val"], "left"),
    ("night2day", (512, 256), &["train", "val", "test"], "left"),
];

#[test]
fn each_benchmark_plans_and_runs_in_its_own_layout() {
    for (name, size, folders, content) in PAIRED {
        let project = project();
        fixture(&project, name, size, folders);
        let planned = callsheet(&project, &["plan", "--dataset", name]);
        assert!(planned.status.success() && said(&planned).contains("pair_images"), "{}", said(&planned));
        let stored = ["--set", "pair_images.side=0"];
        let counted = rows(&project, &[&["--dataset", name, "pair_images"], &stored[..]].concat());
        let files: u64 = folders.iter().map(|folder| if *folder == "train" { 24 } else { 2 }).sum();
        assert_eq!(counted["pair_images"], (files, files), "{name}");
        let table = project.path().join(format!("data/out/synthesis/{name}/pair_images/pairs.parquet"));
        let pairs = callsheet_worker::table::read_columns(&table, &[]).expect("pairs");
        let decoded = |column: &str| {
            let bytes = pairs[column].as_struct().column_by_name("bytes").expect("bytes").clone();
            image::load_from_memory(bytes.as_binary::<i32>().value(0)).expect("a PNG").into_rgb8()
        };
        let (a, b) = (decoded("a"), decoded("b"));
        assert_eq!((a.dimensions(), b.dimensions()), ((size.0 / 2, size.1), (size.0 / 2, size.1)), "{name}");
        let blue = |picture: &RgbImage| picture.get_pixel(9, 9)[2] > 150;
        assert_eq!((blue(&a), blue(&b)), (content == "left", content != "left"), "{name}");
    }
}

#[test]
fn the_method_runs_on_pairs_and_a_new_file_computes_only_its_rows() {
    let project = with_results();
    fixture(&project, "facades", (512, 256), &["train", "val", "test"]);
    let stages = ran(&project, &["--dataset", "facades"]);
    assert!(stages.contains(&"contact_sheets".to_owned()) && !stages.contains(&"extract_frames".to_owned()));
    jpeg(&pair((512, 256), 77), &raw(&project, "facades").join("train/new.jpg"));
    let counted = rows(&project, &["--dataset", "facades", "style_distances"]);
    assert_eq!((counted["pair_images"], counted["gram_features"]), ((1, 29), (1, 27)));
}

#[test]
fn a_file_of_ten_lines_makes_a_folder_of_pairs_a_dataset() {
    let project = project();
    let pipelines = project.path().join("pipelines");
    fs::remove_dir_all(&pipelines).expect("removed");
    Command::new("cp")
        .args(["-r", &repository().join("pipelines").display().to_string(), &pipelines.display().to_string()])
        .status()
        .expect("copied");
    let settings = project.path().join("callsheet.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let shown = format!("{}/pipelines", repository().display());
    fs::write(&settings, text.replace(&shown, "pipelines")).expect("written");
    let file = "summary = \"Mine\"\nimport = \"pairs\"\n\n[sources.images]\npath = \"data/raw/mine/*.png\"\n";
    fs::write(pipelines.join("datasets/mine.toml"), file).expect("written");
    for number in 0..40 {
        jpeg(&pair((128, 64), number), &raw(&project, "mine").join(format!("{number}.png")));
    }
    // Without folders of splits, a hash of the names defines the splits.
    assert_eq!(rows(&project, &["--dataset", "mine", "style_distances"])["pair_images"], (40, 40));
    assert_output!(said(&datasets(&project)));
}

#[test]
fn a_check_finds_what_is_missing_unreadable_doubled_and_odd() {
    let project = project();
    fixture(&project, "facades", (512, 256), &["train", "val", "test"]);
    let folder = raw(&project, "facades");
    fs::write(folder.join("train/empty.jpg"), "").expect("written");
    let whole = fs::read(folder.join("train/0.jpg")).expect("read");
    fs::write(folder.join("train/short.jpg"), &whole[..whole.len() * 2 / 3]).expect("written");
    fs::copy(folder.join("train/1.jpg"), folder.join("val/again.jpg")).expect("copied");
    jpeg(&pair((511, 256), 1), &folder.join("train/odd.png"));
    jpeg(&pair((600, 256), 1), &folder.join("train/wide.png"));
    let mut half = pair((512, 256), 5);
    (0..256).for_each(|x| (0..256).for_each(|y| half.put_pixel(x, y, Rgb([255, 255, 255]))));
    jpeg(&half, &folder.join("train/half.png"));
    let output = dataset(&project, &["check", "facades"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_output!(text);
    let output = dataset(&project, &["check", "facades", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report["findings"].as_array().is_some_and(|findings| findings.len() >= 9));
    assert_output!(said(&dataset(&project, &["check", "facade"])));
    assert_output!(said(&dataset(&project, &["check", "maps"])));
}

#[test]
fn too_few_images_are_refused_with_the_numbers() {
    let project = project();
    for (folder, count) in [("train", 18), ("val", 2)] {
        for number in 0..count {
            let path = raw(&project, "facades").join(format!("{folder}/{number}.jpg"));
            jpeg(&pair((64, 32), number + count * 9), &path);
        }
    }
    assert_output!(failures(&callsheet(&project, &["run", "style_distances", "--dataset", "facades"])));
}

#[test]
fn images_that_are_all_the_same_are_refused_as_such() {
    let project = project();
    for (folder, count) in [("train", 24), ("val", 2)] {
        for number in 0..count {
            jpeg(&pair((64, 32), 1), &raw(&project, "facades").join(format!("{folder}/{number}.jpg")));
        }
    }
    assert_output!(failures(&callsheet(&project, &["run", "style_distances", "--dataset", "facades"])));
}

#[test]
fn a_single_image_is_refused_as_a_dataset() {
    let project = project();
    jpeg(&pair((64, 32), 1), &raw(&project, "facades").join("train/1.JPG"));
    assert_output!(failures(&callsheet(&project, &["run", "list_pairs", "--dataset", "facades"])));
}
