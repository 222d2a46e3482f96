//! Tests of the stage on tables of images with known information in their codes.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use callsheet_worker::table::read_columns;
use serde_json::{Value, json};

use super::run;
use crate::lib::codes::fixtures::{Image, Tables};
use crate::lib::columns::{
    Column, batch, read_float64s, read_int32s, read_strings, schema, strings, vector, vectors,
};
use crate::lib::nn::vgg::CHANNELS;
use crate::lib::style::{GRAM_COLUMNS, triangle};

/// Modes and factors of 30 frames.
fn styles() -> Vec<(&'static str, [f32; 4])> {
    let style = |n: usize| {
        let x = n as f32;
        (
            ["day", "night", "fog"][n % 3],
            [(x * 5.3) % 24.0, (x * 0.37) % 1.0, (x * 0.61) % 1.0, (x * 0.83) % 1.0],
        )
    };
    (0..30).map(style).collect()
}

/// Returns two crops of each frame; a third of the frames is in the split `val`. Codes contain sines and
/// cosines of hour and season, cloud, haze, and the mode as a place far from the others. Colours contain only
/// the crop.
fn images() -> Vec<Image> {
    let image = |n: i32| {
        let (frame, crop) = (n / 2, n % 2);
        let (_, [hour, cloud, haze, season]) = styles()[frame as usize];
        let (sin, cos) = (hour / 24.0 * std::f32::consts::TAU).sin_cos();
        let (winter, spring) = (season * std::f32::consts::TAU).sin_cos();
        let mode = (frame % 3) as f32 * 100.0;
        Image {
            frame,
            crop,
            split: if frame / 3 % 3 == 2 { "val" } else { "train" },
            code: [sin, cos, cloud, haze, winter, spring, mode, 0.0],
            colour: [50, 90, 10 + 20 * crop as u8],
            cluster: (frame / 3 % 3 != 2).then_some(frame % 3),
        }
    };
    (0..60).map(image).collect()
}

fn probed(tables: &Tables, inputs: &[&str], params: Value) -> anyhow::Result<Vec<(String, f64, f64)>> {
    let inputs = [&["embeddings", "pairs"], inputs].concat();
    run(&tables.job("probe_style", &inputs, &["probes"], params))?;
    let rows = read_columns(&tables.path("probes"), &[])?;
    let names = ["code", "target", "measure"].map(|name| read_strings(&rows, name).expect("names"));
    let (values, chances) = (read_float64s(&rows, "value")?, read_float64s(&rows, "chance")?);
    let [codes, targets, measures] = names;
    let named = codes.iter().zip(&targets).zip(&measures).map(|((a, b), c)| format!("{a}: {b}, {c}"));
    Ok(named.zip(values).zip(chances).map(|((name, value), chance)| (name, value, chance)).collect())
}

#[test]
fn probes_find_the_factors_in_codes_and_the_crop_in_colours() {
    let tables = Tables::write(&images(), &styles());
    let params = json!({ "lambda": 1e-6, "neighbours": 5 });
    let found = probed(&tables, &["clusters", "factors"], params).expect("probed");
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    let of_code = |code: &str| {
        let factors = ["time_of_day", "cloud", "haze", "season"].map(|name| format!("{code}: {name}, R2"));
        let others = ["mode, precision at 5", "crop, accuracy"].map(|name| format!("{code}: {name}"));
        [factors.to_vec(), others.to_vec()].concat()
    };
    let agreement = ["NMI", "ARI"].map(|name| format!("style clusters: mode, {name}")).to_vec();
    assert_eq!(names, [of_code("style"), of_code("mean colour"), agreement].concat());
    let value = |n: usize| found[n].1;
    assert!((0..4).all(|n| value(n) > 1.0 - 1e-6), "R2 of the code: {found:?}");
    assert!((6..10).all(|n| value(n) < 0.05), "R2 of the colour: {found:?}");
    // 18 of the 58 images of other frames have the mode of the image.
    let (precision, chance) = (found[4].1, found[4].2);
    assert!(precision == 1.0 && (chance - 18.0 / 58.0).abs() < 1e-12, "{precision} {chance}");
    assert!((value(5), found[5].2) == (0.5, 0.5), "both crops of a frame have one code");
    assert_eq!((value(11), found[11].2), (1.0, 0.5), "the colour identifies the crop");
    assert_eq!((value(12), value(13)), (1.0, 1.0), "clusters are the modes");
    let rows = read_columns(&tables.path("probes"), &[]).expect("a table");
    let [images, frames] = ["images", "frames"].map(|name| read_int32s(&rows, name).expect("counts"));
    assert_eq!((images[0], frames[0], images[12], frames[12]), (18, 9, 42, 21));
    let [low, high] = ["value_low", "value_high"].map(|name| read_float64s(&rows, name).expect("ends"));
    assert!((0..12).all(|n| low[n] <= value(n) + 1e-9 && value(n) <= high[n] + 1e-9), "{low:?} {high:?}");
    assert!(low[12].is_nan() && high[13].is_nan());
}

#[test]
fn footage_has_probes_of_content_only_and_single_crops_have_none() {
    let tables = Tables::write(&images(), &[]);
    let found = probed(&tables, &["clusters"], json!({})).expect("probed");
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["style: crop, accuracy", "mean colour: crop, accuracy"]);
    let whole: Vec<Image> = images().into_iter().filter(|image| image.crop == 0).collect();
    assert!(probed(&Tables::write(&whole, &[]), &[], json!({})).expect("probed").is_empty());
}

#[test]
fn a_factor_that_does_not_vary_is_left_out() {
    let mut styles = styles();
    styles.iter_mut().for_each(|(_, factors)| factors[2] = 0.25);
    let found = probed(&Tables::write(&images(), &styles), &["factors"], json!({})).expect("probed");
    assert!(found.len() == 10 && !found.iter().any(|(name, ..)| name.contains("haze")), "{found:?}");
}

#[test]
fn splits_of_one_frame_and_factors_of_other_frames_are_refused() {
    let refused = |images: &[Image], styles: &[(&str, [f32; 4])], wanted: &str| {
        let said =
            probed(&Tables::write(images, styles), &["factors"], json!({})).expect_err(wanted).to_string();
        assert!(said.contains(wanted), "{said}");
    };
    let few: Vec<Image> =
        images().into_iter().filter(|image| image.split == "train" || image.frame == 6).collect();
    refused(&few, &styles(), "the split `val` has style codes of 1 frames: a probe needs at least two");
    let untrained: Vec<Image> = images().into_iter().filter(|image| image.split == "val").collect();
    refused(&untrained, &styles(), "the split `train` has style codes of 0 frames");
    refused(&images(), &styles()[..20], "frame a.mp4#000020 has no factors in `");
    let mut broken = images();
    broken[3].code[0] = f32::NEG_INFINITY;
    refused(&broken, &styles(), "the style code of a.mp4#000001/c1 has the value -inf in `");
}

#[test]
fn renderings_have_modes_without_factors_and_no_crop_in_both_splits() {
    let images: Vec<Image> = (0..).zip(images()).map(|(crop, image)| Image { crop, ..image }).collect();
    let tables = Tables::write(&images, &styles());
    let frames: BTreeMap<String, &str> =
        images.iter().map(|image| (image.frame_id(), styles()[image.frame as usize].0)).collect();
    tables.put(
        "modes",
        schema(&[("frame_id", DataType::Utf8), ("mode", DataType::Utf8)]),
        batch(vec![("frame_id", strings(frames.keys())), ("mode", strings(frames.values()))]),
    );
    std::fs::rename(tables.path("modes"), tables.path("factors")).expect("renamed");
    let found = probed(&tables, &["factors"], json!({ "neighbours": 5 })).expect("probed");
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["style: mode, precision at 5", "mean colour: mode, precision at 5"]);
    assert!(found[0].1 > 0.99, "codes contain the mode");
}

/// Writes Gram features that contain only the mode of an image.
fn write_grams(tables: &Tables, images: &[Image]) {
    let mut kinds = vec![("image_id", DataType::Utf8)];
    kinds.extend(GRAM_COLUMNS.iter().zip(CHANNELS).map(|(name, c)| (*name, vector(triangle(c)))));
    let mut columns: Vec<Column> = vec![("image_id", strings(images.iter().map(Image::id)))];
    for (name, channels) in GRAM_COLUMNS.into_iter().zip(CHANNELS) {
        let width = triangle(channels);
        let features = images.iter().flat_map(|image| vec![(image.frame % 3) as f32; width]).collect();
        columns.push((name, vectors(width, features).expect("vectors")));
    }
    tables.put("grams", schema(&kinds), batch(columns));
}

/// Writes features of which the histogram and the pixels contain the mode of an image.
fn write_features(tables: &Tables, images: &[Image]) {
    let kinds = [("vgg_means", 1472), ("histogram", 512), ("pixels", 3072)];
    let mut columns: Vec<Column> = vec![("image_id", strings(images.iter().map(Image::id)))];
    for (name, width) in kinds {
        let value = |image: &Image| (image.frame % 3 + 1) as f32;
        let of = |image: &Image| vec![if name == "vgg_means" { 1.0 } else { value(image) }; width];
        columns.push((name, vectors(width, images.iter().flat_map(of).collect()).expect("vectors")));
    }
    let mut schemas = vec![("image_id", DataType::Utf8)];
    schemas.extend(kinds.map(|(name, width)| (name, vector(width))));
    tables.put("features", schema(&schemas), batch(columns));
}

#[test]
fn style_distances_and_simple_representations_are_compared_with_codes() {
    // Colours contain the mode, codes do not.
    let few = |image: &Image| image.frame < 12 && image.crop == 0;
    let images: Vec<Image> = images().into_iter().filter(few).collect();
    let recoloured = |image: Image| {
        let colour = [[200, 10, 10], [10, 200, 10], [10, 10, 200]][image.frame as usize % 3];
        Image { colour, code: [image.frame as f32; 8], ..image }
    };
    let images: Vec<Image> = images.into_iter().map(recoloured).collect();
    let tables = Tables::write(&images, &styles());
    write_grams(&tables, &images);
    write_features(&tables, &images);
    let found =
        probed(&tables, &["factors", "grams", "features"], json!({ "neighbours": 3 })).expect("probed");
    let retrieved = found.iter().filter(|(name, ..)| name.ends_with("mode, precision at 3"));
    let retrieved: Vec<(&str, bool)> =
        retrieved.map(|(name, value, _)| (name.split(':').next().unwrap_or(""), *value > 0.99)).collect();
    let wanted = [
        ("style", false),
        ("mean colour", true),
        ("style distance", true),
        ("mean VGG features", false),
        ("colour histogram", true),
        ("pixels", true),
    ];
    assert_eq!(retrieved, wanted);
}

#[test]
fn precision_is_at_fewer_neighbours_if_fewer_images_can_be_found() {
    let tables = Tables::write(&images(), &styles());
    let found = probed(&tables, &["factors"], json!({ "neighbours": 59 })).expect("probed");
    let (name, precision, chance) = &found[4];
    assert_eq!(name, "style: mode, precision at 58");
    assert!((precision - chance).abs() < 1e-12, "all images are found");
}

#[test]
fn a_validation_image_without_features_is_refused() {
    let tables = Tables::write(&images(), &styles());
    write_grams(&tables, &images()[..40]);
    let error = probed(&tables, &["factors", "grams"], json!({})).expect_err("missing features");
    assert!(error.to_string().contains("has no style distance"), "{error}");
    write_features(&tables, &images()[..40]);
    let error = probed(&tables, &["factors", "features"], json!({})).expect_err("missing features");
    assert!(error.to_string().contains("has no mean VGG features"), "{error}");
}
