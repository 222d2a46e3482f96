//! Tests of the stage on tables of two styles.

use callsheet_worker::table::read_columns;
use serde_json::{Value, json};

use super::run;
use crate::lib::codes::fixtures::{Image, Tables};
use crate::lib::columns::{read_float64s, read_images, read_strings};
use crate::lib::picture::decode;

/// Returns two crops of each frame; the frames alternate between two styles far from each other.
fn images(count: i32) -> Vec<Image> {
    let image = |n: i32| {
        let frame = n / 2;
        let code = std::array::from_fn(|axis| {
            ((n * 7 + axis as i32 * 3) % 11) as f32 * 0.1
                + if axis < 4 { (frame % 2 * 20) as f32 } else { 0.0 }
        });
        let split = if frame % 5 == 4 { "val" } else { "train" };
        Image {
            frame,
            crop: n % 2,
            split,
            code,
            colour: [200, 10, 60],
            cluster: (split == "train").then_some(frame % 2),
        }
    };
    (0..count).map(image).collect()
}

fn styles(count: usize) -> Vec<(&'static str, [f32; 4])> {
    (0..count).map(|frame| (["day", "night"][frame % 2], [12.0, 0.25, 0.5, 0.75])).collect()
}

fn projected(tables: &Tables, inputs: &[&str], params: Value) -> anyhow::Result<()> {
    let inputs = [&["embeddings", "pairs"], inputs].concat();
    run(&tables.job("project_embeddings", &inputs, &["projection", "picture"], params))
}

#[test]
fn styles_are_separated_and_rows_describe_their_images() {
    let tables = Tables::write(&images(80), &styles(40));
    projected(&tables, &["clusters", "factors"], json!({ "iterations": 400 })).expect("projected");
    let rows = read_columns(&tables.path("projection"), &[]).expect("a table");
    let texts = |name: &str| read_strings(&rows, name).expect("texts");
    assert_eq!(texts("image_id")[79], "a.mp4#000039/c1");
    assert_eq!(
        (&texts("cluster")[..3], texts("cluster")[8].as_str()),
        (&["0", "0", "1"].map(str::to_owned)[..], "")
    );
    assert_eq!((texts("mode")[2].as_str(), texts("split")[8].as_str()), ("night", "val"));
    assert_eq!(read_float64s(&rows, "season").expect("numbers")[5], 0.75);
    for axis in ["pca_x", "tsne_x"] {
        let places = read_float64s(&rows, axis).expect("numbers");
        let ends = |style: usize| {
            let all =
                places.iter().skip(2 * style).step_by(4).chain(places.iter().skip(2 * style + 1).step_by(4));
            all.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)))
        };
        let (day, night) = (ends(0), ends(1));
        assert!(day.1 < night.0 || night.1 < day.0, "{axis}: {day:?} and {night:?}");
    }
    let path = tables.path("projection");
    let thumbnail =
        decode(read_images(&rows, "thumbnail").expect("images")[7], "thumbnail", &path).expect("decoded");
    assert_eq!(thumbnail.dimensions(), (16, 8), "smaller images keep their size");
    let near = thumbnail.get_pixel(3, 3).0.iter().zip([200u8, 10, 60]).all(|(a, b)| a.abs_diff(b) < 8);
    assert!(near, "{:?}", thumbnail.get_pixel(3, 3));
    let picture = std::fs::read(tables.path("picture")).expect("a picture");
    assert!(
        decode(&picture, "picture", &tables.path("picture")).expect("decoded").width() > 1000,
        "two columns"
    );
}

#[test]
fn a_run_is_reproducible_and_another_seed_starts_elsewhere() {
    let tables = Tables::write(&images(60), &[]);
    let bytes = |params: Value| {
        projected(&tables, &[], params).expect("projected");
        let rows = read_columns(&tables.path("projection"), &[]).expect("a table");
        assert!(read_float64s(&rows, "haze").expect("numbers").iter().all(|value| value.is_nan()));
        (
            read_float64s(&rows, "tsne_x").expect("numbers"),
            std::fs::read(tables.path("picture")).expect("a picture"),
        )
    };
    let random = |seed: i64| bytes(json!({ "iterations": 300, "start": "random", "seed": seed }));
    assert_eq!(bytes(json!({ "iterations": 300 })), bytes(json!({ "iterations": 300, "seed": 1 })));
    assert_eq!(random(0), random(0));
    assert_ne!(random(0).0, random(1).0);
}

#[test]
fn of_many_images_some_are_shown_and_thumbnails_are_small() {
    let tables = Tables::write(&images(60), &[]);
    projected(&tables, &["clusters"], json!({ "iterations": 300, "max_images": 9, "thumbnail": 8 }))
        .expect("projected");
    let rows = read_columns(&tables.path("projection"), &[]).expect("a table");
    assert_eq!(rows.num_rows(), 9);
    let path = tables.path("projection");
    let thumbnail =
        decode(read_images(&rows, "thumbnail").expect("images")[0], "thumbnail", &path).expect("decoded");
    assert_eq!(thumbnail.dimensions(), (8, 4));
}

#[test]
fn codes_without_a_layout_are_refused() {
    let refused = |images: &[Image], wanted: &str| {
        let said = projected(&Tables::write(images, &[]), &[], json!({})).expect_err(wanted).to_string();
        assert!(said.contains(wanted), "{said}");
    };
    refused(&images(3), "3 style codes are too few for a layout: it needs at least 4");
    let mut same = images(20);
    same.iter_mut().for_each(|image| image.code = [0.5; 8]);
    refused(&same, "all 20 style codes are equal");
    let mut broken = images(20);
    broken[19].code[7] = f32::NAN;
    refused(&broken, "the style code of a.mp4#000009/c1 has the value NaN");
    let tables = Tables::write(&images(20), &styles(9));
    let said = projected(&tables, &["factors"], json!({})).expect_err("unknown").to_string();
    assert!(said.contains("frame a.mp4#000009 has no factors"), "{said}");
}
