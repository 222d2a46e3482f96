//! Pictures of a model's outputs for validation images, as in the paper's figures.

use anyhow::{Context as _, Result};
use callsheet_figures::sheet::{Cell, Sheet};
use callsheet_worker::Job;
use image::RgbImage;
use tch::{Device, Kind, Tensor};

use crate::lib::data::{Pairs, to_picture};
use crate::lib::model::Model;
use crate::lib::picture::encode_png;

/// Number of images that go through a network together.
pub(crate) const BATCH: i64 = 16;

/// Validation images, evenly spread, and their style codes.
pub(crate) struct Shown {
    /// Contents A and styles B.
    pub pairs: Pairs,
    /// Style codes of the images B, [N, 8].
    pub codes: Tensor,
}

impl Shown {
    /// Selects `count` images, or all if there are fewer.
    ///
    /// # Errors
    /// Returns an error if there are no validation images, or the model does not support their size.
    pub(crate) fn sample(job: &Job, model: &Model, count: usize) -> Result<Self> {
        let pairs = Pairs::sample(job.input("pairs")?, "val", count)?;
        let pairs = pairs.context("there is no validation image")?;
        if pairs.len() < count {
            job.warn(format!("shows all {} validation images; {count} were requested", pairs.len()));
        }
        let codes = model.codes(&pairs.b, BATCH)?;
        Ok(Self { pairs, codes })
    }
}

/// Labels of the data, and a note if it is not empty.
pub(crate) fn noted(job: &Job, note: &str) -> String {
    let parts = job.request.labels.iter().map(String::as_str).chain([note]);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" \u{b7} ")
}

/// Generates images from content `a` [3, H, W] in 0..255 with each of `codes` [K, 8].
pub(crate) fn remade(model: &Model, a: &Tensor, codes: &Tensor) -> Vec<RgbImage> {
    pictures(&model.outputs(&a.unsqueeze(0), codes, BATCH))
}

/// Interpolates between two codes [8] or [1, 8]: `z_t = (1 - t) z_1 + t z_2` for `steps` values of t from 0
/// to 1, [steps, 8].
pub(crate) fn between(from: &Tensor, to: &Tensor, steps: i64) -> Tensor {
    let share = Tensor::linspace(0.0, 1.0, steps, (Kind::Float, Device::Cpu));
    from.lerp_tensor(to, &share.unsqueeze(1))
}

/// Converts images [N, 3, H, W] in 0..255 to pictures.
pub(crate) fn pictures(images: &Tensor) -> Vec<RgbImage> {
    (0..images.size()[0]).map(|n| to_picture(&images.get(n))).collect()
}

/// Converts pictures to cells without captions.
pub(crate) fn cells(pictures: Vec<RgbImage>) -> impl Iterator<Item = Cell> {
    pictures.into_iter().map(|picture| Cell::new(picture, ""))
}

/// Writes a sheet as PNG, with the labels of the data and the `note`.
///
/// # Errors
/// Returns an error if the sheet cannot be drawn or written.
pub(crate) fn save(job: &Job, output: &str, note: &str, sheet: &Sheet) -> Result<()> {
    let note = noted(job, note);
    Ok(std::fs::write(job.output(output)?, encode_png(&sheet.draw(&note)?)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpolation_is_linear_and_includes_both_ends() {
        let [from, to] = [[0f32, 4.0], [1.0, 2.0]].map(|code| Tensor::from_slice(&code));
        let way = Tensor::from_slice(&[0f32, 4.0, 0.5, 3.0, 1.0, 2.0]).view([3, 2]);
        assert_eq!(between(&from, &to, 3), way);
        assert_eq!(between(&from.unsqueeze(0), &to.unsqueeze(0), 3), way);
    }
}
