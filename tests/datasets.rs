//! The benchmarks of the method, each on a small fixture in its layout, and what can be wrong with raw files.

mod flagship;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arrow::array::AsArray;
use flagship::{callsheet, project, ran, repository, rows};
use image::{ImageEncoder, Rgb, RgbImage};
use tempfile::TempDir;

/// A dataset of pairs: name, size of a file, folders, which half is the content.
type Paired = (&'static str, (u32, u32), &'static [&'static str], &'static str);

const PAIRED: [Paired; 5] = [
    ("facades", (512, 256), &["train", "val", "test"], "right"),
    ("maps", (1200, 600), &["train", "val"], "right"),
    ("edges2shoes", (512, 256), &["train", "val"], "left"),
    ("edges2handbags", (512, 256), &["train", "val"], "left"),
    ("night2day", (512, 256), &["train", "val", "test"], "left"),
];

/// A pair: blue blocks on the left, red ones on the right, other ones for every number.
fn pair((width, height): (u32, u32), number: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let block = ((x / 16 * 31 + y / 16 * 17 + number * 97) % 160) as u8;
        if x < width / 2 { Rgb([0, block, 200]) } else { Rgb([200, block, 0]) }
    })
}

fn jpeg(picture: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    picture.save(path).expect("written");
}

/// 24 training images, two of each other split.
fn fixture(project: &TempDir, name: &str, size: (u32, u32), folders: &[&str]) {
    for folder in folders {
        for number in 0..if *folder == "train" { 24 } else { 2 } {
            let path = raw(project, name).join(format!("{folder}/{number}.jpg"));
            jpeg(&pair(size, number + folder.len() as u32 * 100), &path);
        }
    }
}

fn raw(project: &TempDir, name: &str) -> PathBuf {
    project.path().join("data/raw").join(name)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs `callsheet dataset ..`, which takes no profile.
fn dataset(project: &TempDir, arguments: &[&str]) -> Output {
    let engine = Path::new(env!("CARGO_BIN_EXE_callsheet-stages")).with_file_name("callsheet");
    let mut command = Command::new(engine);
    command.arg("dataset").args(arguments).current_dir(project.path());
    command.output().expect("callsheet starts")
}

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
        let pairs = callsheet::table::read_columns(&table, &[]).expect("pairs");
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
fn a_dataset_of_pairs_runs_the_whole_method_and_a_new_file_costs_its_own_rows() {
    let project = project();
    fixture(&project, "facades", (512, 256), &["train", "val", "test"]);
    let stages = ran(&project, &["--dataset", "facades"]);
    assert!(stages.contains(&"report".to_owned()) && !stages.contains(&"extract_frames".to_owned()));
    jpeg(&pair((512, 256), 77), &raw(&project, "facades").join("train/new.jpg"));
    let counted = rows(&project, &["--dataset", "facades", "style_distances"]);
    assert_eq!((counted["pair_images"], counted["gram_features"]), ((1, 29), (1, 27)));
}

#[test]
fn a_file_of_ten_lines_makes_a_folder_of_pairs_a_dataset() {
    let project = project();
    let pipelines = project.path().join("pipelines");
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
    // Splits are drawn where no folder says them.
    assert_eq!(rows(&project, &["--dataset", "mine", "style_distances"])["pair_images"], (40, 40));
    let listed = said(&dataset(&project, &[]));
    assert!(listed.contains("mine") && listed.contains("40 files"), "{listed}");
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
    for wanted in [
        "train: 29 of 400",
        "train/empty.jpg is unreadable: it is empty",
        "train/short.jpg is unreadable: it is truncated",
        "val/again.jpg: the same pixels as train/1.jpg",
        "odd.png is 511x256: it has no two halves of one width",
        "train/wide.png: 600x256, not 512x256",
        "train/half.png: its left half is of one colour",
        "val has 3 files, 100 are expected",
        "make fetch DATASET=facades",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is not in\n{text}");
    }
    let output = dataset(&project, &["check", "facades", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report["findings"].as_array().is_some_and(|findings| findings.len() >= 9));
    let output = dataset(&project, &["check", "facade"]);
    assert!(said(&output).contains("did you mean `facades`?"), "{}", said(&output));
    let output = dataset(&project, &["check", "maps"]);
    assert!(said(&output).contains("there is no file") && said(&output).contains("make fetch DATASET=maps"));
}

/// Runs `pair_images` on one bad file among good ones.
fn refused(name: &str, bytes: &[u8]) -> String {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    fs::write(raw(&project, "facades").join("train").join(name), bytes).expect("written");
    let output = callsheet(&project, &["run", "pair_images", "--dataset", "facades"]);
    assert!(!output.status.success(), "{name}");
    said(&output)
}

fn png(width: u32, height: u32, bytes: &[u8], color: image::ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file).write_image(bytes, width, height, color).expect("encoded");
    file
}

/// A PNG that says it is of some size, with next to no data.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = png(8, 8, &[0; 192], image::ExtendedColorType::Rgb8);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn files_that_are_no_pairs_are_refused_by_name() {
    let whole = png(64, 32, &[9; 64 * 32 * 3], image::ExtendedColorType::Rgb8);
    for (name, bytes, wanted) in [
        ("empty.png", Vec::new(), "train/empty.png is unreadable: it is empty"),
        ("short.png", whole[..whole.len() / 2].to_vec(), "train/short.png is unreadable"),
        ("text.jpg", b"no image".to_vec(), "train/text.jpg is unreadable"),
        (
            "odd.png",
            png(63, 32, &[9; 63 * 32 * 3], image::ExtendedColorType::Rgb8),
            "63x32: it has no two halves",
        ),
        ("wide.png", bomb(1_000_000, 8), "train/wide.png is unreadable"),
        ("bomb.png", bomb(60_000, 60_000), "train/bomb.png is unreadable"),
        ("large.png", bomb(16_000, 16_000), "train/large.png is unreadable: Memory limit exceeded"),
    ] {
        let said = refused(name, &bytes);
        // The message is wrapped.
        let said: String = said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(said.contains(wanted), "`{wanted}` is not in {said}");
    }
}

#[test]
fn uncommon_images_are_taken_as_people_see_them() {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    let folder = raw(&project, "facades").join("train");
    let deep: Vec<u8> = (0..64 * 32 * 3).flat_map(|_| 0x8000u16.to_ne_bytes()).collect();
    let clear: Vec<u8> = (0..64 * 32).flat_map(|_| [10, 20, 30, 0]).collect();
    let grey = vec![77; 64 * 32];
    fs::write(folder.join("deep.png"), png(64, 32, &deep, image::ExtendedColorType::Rgb16)).expect("written");
    fs::write(folder.join("clear.png"), png(64, 32, &clear, image::ExtendedColorType::Rgba8))
        .expect("written");
    fs::write(folder.join("grey.png"), png(64, 32, &grey, image::ExtendedColorType::L8)).expect("written");
    // Upright it is 64 x 32; the file has it lying on its side.
    let mut lying = Vec::new();
    let side = image::imageops::rotate270(&pair((64, 32), 3));
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut lying, 95)
        .write_image(side.as_raw(), 32, 64, image::ExtendedColorType::Rgb8)
        .expect("encoded");
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&lying[..2], exif, &lying[2..]].concat();
    fs::write(folder.join("turned.jpg"), turned).expect("written");
    rows(&project, &["--dataset", "facades", "pair_images", "--set", "pair_images.side=32"]);
    let table = project.path().join("data/out/synthesis/facades/pair_images/pairs.parquet");
    let pairs = callsheet::table::read_columns(&table, &["image_id", "a"]).expect("pairs");
    let a = |name: &str| {
        let ids = pairs["image_id"].as_string::<i32>();
        let row = (0..pairs.num_rows()).find(|row| ids.value(*row) == format!("train/{name}")).expect(name);
        let bytes = pairs["a"].as_struct().column_by_name("bytes").expect("bytes").clone();
        image::load_from_memory(bytes.as_binary::<i32>().value(row)).expect("a PNG").into_rgb8()
    };
    assert_eq!(*a("deep.png").get_pixel(3, 3), Rgb([128, 128, 128]));
    assert_eq!(*a("clear.png").get_pixel(3, 3), Rgb([255, 255, 255]));
    assert_eq!(*a("grey.png").get_pixel(3, 3), Rgb([77, 77, 77]));
    // A of facades is on the right, which is red here.
    assert!(a("turned.jpg").get_pixel(20, 20)[0] > 150, "{:?}", a("turned.jpg").get_pixel(20, 20));
    let checked = said(&dataset(&project, &["check", "facades"]));
    assert!(checked.contains("1 rotated by EXIF") && checked.contains("1 of 16 bits"), "{checked}");
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
    let output = callsheet(&project, &["run", "style_distances", "--dataset", "facades"]);
    let text: String =
        said(&output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("18 training images, but near = 5 and far = 13 others are wanted of each: 19 at least"),
        "{text}"
    );
}

#[test]
fn images_that_are_all_the_same_are_refused_as_such() {
    let project = project();
    for (folder, count) in [("train", 24), ("val", 2)] {
        for number in 0..count {
            jpeg(&pair((64, 32), 1), &raw(&project, "facades").join(format!("{folder}/{number}.jpg")));
        }
    }
    let output = callsheet(&project, &["run", "style_distances", "--dataset", "facades"]);
    let text: String =
        said(&output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(text.contains("all 24 training images have the same style"), "{text}");
}

#[test]
fn one_image_is_no_dataset() {
    let project = project();
    jpeg(&pair((64, 32), 1), &raw(&project, "facades").join("train/1.JPG"));
    let output = callsheet(&project, &["run", "list_pairs", "--dataset", "facades"]);
    assert!(said(&output).contains("none of 1 images is of the split `val`"), "{}", said(&output));
}
