//! A trained model, and images of the sizes that it takes.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error;
use image::RgbImage;
use image::imageops::crop_imm;
use tch::{Cuda, Tensor};

use crate::commands::images::opened;
use crate::lib::data::{to_picture, to_tensor};
use crate::lib::model::Model;
use crate::lib::nn::compute::{Compute, device};
use crate::lib::picture::{resized, within};

/// Images that go through the network together.
const BATCH: i64 = 4;

/// A model that is used.
pub(super) struct Translator(Model);

impl Translator {
    /// Of the folder of a model, of a file in it, or of a checkpoint.
    ///
    /// # Errors
    /// When there is none, or no such device.
    pub(super) fn load(path: &Path, device_name: &str) -> Result<Self> {
        let file = if path.is_dir() { path.join("averaged.safetensors") } else { path.to_owned() };
        if !file.is_file() {
            return Err(user_error(
                Code::Unsupported,
                format!("{} is no trained model: there is no {}", path.display(), file.display()),
                "name the folder that train_generator made, below data/out, or a checkpoint",
            ));
        }
        let device = device(device_name, Cuda::device_count())?;
        Ok(Self(Model::from_file(&file, Compute { device, ..Compute::CPU })?))
    }

    /// An image with its longer side reduced to `most` pixels, and then cut, or enlarged if it is too small, to
    /// sides that the model takes.
    ///
    /// # Errors
    /// When it is unreadable.
    pub(super) fn content(&self, path: &Path, most: u32) -> Result<RgbImage> {
        fit(within(opened(path)?, most)?, self.0.sides())
    }

    /// The style code [1, 8] of an image.
    ///
    /// # Errors
    /// When it is unreadable.
    pub(super) fn code(&self, path: &Path, most: u32) -> Result<Tensor> {
        self.0.codes(&to_tensor(&self.content(path, most)?).unsqueeze(0), 1)
    }

    /// A content in the style of each code [N, 8], few of them held at a time.
    pub(super) fn translated(&self, content: &RgbImage, codes: &Tensor) -> impl Iterator<Item = RgbImage> {
        let content = self.0.content_of_bytes(&to_tensor(content).unsqueeze(0));
        let part = move |codes: Tensor| {
            let outputs = self.0.output_of(&content, &codes);
            (0..codes.size()[0]).map(move |n| to_picture(&outputs.get(n)))
        };
        codes.split(BATCH, 0).into_iter().flat_map(part)
    }
}

/// The middle of a picture whose sides are multiples of the first number, and at least the second.
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
