//! Style distances between all training images, and the nearest and farthest images of each.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::table::TableWriter;
use callsheet_worker::{Job, user_error};
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{batch, float64s, int32s, list, lists, schema, strings};
use crate::lib::data::Images;
use crate::lib::style::nearest::{NeighbourCounts, doubtful, neighbours, official_near};
use crate::lib::style::{Features, Kernel, Panel, direct};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weighting: String,
    near: usize,
    far: usize,
    largest_share: f64,
    other_crops_only: bool,
    official_order: bool,
    max_images: usize,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if there are too few images for `near` and `far`.
pub(crate) fn run(job: &Job) -> Result<()> {
    let mut params: Params = job.params()?;
    let images = Images::read(job.input("pairs")?)?;
    let mut features = Features::open(job.input("grams")?, &images, "train")?;
    if params.max_images > 0 {
        features.reduce(params.max_images, params.seed);
    }
    reduce(job, &mut params, features.len());
    check_count(features.len(), &params)?;
    let apart = crops_apart(job, &features, params.other_crops_only);
    let eligible = |image: usize, other: usize| !apart || features.crops[other] != features.crops[image];
    let wanted = NeighbourCounts { near: params.near, far: params.far };

    // Each panel is processed twice, for the products and for the differences. It is read before each time, except the
    // last panel of the products, which is kept for the differences.
    let steps = features.panels() * 4;
    let (kernel, last) =
        Kernel::new(&features, &params.weighting, |done| job.progress(done, steps, "steps"))?;
    let last = check_apart(&features, &kernel, last, &params)?;
    let pairs: BTreeSet<(u32, u32)> = (0..features.len())
        .into_par_iter()
        .flat_map_iter(|image| {
            let row: Vec<(f64, f64)> = kernel.row(image).collect();
            let mut others = doubtful(image, &row, |other| eligible(image, other), wanted);
            if apart && params.official_order {
                // In that order, images of the same crop are among the near ones.
                others.extend(doubtful(image, &row, |other| !eligible(image, other), wanted));
            }
            others.into_iter().map(move |other| (image.min(other) as u32, image.max(other) as u32))
        })
        .collect();
    let pairs: Vec<(u32, u32)> = pairs.into_iter().collect();
    let exact = direct::distances(&features, &params.weighting, &pairs, last, |done| {
        job.progress(features.panels() * 2 + done, steps, "steps");
    })?;
    let exact: HashMap<(u32, u32), f64> = pairs.into_iter().zip(exact).collect();
    let distance = |image: usize, other: usize, rough: f64| {
        let pair = (image.min(other) as u32, image.max(other) as u32);
        exact.get(&pair).copied().unwrap_or(rough)
    };
    let mut fewest = params.far;
    let mut tables = Tables::create(job, &features.image_ids)?;
    for image in 0..features.len() {
        let rough = kernel.row(image).enumerate();
        let row: Vec<f64> = rough.map(|(other, (rough, _))| distance(image, other, rough)).collect();
        let (mut near, far) = neighbours(image, &row, |other| eligible(image, other), wanted);
        if apart && params.official_order {
            near = official_near(image, &row, |other| eligible(image, other), params.near);
        }
        check_lists(&features, image, (&near, &far), &params)?;
        fewest = fewest.min(far.len());
        tables.write(image, &row, [("near", near), ("far", far)])?;
    }
    if fewest < params.far {
        job.warn(format!(
            "far = {}, but for some images only {fewest} others are farther than the near ones",
            params.far
        ));
    }
    tables.finish()
}

/// Checks that not all images are equal in style, before all pairs are compared. Returns `last`, or `None` if other
/// panels had to be read, because memory has room for one.
fn check_apart(
    features: &Features,
    kernel: &Kernel,
    last: Option<Panel>,
    params: &Params,
) -> Result<Option<Panel>> {
    if kernel.row(0).any(|(rough, error)| rough > error) {
        return Ok(last);
    }
    let pairs: Vec<(u32, u32)> = (1..features.len() as u32).map(|other| (0, other)).collect();
    let distances = direct::distances(features, &params.weighting, &pairs, last, |_| ())?;
    if distances.iter().any(|distance| *distance > 0.0) {
        return Ok(None);
    }
    let (id, count) = (&features.image_ids[0], features.len());
    Err(user_error(
        format!("all {count} training images have the same style: every distance from `{id}` is 0"),
        "use images that differ; check whether the files are copies of one file",
    ))
}

/// Reduces `near` and `far` in proportion if they exceed the largest share of the other images.
fn reduce(job: &Job, params: &mut Params, images: usize) {
    let most = params.largest_share * images.saturating_sub(1) as f64;
    let factor = most / (params.near + params.far) as f64;
    if params.largest_share >= 1.0 || factor >= 1.0 {
        return;
    }
    let reduced = |count: usize| ((count as f64 * factor) as usize).max(1);
    let (near, far) = (reduced(params.near), reduced(params.far));
    job.warn(format!(
        "near = {} and far = {} exceed the share {} of {images} training images: {near} and {far} are used",
        params.near, params.far, params.largest_share
    ));
    (params.near, params.far) = (near, far);
}

fn check_count(images: usize, params: &Params) -> Result<()> {
    let Params { near, far, .. } = params;
    if images > near + far {
        return Ok(());
    }
    Err(user_error(
        format!(
            "there are {images} training images, but near = {near} and far = {far} need at least {}",
            near + far + 1
        ),
        "use more images, or lower style_distances.near or style_distances.far",
    ))
}

/// Returns true if near images must be of another crop.
fn crops_apart(job: &Job, features: &Features, other_crops_only: bool) -> bool {
    // If every frame has one crop, no image has a neighbour in another crop.
    let one_crop = features.crops.iter().all(|crop| *crop == features.crops[0]);
    if one_crop && other_crops_only {
        job.warn("all images are of one crop, so other_crops_only has no effect".to_owned());
    }
    other_crops_only && !one_crop
}

fn check_lists(
    features: &Features,
    image: usize,
    (near, far): (&[usize], &[usize]),
    params: &Params,
) -> Result<()> {
    let id = &features.image_ids[image];
    if near.len() < params.near {
        return Err(user_error(
            format!("`{id}` has {} images of other crops, but near = {}", near.len(), params.near),
            "lower style_distances.near, or set style_distances.other_crops_only = false",
        ));
    }
    if far.is_empty() {
        return Err(user_error(
            format!("no image is farther from `{id}` than the {} near ones", params.near),
            "use more images, or lower style_distances.near",
        ));
    }
    Ok(())
}

/// Tables that are written row by row.
struct Tables<'a> {
    ids: &'a [String],
    neighbours: TableWriter,
    distances: TableWriter,
}

impl<'a> Tables<'a> {
    fn create(job: &Job, ids: &'a [String]) -> Result<Self> {
        let (text, number) = (DataType::Utf8, DataType::Float64);
        let neighbours = schema(&[
            ("image_id", text.clone()),
            ("side", text.clone()),
            ("rank", DataType::Int32),
            ("neighbour_id", text.clone()),
            ("distance", number),
        ]);
        let distances = schema(&[("image_id", text), ("distances", list())]);
        let neighbours = job.table("neighbours", neighbours)?;
        Ok(Self { ids, neighbours, distances: job.table("distances", distances)? })
    }

    fn write(&mut self, image: usize, row: &[f64], sides: [(&str, Vec<usize>); 2]) -> Result<()> {
        let id = &self.ids[image];
        for (side, list) in sides {
            self.neighbours.write(&batch(vec![
                ("image_id", strings(list.iter().map(|_| id))),
                ("side", strings(list.iter().map(|_| side))),
                ("rank", int32s(1..=list.len() as i32)),
                ("neighbour_id", strings(list.iter().map(|other| &self.ids[*other]))),
                ("distance", float64s(list.iter().map(|other| row[*other]))),
            ])?)?;
        }
        let values = lists(row.len(), row.iter().map(|d| *d as f32).collect())?;
        Ok(self.distances.write(&batch(vec![("image_id", strings([id])), ("distances", values)])?)?)
    }

    fn finish(self) -> Result<()> {
        self.neighbours.finish()?;
        Ok(self.distances.finish()?)
    }
}
