//! Gram matrices of VGG features, which describe the style of every image B.

use anyhow::Result;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use callsheet_worker::Job;
use image::RgbImage;
use serde::Deserialize;
use tch::no_grad;

use crate::lib::columns::{Column, batch, schema, strings, vector, vectors};
use crate::lib::nn::compute::Precision;
use crate::lib::nn::vgg::{CHANNELS, Vgg};
use crate::lib::parts::Parts;
use crate::lib::style::{GRAM_COLUMNS, gram, triangle};
use crate::lib::style_images::{each_style_image, vgg_input};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    max_side: u32,
    precision: Precision,
}

/// Key of an image, and the values of its five columns.
type Style = (String, Vec<Vec<f32>>);

/// Runs the stage.
///
/// # Errors
/// Returns an error if an image cannot be read or is too small, or the weights are not those of a VGG-16.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(GRAM_COLUMNS.iter().zip(CHANNELS).map(|(name, c)| (*name, vector(triangle(c)))));
    let mut parts = Parts::create(job, "grams", schema(&columns))?;
    each_style_image(job, params.max_side, params.precision, style, |styles| parts.write(&rows(styles)?))?;
    parts.end()
}

/// Computes the upper triangles of an image's Gram matrices.
fn style(vgg: &Vgg, picture: &RgbImage, id: &str) -> Result<Vec<Vec<f32>>> {
    let image = vgg_input(picture, id)?;
    let mut grams = Vec::with_capacity(CHANNELS.len());
    no_grad(|| vgg.each_tap(&image, |features| grams.push(gram(features))));
    grams.into_iter().collect()
}

fn rows(styles: &[Style]) -> Result<RecordBatch> {
    let mut columns: Vec<Column> = vec![("image_id", strings(styles.iter().map(|(id, _)| id)))];
    for (tap, name) in GRAM_COLUMNS.into_iter().enumerate() {
        let values: Vec<&[f32]> = styles.iter().map(|(_, grams)| grams[tap].as_slice()).collect();
        columns.push((name, vectors(triangle(CHANNELS[tap]), values.concat())?));
    }
    batch(columns)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::{Rgb, RgbImage};

    use tch::Kind;

    use super::*;
    use crate::lib::nn::compute::Compute;
    use crate::lib::weights::{convolutions, read};

    /// Sum, length, entry 1000 and last entry of each of a picture's five triangles, as torch computes them
    /// in float64 from the weights that `make setup` fetches. `tests/parity/worker.py` contains the network.
    const GOLDEN: [[f64; 4]; 5] = [
        [6.5896558e1, 3.0109626, 5.8380820e-2, 2.8512161e-1],
        [4.4521046e2, 1.1513245e1, 2.3989728e-2, 4.3393475e-1],
        [1.5205660e3, 1.7333126e1, 1.5649868e-2, 3.9988686e-1],
        [1.8274065e3, 1.3753115e1, 3.1102534e-2, 5.3189721e-2],
        [7.7034235e2, 6.7849379, 9.6858528e-3, 2.0337100e-2],
    ];

    fn network(kind: Kind) -> Vgg {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/weights/vgg16.ckpt");
        let (tensors, _) = read(&path, &convolutions("vgg16").expect("a network")).expect("weights");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weights.safetensors");
        let origin = serde_json::json!({ "name": "vgg16", "convention": "torchvision", "source": "" });
        crate::lib::nn::file::save(&file, &tensors, &origin).expect("saved");
        Vgg::load(&file).expect("loaded").on(Compute { kind, ..Compute::CPU })
    }

    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            Rgb([((x * 5 + y * 3) % 256) as u8, (x * y % 256) as u8, (255 - x * 4) as u8])
        })
    }

    #[test]
    fn gram_matrices_are_those_of_torch() {
        for (kind, precise) in [(Kind::Float, 1e-5), (Kind::BFloat16, 2e-2)] {
            let grams = style(&network(kind), &picture(), "a").expect("grams");
            for (tap, (gram, wanted)) in grams.iter().zip(GOLDEN).enumerate() {
                let sum: f64 = gram.iter().copied().map(f64::from).sum();
                let length = gram.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
                let last = f64::from(gram[gram.len() - 1]);
                let found = [sum, length, f64::from(gram[1000]), last];
                for (found, of_torch) in found.into_iter().zip(wanted) {
                    let scale = of_torch.abs().max(wanted[1] / 1000.0);
                    assert!(
                        (found - of_torch).abs() < precise * scale,
                        "{kind:?}, tap {tap}: {found} {of_torch}"
                    );
                }
            }
        }
    }

    #[test]
    fn images_smaller_than_the_network_halves_are_refused() {
        let error = style(&network(Kind::Float), &RgbImage::new(40, 15), "a.jpg").expect_err("small");
        assert!(error.to_string().contains("image `a.jpg` has 40x15 pixels"), "{error}");
    }
}
