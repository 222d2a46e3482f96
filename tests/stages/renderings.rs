//! Aligned renderings as a dataset: one large image per style, or one folder per style.

use std::fs;
use std::path::PathBuf;

use crate::flagship::{
    callsheet, failures, latest, project, project_with_dataset, repository, rows, warnings,
};
use crate::pairs::{jpeg, raw};
use crate::pinned::check_outputs;
use crate::snapshot::assert_output;
use arrow::array::AsArray;
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use tempfile::TempDir;

/// A map whose land, heights and colours differ from place to place.
fn map(width: u32, style: u32) -> RgbImage {
    RgbImage::from_fn(width, width / 2, |x, y| {
        let (x, y) = (x * 512 / width, y * 512 / width);
        let height = ((x / 8 * 37 + y / 8 * 59) % 200) as u8;
        let colours = [height, 255 - height, height / 2, (x % 256) as u8, 40];
        Rgb([0, 1, 2].map(|channel| colours[((style + 1) * (channel + 1)) as usize % colours.len()]))
    })
}

/// A project with a dataset of renderings.
fn project_with(parameters: &str) -> TempDir {
    project_with_dataset(&format!(
        "summary = \"Mine\"\nimport = \"renderings\"\n\
         [sources.renderings]\npath = \"data/raw/mine/styles/**/*.{{png,jpg}}\"\n\
         [sources.content]\npath = \"data/raw/mine/content/**/*.{{png,jpg}}\"\n\
         [stages.list_renderings.params]\n{parameters}"
    ))
}

/// A file of the dataset.
fn file(project: &TempDir, name: &str) -> PathBuf {
    raw(project, "mine").join(name)
}

/// Large images in three styles and resolutions, with two layers of content.
fn maps(parameters: &str) -> TempDir {
    let project = project_with(parameters);
    for (style, width) in [("day", 512), ("night", 384), ("winter", 1024)] {
        jpeg(&map(width, width / 100), &file(&project, &format!("styles/{style}.png")));
    }
    for (layer, width) in [("relief", 256), ("water", 512)] {
        jpeg(&map(width, 7), &file(&project, &format!("content/{layer}.png")));
    }
    project
}

const CROPS: &str = "width = 512\ncrop = 64\nregion = 128\nval_fraction = 0.3\n";

/// Photographs of twelve places in three seasons; one place lacks a season.
fn seasons() -> TempDir {
    let project = project_with("val_fraction = 0.3\n");
    for place in 0..12 {
        jpeg(&map(96, place), &file(&project, &format!("content/{place}.png")));
        for (season, style) in [("summer", 20), ("autumn", 41), ("winter", 63)] {
            if (place, season) != (4, "winter") {
                jpeg(&map(96, place + style), &file(&project, &format!("styles/{season}/{place}.png")));
            }
        }
    }
    project
}

fn run(project: &TempDir, stage: &str) -> std::process::Output {
    callsheet(project, &["run", stage, "--dataset", "mine", "--set", "pair_images.side=0"])
}

fn counted(project: &TempDir, more: &[&str]) -> (u64, u64) {
    rows(project, &[&["pair_images", "--dataset", "mine"], more].concat())["pair_images"]
}

#[test]
fn large_images_of_any_resolution_become_pairs_of_one_size() {
    let project = maps(CROPS);
    // 8 x 4 squares in three styles; regions have the same borders.
    assert_eq!(counted(&project, &["--set", "pair_images.side=0"]), (96, 96));
    let table = latest(&project, "pair_images/pairs.parquet");
    let pairs = callsheet_worker::table::read_columns(&table, &[]).expect("pairs");
    let decoded = |column: &str, row: usize| {
        let bytes = pairs[column].as_struct().column_by_name("bytes").expect("bytes").clone();
        image::load_from_memory(bytes.as_binary::<i32>().value(row)).expect("a PNG").into_rgb8()
    };
    for row in [0, 50, 95] {
        let (a, b) = (decoded("a", row), decoded("b", row));
        assert_eq!((a.dimensions(), b.dimensions()), ((64, 64), (64, 64)));
        assert!(a.pixels().all(|pixel| pixel[2] == 0), "two layers fill two channels");
        assert!(a.pixels().any(|pixel| pixel[0] > 0) && a.pixels().any(|pixel| pixel[1] > 0));
    }
    let text = |column: &str, row: usize| pairs[column].as_string::<i32>().value(row).to_owned();
    assert_eq!(
        (text("image_id", 0), text("frame_id", 0)),
        ("w512_x0000_y0000_s64/day".into(), "region00_00/day".into())
    );
}

#[test]
fn a_changed_image_computes_only_the_crops_that_show_it() {
    let project = maps(CROPS);
    let side = ["--set", "pair_images.side=0"];
    counted(&project, &side);
    jpeg(&map(1024, 99), &file(&project, "styles/winter.png"));
    assert_eq!(counted(&project, &side), (32, 96), "one of three styles");
    jpeg(&map(256, 98), &file(&project, "content/relief.png"));
    assert_eq!(counted(&project, &side), (96, 96), "the content of all");
}

#[test]
fn folders_of_styles_with_equal_names_become_pairs_of_whole_images() {
    let project = seasons();
    let output = run(&project, "pair_images");
    assert!(output.status.success(), "{}", failures(&output));
    assert_output!(warnings(&output));
    let folder = seasons();
    fs::remove_file(file(&folder, "content/3.png")).expect("removed");
    jpeg(&map(96, 3), &file(&folder, "styles/__MACOSX/3.png"));
    assert_eq!(
        counted(&folder, &["--set", "pair_images.side=32"]),
        (32, 32),
        "eleven places, one without winter"
    );
}

#[test]
fn places_that_lack_a_layer_of_their_content_are_left_out() {
    let project = seasons();
    for place in 0..12 {
        let whole = file(&project, &format!("content/{place}.png"));
        let layer = file(&project, &format!("content/relief/{place}.png"));
        jpeg(&map(96, place), &layer);
        fs::remove_file(whole).expect("removed");
        if place % 4 != 0 {
            jpeg(&map(96, place + 7), &file(&project, &format!("content/water/{place}.png")));
        }
    }
    let output = callsheet(&project, &["run", "list_renderings", "--dataset", "mine"]);
    assert_output!(warnings(&output));
    assert_eq!(counted(&project, &["--set", "pair_images.side=0"]), (27, 27), "nine places in three seasons");
}

#[test]
fn every_pipeline_can_use_a_dataset_of_renderings() {
    let project = project();
    for folder in ["renderings", "content"] {
        for name in ["a", "b"] {
            let path = raw(&project, "world_maps").join(folder).join(format!("{name}.png"));
            jpeg(&map(512, 3), &path);
        }
    }
    for pipeline in ["synthesis", "ablation", "generalization"] {
        let output = callsheet(&project, &["plan", "--pipeline", pipeline, "--dataset", "world_maps"]);
        assert!(output.status.success(), "{pipeline}: {}", crate::flagship::stderr(&output));
    }
}

#[test]
fn images_with_16_bits_or_a_palette_are_read_as_others_are() {
    let project = maps(CROPS);
    let plain = map(512, 3);
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_fn(512, 256, |x, y| Luma([u16::from(plain.get_pixel(x, y)[0]) * 257]));
    deep.save(file(&project, "styles/deep.png")).expect("written");
    let palette = repository().join("tests/fixtures/images/palette.png");
    fs::copy(palette, file(&project, "styles/palette.png")).expect("copied");
    assert_eq!(counted(&project, &["--set", "pair_images.side=0"]), (160, 160));
}

#[test]
fn images_that_do_not_belong_together_are_refused_with_their_names() {
    let mut said = Vec::new();
    let mut refused = |stage: &str, project: &TempDir| said.push(failures(&run(project, stage)));

    let project = maps(CROPS);
    let part = image::imageops::crop_imm(&map(512, 1), 0, 0, 384, 256).to_image();
    jpeg(&part, &file(&project, "styles/night.png"));
    refused("pair_images", &project);

    let project = maps(CROPS);
    for style in ["night", "winter"] {
        fs::remove_file(file(&project, &format!("styles/{style}.png"))).expect("removed");
    }
    refused("list_renderings", &project);

    let project = maps(CROPS);
    for layer in ["a", "b"] {
        jpeg(&map(64, 1), &file(&project, &format!("content/{layer}.png")));
    }
    refused("list_renderings", &project);

    refused("list_renderings", &maps("width = 512\ncrop = 300\nregion = 300\n"));
    refused("list_renderings", &maps("width = 512\n"));
    refused("list_renderings", &maps("width = 512\ncrop = 64\nregion = 32\n"));
    refused("list_renderings", &maps("width = 512\ncrop = 64\nval_fraction = 0.0\n"));
    refused("pair_images", &maps("width = 512\ncrop = 60\nregion = 120\nval_fraction = 0.3\n"));

    let project = seasons();
    jpeg(&map(96, 1), &file(&project, "styles/1.png"));
    refused("list_renderings", &project);

    let project = seasons();
    jpeg(&map(96, 1), &file(&project, "styles/summer/1.jpg"));
    refused("list_renderings", &project);

    let project = seasons();
    for place in 0..12 {
        let renamed = file(&project, &format!("content/place{place}.png"));
        fs::rename(file(&project, &format!("content/{place}.png")), renamed).expect("renamed");
    }
    refused("list_renderings", &project);

    let project = maps(CROPS);
    fs::write(file(&project, "content/water.png"), "no image").expect("written");
    refused("list_renderings", &project);
    assert_output!(said.join("\n---\n"));
}

#[test]
fn fewer_crops_than_neighbours_are_refused_with_the_numbers() {
    let project = maps("width = 512\ncrop = 128\nregion = 128\nval_fraction = 0.2\n");
    assert_output!(failures(&callsheet(
        &project,
        &["run", "style_distances", "--dataset", "mine", "--set", "style_distances.largest_share=1.0"]
    )));
}

#[test]
fn outputs_of_stages_for_renderings_never_change() {
    let project = maps(CROPS);
    counted(&project, &["--set", "pair_images.side=0"]);
    check_outputs(project.path(), "synthesis/mine");
}
