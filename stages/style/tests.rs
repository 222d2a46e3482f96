//! Distances and neighbours against the definition, computed in float64.

use std::path::Path;

use arrow::datatypes::DataType;
use callsheet::table::TableWriter;
use rand::Rng;

use super::features::{Features, diagonal};
use super::nearest::{Wanted, doubtful, neighbours};
use super::{GRAM_COLUMNS, Kernel, direct, triangle};
use crate::columns::{Column, batch, float64s, int32s, schema, strings, vector, vectors};
use crate::data::Images;
use crate::nn::vgg::CHANNELS;
use crate::random::stream;

const COUNT: usize = 24;

/// Triangles of image `image`: a few styles, images 20 and 21 all but equal, 22 and 23 the same.
fn style(image: usize) -> Vec<Vec<f32>> {
    let copied = match image {
        21 => 20,
        23 => 22,
        image => image,
    };
    let of_tap = |tap: usize| {
        let mut base = stream(1, "style", (copied % 3 * 8 + tap) as u64);
        let mut own = stream(2, "image", (copied * 8 + tap) as u64);
        let mut hair = stream(3, "hair", tap as u64);
        let apart = if image == 21 { 1e-6 } else { 0.0 };
        (0..triangle(CHANNELS[tap]))
            .map(|_| {
                let value: f32 = base.random_range(0.0..10.0) + own.random_range(0.0..3.0);
                value * (1.0 + apart * hair.random_range(-1.0..1.0f32))
            })
            .collect()
    };
    (0..CHANNELS.len()).map(of_tap).collect()
}

fn write(folder: &Path, styles: &[Vec<Vec<f32>>]) -> (std::path::PathBuf, Images) {
    let ids: Vec<String> = (0..styles.len()).map(|image| format!("{image:02}")).collect();
    let pairs = folder.join("pairs.parquet");
    let columns: Vec<Column> = vec![
        ("image_id", strings(&ids)),
        ("split", strings(ids.iter().map(|_| "train"))),
        ("crop", int32s((0..ids.len()).map(|image| image as i32 % 2))),
        ("time_s", float64s(ids.iter().map(|_| 0.0))),
    ];
    save(&pairs, columns);
    let mut columns: Vec<Column> = vec![("image_id", strings(&ids))];
    for (tap, name) in GRAM_COLUMNS.into_iter().enumerate() {
        let values = styles.iter().flat_map(|style| style[tap].iter().copied()).collect();
        columns.push((name, vectors(triangle(CHANNELS[tap]), values).expect("vectors")));
    }
    let grams = folder.join("grams.parquet");
    save(&grams, columns);
    (grams, Images::read(&pairs).expect("pairs"))
}

fn save(path: &Path, columns: Vec<Column>) {
    let kinds: Vec<(&str, DataType)> =
        columns.iter().map(|(name, column)| (*name, column.data_type().clone())).collect();
    let kinds: Vec<(&str, DataType)> = kinds
        .into_iter()
        .map(|(name, kind)| match kind {
            DataType::FixedSizeList(_, length) => (name, vector(length as usize)),
            kind => (name, kind),
        })
        .collect();
    let mut table = TableWriter::create(path, schema(&kinds), &Default::default()).expect("created");
    table.write(&batch(columns).expect("a batch")).expect("written");
    table.finish().expect("finished");
}

/// The distance by its definition: over whole matrices, in float64.
fn defined(a: &[Vec<f32>], b: &[Vec<f32>], weighting: &str) -> f64 {
    let of_tap = |tap: usize| {
        let squares = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
        let all: f64 = a[tap].iter().zip(&b[tap]).map(squares).sum();
        let diagonal: f64 = diagonal(tap).map(|at| squares((&a[tap][at], &b[tap][at]))).sum();
        let channels = CHANNELS[tap] as f64;
        (2.0 * all - diagonal) * if weighting == "code" { 1.0 / (channels * channels) } else { 0.25 }
    };
    (0..CHANNELS.len()).map(of_tap).sum()
}

#[test]
fn neighbours_are_those_of_a_brute_force_computation_in_float64() {
    let styles: Vec<_> = (0..COUNT).map(style).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let (grams, images) = write(folder.path(), &styles);
    for (weighting, panels) in [("code", 5), ("gatys", 36)] {
        let mut features = Features::open(&grams, &images, "train").expect("features");
        if panels > 5 {
            features.set_panel_bytes(COUNT * 4 * 9000);
        }
        assert_eq!(features.panels(), panels);
        let kernel = Kernel::new(&features, weighting, |_| ()).expect("products");
        let wanted = Wanted { near: 3, far: 5 };
        for image in 0..COUNT {
            let rough: Vec<(f64, f64)> = kernel.row(image).collect();
            let exact: Vec<f64> =
                styles.iter().map(|other| defined(&styles[image], other, weighting)).collect();
            for ((rough, error), exact) in rough.iter().zip(&exact) {
                assert!((rough - exact).abs() <= error / 8.0 + 1e-300, "{rough} {exact} {error}");
            }
            let other_crop = |other: usize| other % 2 != image % 2;
            let pairs: Vec<(u32, u32)> = doubtful(image, &rough, other_crop, wanted)
                .into_iter()
                .map(|other| (image as u32, other as u32))
                .collect();
            let direct = direct::distances(&features, weighting, &pairs, |_| ()).expect("distances");
            let mut row: Vec<f64> = rough.iter().map(|(rough, _)| *rough).collect();
            for ((_, other), distance) in pairs.iter().zip(direct) {
                let wanted = exact[*other as usize];
                assert!((distance - wanted).abs() <= 1e-9 * wanted, "{distance} {wanted}");
                row[*other as usize] = distance;
            }
            let found = neighbours(image, &row, other_crop, wanted);
            assert_eq!(found, neighbours(image, &exact, other_crop, wanted), "{weighting}, image {image}");
            for other in found.0.iter().chain(&found.1) {
                assert!((row[*other] - exact[*other]).abs() <= 1e-6 * exact[*other]);
            }
        }
        // All but equal, and the same: nothing of either is left after products.
        assert!(kernel.row(20).nth(21).is_some_and(|(rough, error)| rough < error));
        let same = direct::distances(&features, weighting, &[(22, 23)], |_| ()).expect("a distance");
        assert_eq!(same, [0.0]);
    }
}
