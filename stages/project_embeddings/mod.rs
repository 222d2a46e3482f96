//! Scatter plots of style codes, by principal components and by t-SNE.

mod known;
mod pca;
mod scatter;
#[cfg(test)]
mod tests;
mod tsne;

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::table::image_type;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::lib::codes::Codes;
use crate::lib::codes::factors::FACTORS;
use crate::lib::columns::{batch, float64s, images, schema, strings};
use crate::lib::data::values;
use crate::lib::figures::noted;
use crate::lib::picture::{encode_png, within};
use crate::lib::random::torch_seed;
use callsheet_worker::{Job, user_error};
use known::Known;
use pca::principal;
use scatter::Panel;
use tsne::{Settings, largest_perplexity, layout};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    max_images: usize,
    perplexity: f64,
    iterations: usize,
    theta: f64,
    start: Start,
    seed: i64,
    thumbnail: u32,
    note: String,
}

/// Initial layout of t-SNE.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Start {
    /// Places of the principal components.
    Pca,
    /// Random places.
    Random,
}

/// Smallest number of images: perplexity is at most a third of the other images.
const FEWEST: usize = 4;

/// Standard deviation of the initial places of t-SNE.
const SPREAD: f64 = 1e-4;

/// JPEG quality of thumbnails, 1 to 100.
const JPEG_QUALITY: u8 = 85;

/// Place of an image in the plane.
type Place = [f64; 2];

/// Runs the stage.
///
/// # Errors
/// Returns an error if a code is not finite, codes are all equal or too few, or an image or its frame is
/// unknown.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let codes = Codes::read(job.input("embeddings")?, job.input("pairs")?)?;
    let all = codes.len();
    let codes = codes.spread(params.max_images);
    if codes.len() < all {
        job.info(format!("{} of {all} images are shown, evenly spread, because of max_images", codes.len()));
    }
    if codes.len() < FEWEST {
        return Err(user_error(
            format!("{} style codes are too few for a layout: it needs at least {FEWEST}", codes.len()),
            "wire the embeddings of more images",
        ));
    }
    if codes.points.rows().all(|row| row == codes.points.row(0)) {
        return Err(user_error(
            format!("all {} style codes are equal, so they have no layout", codes.len()),
            "train the encoder longer, or with a lower learning rate: its codes do not depend on the images",
        ));
    }
    let known = Known::read(job, &codes)?;
    let pca = principal(&codes.points)?;
    let tsne = neighbours(job, &params, &codes, &pca)?;
    draw(job, &params, &codes, &known, [("PCA", &pca), ("t-SNE", &tsne)])?;
    write(job, &params, &codes, known, &pca, &tsne)
}

fn neighbours(job: &Job, params: &Params, codes: &Codes, pca: &[Place]) -> Result<Vec<Place>> {
    let most = largest_perplexity(codes.len());
    if params.perplexity > most {
        let (count, asked) = (codes.len(), params.perplexity);
        job.warn(format!("{count} images are too few for perplexity = {asked}: {most:.3} is used"));
    }
    let perplexity = params.perplexity.min(most);
    let settings = Settings { perplexity, iterations: params.iterations, theta: params.theta };
    let start: Vec<Place> = match params.start {
        Start::Pca => {
            let squares: f64 = pca.iter().map(|[x, _]| x * x).sum();
            let scale = SPREAD / (squares / pca.len() as f64).sqrt();
            pca.iter().map(|[x, y]| [x * scale, y * scale]).collect()
        }
        Start::Random => {
            tch::manual_seed(torch_seed(params.seed, "projection", 0));
            let places = Tensor::randn([codes.len() as i64, 2], (Kind::Double, Device::Cpu)) * SPREAD;
            values::<f64>(&places)?.chunks_exact(2).map(|at| [at[0], at[1]]).collect()
        }
    };
    let total = params.iterations;
    let (places, divergence) =
        layout(&codes.points, &start, settings, |done| job.progress(done, total, "iterations"))?;
    job.metric("tsne/divergence", total as u64, divergence);
    Ok(places)
}

fn draw(
    job: &Job,
    params: &Params,
    codes: &Codes,
    known: &Known,
    methods: [(&str, &[Place]); 2],
) -> Result<()> {
    let mut rows = Vec::with_capacity(methods.len());
    for (method, points) in methods {
        let panel = |(name, groups)| Panel { title: format!("{method}, by {name}"), points, groups };
        rows.push(known.groups(codes).into_iter().map(panel).collect::<Vec<_>>());
    }
    let title = format!("Scatter plots of the style codes of {} images", codes.len());
    let picture = scatter::draw(&title, &noted(job, &params.note), &rows)?;
    Ok(std::fs::write(job.output("picture")?, encode_png(&picture)?)?)
}

fn write(
    job: &Job,
    params: &Params,
    codes: &Codes,
    known: Known,
    pca: &[Place],
    tsne: &[Place],
) -> Result<()> {
    let thumbnails = codes.map_styles(job, |picture| thumbnail(picture, params.thumbnail))?;
    let names: Vec<String> = codes.image_ids.iter().map(|id| format!("{id}.jpg")).collect();
    let mut columns = vec![("image_id", strings(&codes.image_ids)), ("split", strings(&codes.splits))];
    for (names, places) in [(["pca_x", "pca_y"], pca), (["tsne_x", "tsne_y"], tsne)] {
        for (axis, name) in names.into_iter().enumerate() {
            columns.push((name, float64s(places.iter().map(|place| place[axis]))));
        }
    }
    columns.extend([("cluster", strings(&known.clusters)), ("mode", strings(&known.modes))]);
    columns.extend(FACTORS.into_iter().zip(known.factors).map(|((name, _), all)| (name, float64s(all))));
    columns.push(("thumbnail", images(&thumbnails, &names)?));
    let mut kinds = vec![("image_id", DataType::Utf8), ("split", DataType::Utf8)];
    kinds.extend(["pca_x", "pca_y", "tsne_x", "tsne_y"].map(|name| (name, DataType::Float64)));
    kinds.extend(["cluster", "mode"].map(|name| (name, DataType::Utf8)));
    kinds.extend(FACTORS.map(|(name, _)| (name, DataType::Float64)));
    kinds.push(("thumbnail", image_type()));
    let mut table = job.table("projection", schema(&kinds))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

/// Encodes the picture as a small JPEG.
fn thumbnail(picture: RgbImage, side: u32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    within(picture, side)?.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))?;
    Ok(bytes)
}
