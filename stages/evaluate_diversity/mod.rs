//! Diversity: distances between a model's outputs for one content image in different styles.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::{Job, user_error};
use rand::seq::index::sample;
use serde::Deserialize;
use tch::{Device, Kind, Tensor, no_grad};

use crate::lib::columns::{batch, float64s, int32s, schema, strings};
use crate::lib::data::{Pairs, centre, ids_of, spread};
use crate::lib::lpips::Distance;
use crate::lib::model::{Model, Weights};
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::mapper::Mapper;
use crate::lib::random::{stream, torch_seed};

/// Number of images that the generator translates together. Another number may change the rounding of
/// results.
const BATCH: i64 = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    styles_from: Source,
    contents: usize,
    styles: usize,
    crop: i64,
    distance_side: u32,
    seed: i64,
}

/// Source of the style codes.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    /// Random images; all content images get the same styles.
    Transfer,
    /// The mapper; each content image gets other styles.
    Mapper,
    /// N(0, I); each content image gets other styles.
    Prior,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, the mapper is missing, or there are fewer than two styles.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let distance = Distance::load(job, params.distance_side)?;
    let model = Model::trained(job.input("model")?, params.weights)?;
    let ids = ids_of(job.input("pairs")?, "val")?;
    if ids.is_empty() {
        return Err(user_error(
            "there is no validation image",
            "set list_images.val_fraction, or split_pairs, so that there are validation images",
        ));
    }
    if ids.len() < params.contents {
        job.warn(format!("there are {} validation images, not {}: all are used", ids.len(), params.contents));
    }
    let chosen = spread(ids.len(), params.contents).into_iter().map(|n| ids[n].as_str()).collect::<Vec<_>>();
    let codes = codes(job, &params, &model, &ids, chosen.len())?;
    let val = Pairs::choose(job.input("pairs")?, &chosen)?;
    let (mut consecutive, mut all) = (Vec::new(), Vec::new());
    for done in 0..val.len() {
        let content = centre(&val.a.narrow(0, done as i64, 1), params.crop);
        let codes = codes.get(done as i64);
        let outputs = model.outputs(&content, &codes, BATCH);
        let diversity = distance.features(&outputs)?.diversity();
        consecutive.push(diversity.consecutive);
        all.push(diversity.all_pairs);
        job.progress(done + 1, val.len(), "contents");
    }
    let styles = codes.size()[1] as i32;
    let columns = vec![
        ("image_id", strings(&val.image_ids)),
        ("styles", int32s(val.image_ids.iter().map(|_| styles))),
        ("consecutive", float64s(consecutive)),
        ("all_pairs", float64s(all)),
        ("distance_name", strings(val.image_ids.iter().map(|_| &distance.name))),
        ("distance_weights", strings(val.image_ids.iter().map(|_| distance.source()))),
    ];
    let kinds = [
        ("image_id", DataType::Utf8),
        ("styles", DataType::Int32),
        ("consecutive", DataType::Float64),
        ("all_pairs", DataType::Float64),
        ("distance_name", DataType::Utf8),
        ("distance_weights", DataType::Utf8),
    ];
    let mut table = job.table("diversity", schema(&kinds))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

/// Returns the style codes [contents, styles, 8].
fn codes(job: &Job, params: &Params, model: &Model, ids: &[String], contents: usize) -> Result<Tensor> {
    let size = [contents as i64, params.styles as i64, STYLE_DIM];
    let noise = || {
        tch::manual_seed(torch_seed(params.seed, "diversity", 0));
        Tensor::randn(size, (Kind::Float, Device::Cpu))
    };
    match params.styles_from {
        Source::Prior => Ok(noise()),
        Source::Mapper => {
            let Some(folder) = job.optional("mapper") else {
                let message = "styles_from = \"mapper\" needs the input `mapper`";
                return Err(user_error(message, "wire the input `mapper` to fit_mapper.mapper"));
            };
            let mapper = Mapper::load(folder)?;
            Ok(no_grad(|| mapper.forward(&noise().view([-1, STYLE_DIM]))).view(size))
        }
        Source::Transfer => {
            let count = params.styles.min(ids.len());
            if count < 2 {
                let message = "there is only one validation image, so there are no two styles to compare";
                return Err(user_error(
                    message,
                    "raise list_images.val_fraction, or set styles_from = \"mapper\"",
                ));
            }
            if count < params.styles {
                let found = ids.len();
                job.warn(format!(
                    "there are only {found} validation images for {} styles: each is used as one style",
                    params.styles
                ));
            }
            // The order of the draw is kept. Neighbours in the table are alike, so sorted styles would be
            // alike, too.
            let drawn = sample(&mut stream(params.seed, "styles", 0), ids.len(), count).into_vec();
            let wanted: Vec<&str> = drawn.iter().map(|n| ids[*n].as_str()).collect();
            let styles = Pairs::choose(job.input("pairs")?, &wanted)?;
            let at = |id: &&str| styles.image_ids.iter().position(|found| found == id).map(|at| at as i64);
            let order: Vec<i64> = wanted.iter().filter_map(at).collect();
            let images = styles.b.index_select(0, &Tensor::from_slice(&order));
            let codes = model.codes(&centre(&images, params.crop), BATCH)?;
            Ok(codes.unsqueeze(0).expand([contents as i64, -1, -1], false))
        }
    }
}
