//! Tests of distances and neighbours against their definition, computed in float64.

use std::path::Path;

use arrow::datatypes::DataType;
use callsheet_worker::table::TableWriter;
use tch::{Device, Kind, Tensor};

use super::features::{Features, diagonal};
use super::nearest::{NeighbourCounts, doubtful, neighbours};
use super::{GRAM_COLUMNS, Kernel, direct, triangle};
use crate::lib::columns::{Column, batch, float64s, int32s, schema, strings, vector, vectors};
use crate::lib::data::Images;
use crate::lib::nn::vgg::CHANNELS;

const COUNT: usize = 24;

/// Triangles of image `image`. There are a few styles; images 20 and 21 are almost equal, 22 and 23 are
/// equal.
fn style(image: usize) -> Vec<Vec<f32>> {
    let copied = match image {
        21 => 20,
        23 => 22,
        image => image,
    };
    // The values are spread like random ones, but do not depend on tests that draw from libtorch's generator
    // meanwhile.
    let draws = |seed: usize, tap: usize, low: f64, high: f64| {
        let at = Tensor::arange(triangle(CHANNELS[tap]) as i64, (Kind::Double, Device::Cpu));
        let spread = ((at + (seed * 1_000_003) as f64) * 12.9898).sin() * 43758.5453;
        (&spread - spread.floor()).to_kind(Kind::Float) * (high - low) + low
    };
    let of_tap = |tap: usize| {
        let base = draws(copied % 3 * 8 + tap, tap, 0.0, 10.0);
        let own = draws(1000 + copied * 8 + tap, tap, 0.0, 3.0);
        let apart = if image == 21 { 1e-6 } else { 0.0 };
        let style = (base + own) * (draws(2000 + tap, tap, -1.0, 1.0) * apart + 1.0);
        style.try_into().expect("floats")
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

/// Distance of two styles by its definition: over complete matrices, in float64. `code` divides by the
/// squared number of channels, `gatys` by 4.
fn defined(a: &[Vec<f32>], b: &[Vec<f32>], weighting: &str) -> f64 {
    let of_tap = |tap: usize| {
        let [x, y] = [a, b].map(|style| Tensor::from_slice(&style[tap]).to_kind(Kind::Double));
        let squares = (x - y).square();
        let on_diagonal: Vec<i64> = diagonal(tap).map(|at| at as i64).collect();
        let diagonal = squares.index_select(0, &Tensor::from_slice(&on_diagonal)).sum(Kind::Double);
        let channels = CHANNELS[tap] as f64;
        (squares.sum(Kind::Double) * 2.0 - diagonal).double_value(&[])
            * if weighting == "code" { 1.0 / (channels * channels) } else { 0.25 }
    };
    (0..CHANNELS.len()).map(of_tap).sum()
}

/// [`defined`] of all pairs of images.
fn all_defined(styles: &[Vec<Vec<f32>>], weighting: &str) -> Vec<Vec<f64>> {
    let mut all = vec![vec![0.0; COUNT]; COUNT];
    for (a, b) in (0..COUNT).flat_map(|a| (0..a).map(move |b| (a, b))) {
        all[a][b] = defined(&styles[a], &styles[b], weighting);
        all[b][a] = all[a][b];
    }
    all
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
        let (kernel, last) = Kernel::new(&features, weighting, |_| ()).expect("products");
        assert!(last.is_some());
        let wanted = NeighbourCounts { near: 3, far: 5 };
        let exact = all_defined(&styles, weighting);
        let other_crop = |image: usize| move |other: usize| other % 2 != image % 2;
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for image in 0..COUNT {
            let rough: Vec<(f64, f64)> = kernel.row(image).collect();
            for ((rough, error), exact) in rough.iter().zip(&exact[image]) {
                assert!((rough - exact).abs() <= error / 8.0 + 1e-300, "{rough} {exact} {error}");
            }
            let doubtful = doubtful(image, &rough, other_crop(image), wanted).into_iter();
            pairs.extend(doubtful.map(|other| (image as u32, other as u32)));
        }
        // The pairs of all images are computed together, because the features are read once for all of them.
        let direct = direct::distances(&features, weighting, &pairs, last, |_| ()).expect("distances");
        for image in 0..COUNT {
            let exact = &exact[image];
            let mut row: Vec<f64> = kernel.row(image).map(|(rough, _)| rough).collect();
            for ((_, other), distance) in pairs.iter().zip(&direct).filter(|((a, _), _)| *a as usize == image)
            {
                let wanted = exact[*other as usize];
                assert!((distance - wanted).abs() <= 1e-9 * wanted, "{distance} {wanted}");
                row[*other as usize] = *distance;
            }
            let found = neighbours(image, &row, other_crop(image), wanted);
            assert_eq!(
                found,
                neighbours(image, exact, other_crop(image), wanted),
                "{weighting}, image {image}"
            );
            for other in found.0.iter().chain(&found.1) {
                assert!((row[*other] - exact[*other]).abs() <= 1e-6 * exact[*other]);
            }
        }
        // The error of the products exceeds the distance of almost equal images. That of equal images is
        // exactly 0.
        assert!(kernel.row(20).nth(21).is_some_and(|(rough, error)| rough < error));
        let same = direct::distances(&features, weighting, &[(22, 23)], None, |_| ()).expect("a distance");
        assert_eq!(same, [0.0]);
    }
}

#[test]
fn of_two_choices_of_images_the_larger_one_has_those_of_the_smaller_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (grams, images) = write(folder.path(), &(0..COUNT).map(style).collect::<Vec<_>>());
    let chosen = |most: usize, seed: i64| {
        let mut features = Features::open(&grams, &images, "train").expect("features");
        features.reduce(most, seed);
        assert_eq!(features.crops.len(), features.len());
        let crop = |id: &String| id.parse::<i32>().expect("a number") % 2;
        assert!(features.image_ids.iter().map(crop).eq(features.crops.iter().copied()));
        features.image_ids
    };
    let (few, more) = (chosen(6, 0), chosen(15, 0));
    assert_eq!((few.len(), more.len(), chosen(100, 0).len()), (6, 15, COUNT));
    assert!(few.iter().all(|id| more.contains(id)) && few.is_sorted());
    assert_ne!(few, chosen(6, 1));
}
