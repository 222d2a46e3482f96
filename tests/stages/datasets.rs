//! Benchmarks of the method on small fixtures in their layouts, and errors in datasets.

use std::fs;

use crate::flagship::{callsheet, failures, latest, project, project_with_dataset, ran, rows};
use crate::pairs::{dataset, datasets, fixture, jpeg, pair, raw, said};
use crate::shared::with_results;
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

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
        let table = latest(&project, "pair_images/pairs.parquet");
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
    let file = "summary = \"Mine\"\nimport = \"pairs\"\n\n[sources.images]\npath = \"data/raw/mine/*.png\"\n";
    let project = project_with_dataset(file);
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

/// Image ids and splits of list_pairs for the dataset facades.
fn listed(project: &TempDir) -> Vec<(String, String)> {
    let table = latest(project, "list_pairs/images.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &["image_id", "split"]).expect("a list");
    let column = |name: &str| rows[name].as_string::<i32>().iter().flatten().map(str::to_owned);
    column("image_id").zip(column("split")).collect()
}

#[test]
fn folders_of_splits_are_known_in_any_case_and_those_without_pairs_are_refused() {
    let project = project();
    for (folder, number) in [("Train", 1), ("TRAINING", 2), ("Validation", 3), ("Test", 4)] {
        jpeg(&pair((64, 32), number), &raw(&project, "facades").join(format!("{folder}/{number}.jpg")));
    }
    let output = callsheet(&project, &["run", "list_pairs", "--dataset", "facades"]);
    assert!(output.status.success(), "{}", said(&output));
    let splits: Vec<String> = listed(&project).into_iter().map(|(_, split)| split).collect();
    assert_eq!(splits, ["train", "test", "train", "val"]);

    let unpaired = crate::flagship::project();
    for folder in ["trainA", "trainB", "testA", "testB"] {
        jpeg(&pair((64, 32), 1), &raw(&unpaired, "facades").join(folder).join("1.jpg"));
    }
    assert_output!(failures(&callsheet(&unpaired, &["run", "list_pairs", "--dataset", "facades"])));
}

#[test]
fn hidden_copies_are_ignored_and_counted_and_other_images_are_named() {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    let folder = raw(&project, "facades");
    for copy in
        ["__MACOSX/train/1.jpg", "__MACOSX/train/._2.jpg", "train/.ipynb_checkpoints/1.jpg", "val/._0.jpg"]
    {
        fs::create_dir_all(folder.join(copy).parent().expect("a folder")).expect("created");
        fs::copy(folder.join("train/1.jpg"), folder.join(copy)).expect("copied");
    }
    fs::write(folder.join("train/phone.heic"), "any").expect("written");
    let output = callsheet(&project, &["run", "list_pairs", "--dataset", "facades"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        crate::flagship::warnings(&output).contains("were left out: 1, such as `__MACOSX/train/1.jpg`"),
        "{}",
        said(&output)
    );
    assert_eq!(listed(&project).len(), 26);
    assert_output!(said(&dataset(&project, &["check", "facades"])));
}

#[test]
fn numbered_images_are_frames_in_the_order_of_their_numbers_and_gaps_are_reported() {
    let project = project();
    for number in [1, 2, 3, 4, 9, 10, 11] {
        let path = raw(&project, "space_needle").join(format!("img{number}.png"));
        jpeg(&pair((64, 32), number), &path);
    }
    let output = callsheet(&project, &["run", "list_frames"]);
    assert!(output.status.success(), "{}", said(&output));
    let table = latest(&project, "list_frames/list.parquet");
    let rows = callsheet_worker::table::read_columns(&table, &["file", "frame_index"]).expect("a list");
    let files = rows["file"].as_string::<i32>().iter().flatten().map(str::to_owned);
    let places = rows["frame_index"].as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
    let mut ordered: Vec<(i64, String)> = places.into_iter().zip(files).collect();
    ordered.sort();
    let ordered: Vec<String> = ordered.into_iter().map(|(_, file)| file).collect();
    assert_eq!(ordered, [1, 2, 3, 4, 9, 10, 11].map(|number| format!("img{number}.png")));
    assert_output!(said(&dataset(&project, &["check", "space_needle"])));
}

#[test]
fn a_run_warns_of_validation_images_that_are_copies_of_training_images() {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    let folder = raw(&project, "facades");
    fs::copy(folder.join("train/3.jpg"), folder.join("val/copy.jpg")).expect("copied");
    let stored = ["--set", "pair_images.side=32"];
    let arguments = [&["run", "train_encoder", "--dataset", "facades"], &stored[..]].concat();
    let output = callsheet(&project, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let warnings = crate::flagship::warnings(&output);
    assert!(warnings.contains("such as `val/copy.jpg` and `train/3.jpg`"), "{warnings}");
}
