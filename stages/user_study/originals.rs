//! Images of the table of pairs that scenes are made of.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use tch::Tensor;

use super::scenes::Scene;
use crate::lib::data::{Pairs, centre};

/// Images of scenes in their order, each [N, 3, H, W] in 0..255.
pub(super) struct Originals {
    /// A of the contents.
    pub contents: Tensor,
    /// B of the styles.
    pub styles: Tensor,
    /// B of the contents: the real images.
    pub real: Tensor,
}

impl Originals {
    /// Reads the middle squares of `crop` pixels; with 0 whole images.
    ///
    /// # Errors
    /// When an image is missing, unreadable or of another size than the first.
    pub(super) fn load(path: &Path, scenes: &[Scene], crop: i64) -> Result<Self> {
        let ids: Vec<&str> =
            scenes.iter().flat_map(|scene| [&scene.content, &scene.style]).map(String::as_str).collect();
        let pairs = Pairs::choose(path, &ids)?;
        let places: HashMap<&str, i64> = pairs.image_ids.iter().map(String::as_str).zip(0..).collect();
        let rows = |id: fn(&Scene) -> &str| -> Result<Tensor> {
            let row = |scene| places.get(id(scene)).copied().context("an image was chosen and is not there");
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
