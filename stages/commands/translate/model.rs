//! Trained model, and images of sizes that it accepts.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;
use image::RgbImage;
use image::imageops::crop_imm;
use tch::{Cuda, Tensor};

use crate::commands::images::opened;
use crate::lib::data::{to_picture, to_tensor};
use crate::lib::model::Model;
use crate::lib::nn::compute::{Compute, device};
use crate::lib::picture::{resized, within};

/// Number of images that the network translates together.
const BATCH: i64 = 4;

/// Trained model that translates images.
pub(super) struct Translator(Model);

impl Translator {
    /// Loads a model from its folder, from a file in it, or from a checkpoint.
    ///
    /// # Errors
    /// Returns an error if `path` is not a trained model, or the device does not exist.
    pub(super) fn load(path: &Path, device_name: &str) -> Result<Self> {
        let file = if path.is_dir() { path.join("averaged.safetensors") } else { path.to_owned() };
        if !file.is_file() {
            let why = if path.is_dir() {
                "the folder has no averaged.safetensors"
            } else {
                "there is no such file"
            };
            return Err(user_error_with_code(
                Code::Unsupported,
                format!("`{}` is not a trained model: {why}", path.display()),
                "name a model folder of train_generator in data/out, a file in this folder, or a checkpoint",
            ));
        }
        let device = device(device_name, Cuda::device_count())?;
        Ok(Self(Model::from_file(&file, Compute { device, ..Compute::CPU })?))
    }

    /// Reads an image, reduces its longer side to `most` pixels, and cuts it to sides that the model accepts.
    /// An image that is too small for the model is enlarged first.
    ///
    /// # Errors
    /// Returns an error if the image cannot be read.
    pub(super) fn content(&self, path: &Path, most: u32) -> Result<RgbImage> {
        fit(within(opened(path)?, most)?, self.0.sides())
    }

    /// Returns the style code [1, 8] of an image.
    ///
    /// # Errors
    /// Returns an error if the image cannot be read.
    pub(super) fn code(&self, path: &Path, most: u32) -> Result<Tensor> {
        self.0.codes(&to_tensor(&self.content(path, most)?).unsqueeze(0), 1)
    }

    /// Translates a content image into the style of each code [N, 8]; only a few outputs are in memory at a
    /// time.
    pub(super) fn translated(&self, content: &RgbImage, codes: &Tensor) -> impl Iterator<Item = RgbImage> {
        let content = self.0.content_of_bytes(&to_tensor(content).unsqueeze(0));
        let part = move |codes: Tensor| {
            let outputs = self.0.output_of(&content, &codes);
            (0..codes.size()[0]).map(move |n| to_picture(&outputs.get(n)))
        };
        codes.split(BATCH, 0).into_iter().flat_map(part)
    }
}

/// Cuts the centre of a picture to sides that are multiples of `multiple` and at least `smallest`. A picture
/// that is too small is enlarged first.
fn fit(picture: RgbImage, [multiple, smallest]: [i64; 2]) -> Result<RgbImage> {
    let multiple = multiple as u32;
    let least = (smallest as u32).div_ceil(multiple) * multiple;
    let shorter = picture.width().min(picture.height());
    let picture = if shorter < least {
        let enlarged =
            |pixels: u32| (u64::from(pixels) * u64::from(least)).div_ceil(u64::from(shorter)) as u32;
        let (width, height) = (enlarged(picture.width()), enlarged(picture.height()));
        resized(picture, width, height)?
    } else {
        picture
    };
    let (width, height) = picture.dimensions();
    let (w, h) = (width / multiple * multiple, height / multiple * multiple);
    Ok(crop_imm(&picture, (width - w) / 2, (height - h) / 2, w, h).to_image())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_cut_to_multiples_and_small_ones_are_enlarged() {
        let size =
            |width, height, sides| fit(RgbImage::new(width, height), sides).expect("a size").dimensions();
        assert_eq!(size(301, 200, [8, 16]), (296, 200));
        assert_eq!(size(5, 10, [8, 16]), (16, 32));
        assert_eq!(size(300, 100, [64, 32]), (256, 64));
        assert_eq!(size(50, 40, [64, 32]), (64, 64));
    }
}
