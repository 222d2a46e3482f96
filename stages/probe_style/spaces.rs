//! Representations of an image in which the nearest images are searched, to compare style codes with.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};

use crate::lib::codes::{Codes, Points, smallest};
use crate::lib::columns::{read_strings, read_vectors};
use crate::lib::data::Images;
use crate::lib::nn::vgg::CHANNELS;
use crate::lib::style::{Features, Kernel};

/// Distances between images, of which some may be unknown.
enum Distances {
    /// Euclidean distances of points.
    Points(Points),
    /// Style distances of Gram features.
    Style(Kernel),
}

/// Images with distances between them.
pub(super) struct Space {
    distances: Distances,
    /// Place of each image among those with distances.
    places: Vec<Option<usize>>,
}

impl Space {
    /// Creates a space of one point for each image.
    pub(super) fn of_points(points: &Points) -> Self {
        Self { distances: Distances::Points(points.clone()), places: (0..points.len()).map(Some).collect() }
    }

    /// Returns true for each image that can be found.
    pub(super) fn known(&self) -> Vec<bool> {
        self.places.iter().map(Option::is_some).collect()
    }

    /// Returns the `count` images nearest to image `row`, among those for which `may` returns true. Images at
    /// equal distance are in the order of the codes.
    pub(super) fn nearest(&self, row: usize, count: usize, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let Some(place) = self.places[row] else { return Vec::new() };
        let distances: Vec<f64> = match &self.distances {
            Distances::Points(points) => {
                points.rows().map(|other| squared(points.row(place), other)).collect()
            }
            Distances::Style(kernel) => kernel.row(place).map(|(distance, _)| distance).collect(),
        };
        let others = (0..self.places.len()).filter(|other| may(*other));
        let others = others.filter_map(|other| Some((other, distances[self.places[other]?])));
        smallest(others.collect(), count).into_iter().map(|(other, _)| other).collect()
    }
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Place of each image of `codes` in a table with these keys.
fn places(codes: &Codes, ids: &[String]) -> Vec<Option<usize>> {
    let places: HashMap<&str, usize> =
        ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    codes.image_ids.iter().map(|id| places.get(id.as_str()).copied()).collect()
}

/// Style distances, as style_distances computes them.
///
/// # Errors
/// Returns an error if the features cannot be read.
pub(super) fn style(job: &Job, grams: &Path, codes: &Codes, weighting: &str) -> Result<Space> {
    let features = Features::all(grams, &Images::read(job.input("pairs")?)?)?;
    let (kernel, _) = Kernel::new(&features, weighting, |_| ())?;
    Ok(Space { distances: Distances::Style(kernel), places: places(codes, &features.image_ids) })
}

/// Representations of a table of reference_features, with their names.
///
/// # Errors
/// Returns an error if the table cannot be read, or has none of the images.
pub(super) fn references(path: &Path, codes: &Codes) -> Result<Vec<(&'static str, Space)>> {
    let rows = read_columns(path, &["image_id", "vgg_means", "histogram", "pixels"])?;
    let ids = read_strings(&rows, "image_id")?;
    let places = places(codes, &ids);
    if places.iter().all(Option::is_none) {
        return Err(user_error(
            format!("`{}` has features of none of the images", path.display()),
            "compute features and codes from the same pairs",
        ));
    }
    let space = |name: &str, scaled: fn(Vec<f64>, usize) -> Vec<f64>| -> Result<Space> {
        let values: Vec<f64> = read_vectors(&rows, name)?.iter().map(|value| f64::from(*value)).collect();
        let points = Points::new(values.len() / ids.len(), scaled(values, ids.len()));
        Ok(Space { distances: Distances::Points(points), places: places.clone() })
    };
    Ok(vec![
        ("mean VGG features", space("vgg_means", equal_taps)?),
        ("colour histogram", space("histogram", |shares, _| shares.into_iter().map(f64::sqrt).collect())?),
        ("pixels", space("pixels", |pixels, _| pixels)?),
    ])
}

/// Scales the features of each tap to the same mean square over the images.
fn equal_taps(mut means: Vec<f64>, images: usize) -> Vec<f64> {
    let width: usize = CHANNELS.iter().sum();
    let mut first = 0;
    for channels in CHANNELS {
        let squares = means.chunks_exact(width).flat_map(|row| &row[first..first + channels]).map(|v| v * v);
        let scale = (squares.sum::<f64>() / images as f64).sqrt().max(f64::MIN_POSITIVE);
        let rows = means.chunks_exact_mut(width);
        rows.flat_map(|row| &mut row[first..first + channels]).for_each(|value| *value /= scale);
        first += channels;
    }
    means
}
