//! Images from unknown sources: uncommon formats are decoded as people see them, and invalid files are
//! refused.

use std::fs;

use crate::flagship::{callsheet, failures, latest, project, repository, rows};
use crate::pairs::{dataset, fixture, pair, raw, said};
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use image::{ImageEncoder, Rgb};

/// Errors of `pair_images` on one bad file among good ones.
fn refused(name: &str, bytes: &[u8]) -> String {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    fs::write(raw(&project, "facades").join("train").join(name), bytes).expect("written");
    let output = callsheet(&project, &["run", "pair_images", "--dataset", "facades"]);
    assert!(!output.status.success(), "{name}");
    failures(&output)
}

fn png(width: u32, height: u32, bytes: &[u8], color: image::ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file).write_image(bytes, width, height, color).expect("encoded");
    file
}

/// A PNG whose header declares a size, but which has hardly any data.
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
fn files_that_are_not_pairs_are_refused_by_name() {
    let whole = png(64, 32, &[9; 64 * 32 * 3], image::ExtendedColorType::Rgb8);
    let told = [
        ("empty.png", Vec::new()),
        ("short.png", whole[..whole.len() / 2].to_vec()),
        ("text.jpg", b"no image".to_vec()),
        ("odd.png", png(63, 32, &[9; 63 * 32 * 3], image::ExtendedColorType::Rgb8)),
        ("wide.png", bomb(1_000_000, 8)),
        ("bomb.png", bomb(60_000, 60_000)),
        ("large.png", bomb(16_000, 16_000)),
        ("still.jpg", b"GIF89a\x01\0\x01\0".to_vec()),
        ("phone.jpg", b"\0\0\0\x24ftypheic\0\0\0\0mif1".to_vec()),
        ("next.webp", b"\0\0\0\x1cftypavif\0\0\0\0".to_vec()),
        ("old.tif", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0".to_vec()),
        ("lfs.png", b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
    ]
    .map(|(name, bytes)| refused(name, &bytes));
    assert_output!(told.concat());
}

#[test]
fn halves_whose_size_no_generator_supports_are_refused_before_training() {
    let told = [(100, 64), (200, 64), (120, 60)].map(|size| {
        let project = project();
        fixture(&project, "facades", size, &["train", "val"]);
        let as_they_are = ["run", "pair_images", "--dataset", "facades", "--set", "pair_images.side=0"];
        failures(&callsheet(&project, &as_they_are))
    });
    assert_output!(told.concat());
}

/// A noisy pair as JPEG, so that every part of the file matters.
fn noisy_jpeg() -> Vec<u8> {
    let mut picture = pair((256, 128), 4);
    let mut state = 7u32;
    for pixel in picture.pixels_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        pixel[1] ^= (state >> 26) as u8;
    }
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(picture.as_raw(), 256, 128, image::ExtendedColorType::Rgb8)
        .expect("encoded");
    bytes
}

#[test]
fn jpegs_with_damaged_data_are_refused_by_the_check_and_by_a_run() {
    let project = project();
    fixture(&project, "facades", (256, 128), &["train", "val"]);
    let whole = noisy_jpeg();
    let at = |percent: usize| whole.len() * percent / 100;
    let mut zeroed = whole.clone();
    zeroed[at(50)..at(60)].fill(0);
    let damaged = [
        ("closed.jpg", [&whole[..at(60)], &[0xff, 0xd9]].concat()),
        ("cut.jpg", whole[..at(60)].to_vec()),
        ("resumed.jpg", [&whole[..at(60)], &whole[at(50)..]].concat()),
        ("zeroed.jpg", zeroed),
    ];
    for (name, bytes) in &damaged {
        fs::write(raw(&project, "facades").join("train").join(name), bytes).expect("written");
    }
    let output = dataset(&project, &["check", "facades"]);
    assert_eq!(output.status.code(), Some(1));
    assert_output!(said(&output));
    assert_output!(failures(&callsheet(&project, &["run", "pair_images", "--dataset", "facades"])));
}

#[test]
fn uncommon_image_formats_are_decoded_as_people_see_them() {
    let project = project();
    fixture(&project, "facades", (64, 32), &["train", "val"]);
    let folder = raw(&project, "facades").join("train");
    let deep: Vec<u8> = (0..64 * 32 * 3).flat_map(|_| 0x8000u16.to_ne_bytes()).collect();
    let clear: Vec<u8> = (0..64 * 32).flat_map(|_| [10, 20, 30, 0]).collect();
    let grey = vec![77; 64 * 32];
    for name in ["ink.jpg", "palette.png", "scans.jpg"] {
        fs::copy(repository().join("tests/fixtures/images").join(name), folder.join(name)).expect("copied");
    }
    for name in ["photo.webp", "scan.tif", "scan.TIFF"] {
        pair((64, 32), 8).save(folder.join(name)).expect("written");
    }
    let mut profiled = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut profiled);
    encoder.set_icc_profile(b"a profile".to_vec()).expect("PNG supports profiles");
    encoder.write_image(pair((64, 32), 5).as_raw(), 64, 32, image::ExtendedColorType::Rgb8).expect("encoded");
    fs::write(folder.join("profiled.png"), profiled).expect("written");
    fs::write(folder.join("deep.png"), png(64, 32, &deep, image::ExtendedColorType::Rgb16)).expect("written");
    fs::write(folder.join("clear.png"), png(64, 32, &clear, image::ExtendedColorType::Rgba8))
        .expect("written");
    fs::write(folder.join("grey.png"), png(64, 32, &grey, image::ExtendedColorType::L8)).expect("written");
    // The upright image is 64 x 32; the file stores it on its side, with its orientation as EXIF.
    let mut lying = Vec::new();
    let side = image::imageops::rotate270(&pair((64, 32), 3));
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut lying, 95)
        .write_image(side.as_raw(), 32, 64, image::ExtendedColorType::Rgb8)
        .expect("encoded");
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&lying[..2], exif, &lying[2..]].concat();
    fs::write(folder.join("turned.jpg"), turned).expect("written");
    rows(&project, &["--dataset", "facades", "pair_images", "--set", "pair_images.side=32"]);
    let table = latest(&project, "pair_images/pairs.parquet");
    let pairs = callsheet_worker::table::read_columns(&table, &["image_id", "a"]).expect("pairs");
    let a = |name: &str| {
        let ids = pairs["image_id"].as_string::<i32>();
        let row = (0..pairs.num_rows()).find(|row| ids.value(*row) == format!("train/{name}")).expect(name);
        let bytes = pairs["a"].as_struct().column_by_name("bytes").expect("bytes").clone();
        image::load_from_memory(bytes.as_binary::<i32>().value(row)).expect("a PNG").into_rgb8()
    };
    assert_eq!(*a("deep.png").get_pixel(3, 3), Rgb([128, 128, 128]));
    assert_eq!(*a("clear.png").get_pixel(3, 3), Rgb([255, 255, 255]));
    assert_eq!(*a("grey.png").get_pixel(3, 3), Rgb([77, 77, 77]));
    // Image A of facades is the right half, which is red here.
    for name in [
        "turned.jpg",
        "ink.jpg",
        "palette.png",
        "profiled.png",
        "scans.jpg",
        "photo.webp",
        "scan.tif",
        "scan.TIFF",
    ] {
        let Rgb([red, _, blue]) = *a(name).get_pixel(20, 20);
        assert!(red > 150 && blue < 60, "{name}: {red} {blue}");
    }
    assert_output!(said(&dataset(&project, &["check", "facades"])));
}
