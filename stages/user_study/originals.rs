//! Images of scenes, from the table of pairs.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use tch::Tensor;

use super::scenes::Scene;
use crate::lib::data::{Pairs, centre};

/// Images in the order of the scenes, each [N, 3, H, W] in 0..255.
pub(super) struct Originals {
    /// Images A of the contents.
    pub contents: Tensor,
    /// Images B of the styles.
    pub styles: Tensor,
    /// Images B of the contents, which are the real images.
    pub real: Tensor,
}

impl Originals {
    /// Reads the central squares of `crop` pixels, or complete images if `crop` is 0.
    ///
    /// # Errors
    /// Returns an error if an image is missing, cannot be read, or differs in size from the first.
    pub(super) fn load(path: &Path, scenes: &[Scene], crop: i64) -> Result<Self> {
        let ids: Vec<&str> =
            scenes.iter().flat_map(|scene| [&scene.content, &scene.style]).map(String::as_str).collect();
        let pairs = Pairs::choose(path, &ids)?;
        let places: HashMap<&str, i64> = pairs.image_ids.iter().map(String::as_str).zip(0..).collect();
        let rows = |id: fn(&Scene) -> &str| -> Result<Tensor> {
            let row = |scene| places.get(id(scene)).copied().context("a chosen image is missing");
            Ok(Tensor::from_slice(&scenes.iter().map(row).collect::<Result<Vec<i64>>>()?))
        };
        let (contents, styles) = (rows(|scene| &scene.content)?, rows(|scene| &scene.style)?);
        let of = |images: &Tensor, rows: &Tensor| centre(&images.index_select(0, rows), crop);
        Ok(Self {
            contents: of(&pairs.a, &contents),
            styles: of(&pairs.b, &styles),
            real: of(&pairs.b, &contents),
        })
    }
}
