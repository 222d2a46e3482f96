//! Representations of an image in which the nearest images are searched, to compare style codes with.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use image::RgbImage;
use tch::{Kind, no_grad};

use crate::lib::codes::{Codes, Points};
use crate::lib::data::{Images, normalised, read_padded, values};
use crate::lib::nn::compute::{Compute, Precision};
use crate::lib::nn::vgg::{CHANNELS, Vgg};
use crate::lib::picture::resized;
use crate::lib::style::{Features, Kernel};

/// Bins of each channel in a colour histogram.
const BINS: usize = 8;

/// Side in pixels to which images are reduced before their pixels are compared.
const PIXELS: u32 = 32;

/// Number of images that VGG-16 processes together.
const BATCH: usize = 16;

/// Images with distances between them.
pub(super) enum Space {
    /// Points with their Euclidean distances.
    Points(Points),
    /// Style distances of Gram features, and the place of each image among them.
    Style(Kernel, Vec<Option<usize>>),
}

impl Space {
    /// Returns true for each image that can be found.
    pub(super) fn known(&self) -> Vec<bool> {
        match self {
            Self::Points(points) => vec![true; points.len()],
            Self::Style(_, places) => places.iter().map(Option::is_some).collect(),
        }
    }

    /// Returns the `count` images nearest to image `row`, among those for which `may` returns true.
    pub(super) fn nearest(&self, row: usize, count: usize, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let (kernel, places) = match self {
            Self::Points(points) => {
                return points.nearest(row, count, may).into_iter().map(|(other, _)| other).collect();
            }
            Self::Style(kernel, places) => (kernel, places),
        };
        let Some(place) = places[row] else { return Vec::new() };
        let distances: Vec<f64> = kernel.row(place).map(|(distance, _)| distance).collect();
        let others = (0..places.len()).filter(|other| may(*other));
        let mut others: Vec<(f64, usize)> =
            others.filter_map(|other| Some((distances[places[other]?], other))).collect();
        others.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        others.into_iter().take(count).map(|(_, other)| other).collect()
    }
}

/// Style distances, as style_distances computes them with its default weighting.
///
/// # Errors
/// Returns an error if the features cannot be read.
pub(super) fn style(job: &Job, grams: &Path, codes: &Codes) -> Result<Space> {
    let features = Features::all(grams, &Images::read(job.input("pairs")?)?)?;
    let kernel = Kernel::new(&features, "code", |_| ())?;
    let places: HashMap<&str, usize> =
        features.image_ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    Ok(Space::Style(kernel, codes.image_ids.iter().map(|id| places.get(id.as_str()).copied()).collect()))
}

/// Means over positions of VGG-16's features at the five taps. Each tap has the same mean square over the images.
///
/// # Errors
/// Returns an error if an image cannot be read, or the weights are not those of a VGG-16.
pub(super) fn vgg_means(job: &Job, weights: &Path, codes: &Codes) -> Result<Space> {
    let vgg = Vgg::load(weights)?.on(Compute::on_cpu(job, Precision::Fp32));
    let width: usize = CHANNELS.iter().sum();
    let mut means: HashMap<String, Vec<f64>> = HashMap::new();
    read_padded(job.input("pairs")?, &["b"], BATCH, |ids, images| {
        let mut taps = Vec::with_capacity(CHANNELS.len());
        no_grad(|| {
            vgg.each_tap(&normalised(&images[0]), |features| {
                taps.push(features.mean_dim([2i64, 3].as_slice(), false, Kind::Double));
            });
        });
        let taps = taps.iter().map(values::<f64>).collect::<Result<Vec<_>>>()?;
        for (at, id) in ids.iter().enumerate() {
            let of = taps.iter().zip(CHANNELS).map(|(tap, c)| &tap[at * c..(at + 1) * c]);
            means.insert(id.clone(), of.collect::<Vec<_>>().concat());
        }
        Ok(())
    })?;
    let find = |id: &String| means.get(id).with_context(|| format!("image {id} is not among the pairs"));
    let rows = codes.image_ids.iter().map(find).collect::<Result<Vec<_>>>()?;
    let mut all: Vec<f64> = rows.into_iter().flatten().copied().collect();
    let mut first = 0;
    for channels in CHANNELS {
        let squares = all.chunks_exact(width).flat_map(|row| &row[first..first + channels]).map(|v| v * v);
        let scale = (squares.sum::<f64>() / codes.len() as f64).sqrt().max(f64::MIN_POSITIVE);
        let rows = all.chunks_exact_mut(width);
        rows.flat_map(|row| &mut row[first..first + channels]).for_each(|value| *value /= scale);
        first += channels;
    }
    Ok(Space::Points(Points::new(width, all)))
}

/// Histograms of colours with eight bins per channel, as square roots of shares (Hellinger distance).
///
/// # Errors
/// Returns an error if an image cannot be read.
pub(super) fn histograms(job: &Job, codes: &Codes) -> Result<Space> {
    let histogram = |picture: RgbImage| {
        let mut counts = vec![0f64; BINS * BINS * BINS];
        let bin = |value: u8| usize::from(value) * BINS / 256;
        for pixel in picture.pixels() {
            let [red, green, blue] = pixel.0.map(bin);
            counts[(red * BINS + green) * BINS + blue] += 1.0;
        }
        let pixels = picture.pixels().len() as f64;
        Ok(counts.into_iter().map(|count| (count / pixels).sqrt()).collect::<Vec<f64>>())
    };
    let rows = codes.map_styles(job, histogram)?;
    Ok(Space::Points(Points::new(BINS * BINS * BINS, rows.concat())))
}

/// Pixels of images that are reduced to 32 x 32.
///
/// # Errors
/// Returns an error if an image cannot be read.
pub(super) fn pixels(job: &Job, codes: &Codes) -> Result<Space> {
    let reduced = |picture: RgbImage| Ok(resized(picture, PIXELS, PIXELS)?.into_raw());
    let rows = codes.map_styles(job, reduced)?.concat();
    let width = (PIXELS * PIXELS * 3) as usize;
    Ok(Space::Points(Points::new(width, rows.into_iter().map(f64::from).collect())))
}
