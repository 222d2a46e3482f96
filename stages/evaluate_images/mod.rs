//! Reconstruction of each validation image, beside trivial predictors.

mod baselines;
mod heads;
mod metrics;

use std::path::Path;

use anyhow::{Result, ensure};
use arrow::datatypes::DataType;
use callsheet::table::{FOOTER_PREFIX, row_count};
use serde::Deserialize;
use tch::Tensor;

use crate::columns::{Column, batch, float64s, schema, strings};
use crate::data::{centre, read_padded, to_tensor};
use crate::model::Model;
use crate::nn::vgg::Vgg;
use crate::parts::Parts;
use crate::picture::decode;
use crate::worker::Context;
use baselines::reinhard;
pub use metrics::{feature_distances, psnr, ssim};

/// Images that go through a network together. Another number may round otherwise.
pub const BATCH: usize = 16;

/// Columns of each method, and what it is.
pub const METHODS: [([&str; 3], &str); 5] = [
    (["psnr_copy", "ssim_copy", "distance_copy"], "A copied"),
    (["psnr_mean", "ssim_mean", "distance_mean"], "mean of training B"),
    (["psnr_reinhard", "ssim_reinhard", "distance_reinhard"], "Reinhard colour transfer"),
    (["psnr_frozen", "ssim_frozen", "distance_frozen"], "frozen encoder"),
    (["psnr_finetuned", "ssim_finetuned", "distance_finetuned"], "fine-tuned"),
];

/// The network of the feature distance.
pub struct Distance {
    vgg: Vgg,
    heads: Option<Vec<Tensor>>,
    /// What the distance may be called.
    pub name: String,
    /// Where the weights come from.
    pub weights: String,
}

impl Distance {
    /// Reads the weights that are wired.
    ///
    /// # Errors
    /// When a file is damaged, or the heads do not belong to the network.
    pub fn load(context: &Context) -> Result<Self> {
        let vgg = Vgg::load(context.input("vgg")?)?;
        let heads = context.optional("lpips_heads").map(|path| heads::read(path, &vgg.origin)).transpose()?;
        let name = match heads {
            Some(_) => "LPIPS v0.1 (VGG-16)".to_owned(),
            None => format!("{} feature distance", vgg.origin.name),
        };
        let weights = vgg.origin.source.clone();
        Ok(Self { vgg, heads, name, weights })
    }

    /// Distances of each candidate's images from `wanted`.
    ///
    /// # Errors
    /// When a distance cannot be read out of its tensor.
    pub fn of(&self, candidates: &[&Tensor], wanted: &Tensor) -> Result<Vec<Vec<f64>>> {
        feature_distances(&self.vgg, self.heads.as_deref(), candidates, wanted, BATCH as i64, |_| ())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    crop: i64,
}

/// Runs the stage.
///
/// # Errors
/// When a model is damaged, or an image unreadable.
pub fn run(context: &Context) -> Result<()> {
    let path = context.input("pairs")?;
    let params: Params = context.params()?;
    let distance = Distance::load(context)?;
    let mean = centre(&mean_image(context.input("mean")?)?.unsqueeze(0), params.crop).squeeze_dim(0);
    let frozen = Model::averaged(context.input("frozen")?)?;
    let tuned = Model::averaged(context.input("model")?)?;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(METHODS.iter().flat_map(|(names, _)| names.map(|name| (name, DataType::Float64))));
    let note = format!("{}; {}", distance.name, distance.weights);
    let mut parts = Parts::create(context, "reconstruction", schema(&columns))?;
    parts.note(format!("{FOOTER_PREFIX}feature_distance"), note);
    let (mut done, total) = (0, row_count(path)? as usize);
    read_padded(path, &["a", "b"], BATCH, |ids, images| {
        let [a, b] = images else { unreachable!("two columns are read") };
        let (a, b) = (&centre(a, params.crop), &centre(b, params.crop));
        ensure!(mean.size()[..] == b.size()[1..], "the mean image is of another size than {}", ids[0]);
        let remade = |model: &Model| -> Result<Tensor> {
            Ok(model.outputs(a, &model.codes(b, BATCH as i64)?, BATCH as i64))
        };
        let predicted = [
            a.shallow_clone(),
            mean.expand_as(b).contiguous(),
            reinhard(a, b),
            remade(&frozen)?,
            remade(&tuned)?,
        ];
        let distances = distance.of(&predicted.each_ref(), b)?;
        let mut columns: Vec<Column> = vec![("image_id", strings(ids))];
        for (((names, _), images), distances) in METHODS.iter().zip(&predicted).zip(distances) {
            for (name, values) in names.iter().zip([psnr(images, b)?, ssim(images, b)?, distances]) {
                columns.push((name, float64s(values.into_iter().take(ids.len()))));
            }
        }
        parts.write(&batch(columns)?)?;
        done += ids.len();
        context.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}

/// The mean image as [3, H, W].
fn mean_image(path: &Path) -> Result<Tensor> {
    Ok(to_tensor(&decode(&std::fs::read(path)?, "mean", path)?))
}
