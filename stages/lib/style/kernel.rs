//! Squared distances of all pairs, computed with tiled matrix products.

use std::ops::Range;

use anyhow::Result;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::features::{Features, Panel, diagonal};
use super::tap_factor;
use crate::lib::data::values;

/// Number of columns that are multiplied at a time in float32. Their products are added up in float64.
const TILE: usize = 4096;

/// Number of rows that are multiplied at a time. Entries below the diagonal are skipped block by block.
const BLOCK: i64 = 256;

/// Largest number of images whose mean is the centre. If there are more images, at least half this number is
/// used.
const CENTRED: usize = 256;

/// Assumed error of a squared distance, relative to the sum of the two vectors' squared lengths. Rounding
/// could add up to more. On style features it is about fifty times less, as tests check.
const ERROR: f64 = 1.0 / (1 << 20) as f64;

/// Products of the centred, weighted feature vectors.
pub(crate) struct Kernel {
    n: usize,
    products: Vec<f64>,
}

impl Kernel {
    /// Multiplies the features of all images. Calls `progress` when a panel has been read, and when it has
    /// been multiplied.
    ///
    /// Vectors are centred near their mean. This does not change distances and keeps the products small, so
    /// that few digits cancel. Also returns the last panel, for [`direct::distances`](super::direct::distances).
    ///
    /// # Errors
    /// Returns an error if the features cannot be read.
    pub(crate) fn new(
        features: &Features,
        weighting: &str,
        progress: impl Fn(usize),
    ) -> Result<(Self, Option<Panel>)> {
        let n = features.len();
        let kernel = Tensor::zeros([n as i64, n as i64], (Kind::Double, Device::Cpu));
        let mut done = 0;
        let last = features.each_panel(None, |panel| {
            progress(done + 1);
            let scale = scale(panel, tap_factor(weighting, panel.tap));
            for start in (0..scale.len()).step_by(TILE) {
                let tile = tile(panel, start, &scale[start..scale.len().min(start + TILE)]);
                add_product(&kernel, &tile);
            }
            done += 2;
            progress(done);
            Ok(())
        })?;
        mirror(&kernel);
        Ok((Self { n, products: values(&kernel)? }, last))
    }

    /// Squared distances of image `row` to all images, each with its largest possible error.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let square = |image: usize| self.products[image * self.n + image];
        let own = square(row);
        let products = &self.products[row * self.n..(row + 1) * self.n];
        products.iter().enumerate().map(move |(other, product)| {
            let squares = own + square(other);
            if other == row { (0.0, 0.0) } else { ((squares - 2.0 * product).max(0.0), squares * ERROR) }
        })
    }
}

/// Factors of the entries: `factor` on the diagonal of the triangle, `factor * sqrt(2)` off it.
fn scale(panel: &Panel, factor: f64) -> Vec<f64> {
    let mut scale = vec![factor * 2f64.sqrt(); panel.entries.len()];
    for position in diagonal(panel.tap).filter(|position| panel.entries.contains(position)) {
        scale[position - panel.entries.start] = factor;
    }
    scale
}

/// Columns of a panel from `start` on, centred and weighted: [N, columns].
fn tile(panel: &Panel, start: usize, scale: &[f64]) -> Tensor {
    let (width, columns) = (panel.entries.len(), scale.len());
    let centre = centre(panel, start..start + columns);
    let mut tile = vec![0f32; panel.values.len() / width * columns];
    let whole = panel.values.par_chunks_exact(width);
    tile.par_chunks_exact_mut(columns).zip(whole).for_each(|(tile, row)| {
        let row = &row[start..];
        for (((out, value), centre), scale) in tile.iter_mut().zip(row).zip(&centre).zip(scale) {
            *out = ((f64::from(*value) - centre) * scale) as f32;
        }
    });
    Tensor::from_slice(&tile).view([-1, columns as i64])
}

/// Mean of the columns over at most [`CENTRED`] images.
fn centre(panel: &Panel, columns: Range<usize>) -> Vec<f64> {
    let width = panel.entries.len();
    let rows = panel.values.len() / width;
    let every = rows.div_ceil(CENTRED);
    let mut means = vec![0f64; columns.len()];
    means.par_chunks_mut(64).enumerate().for_each(|(chunk, means)| {
        for row in panel.values.chunks_exact(width).step_by(every) {
            let values = &row[columns.start + chunk * 64..];
            means.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        means.iter_mut().for_each(|sum| *sum /= rows.div_ceil(every) as f64);
    });
    means
}

/// Adds the products of a tile's rows, for blocks on and above the diagonal.
fn add_product(kernel: &Tensor, tile: &Tensor) {
    let n = tile.size()[0];
    for first in (0..n).step_by(BLOCK as usize) {
        let rows = BLOCK.min(n - first);
        let product = tile.narrow(0, first, rows).matmul(&tile.narrow(0, first, n - first).tr());
        let _ = kernel.narrow(0, first, rows).narrow(1, first, n - first).g_add_(&product);
    }
}

/// Fills in the entries below the diagonal.
fn mirror(kernel: &Tensor) {
    let n = kernel.size()[0];
    let part = |row: i64, column: i64| {
        kernel.narrow(0, row, BLOCK.min(n - row)).narrow(1, column, BLOCK.min(n - column))
    };
    for (first, second) in blocks(n) {
        let above = part(first, second);
        if first == second {
            // The two halves of a block on the diagonal differ at most in rounding, so the upper one is used
            // for both.
            let (upper, lower) = (above.triu(0), above.triu(1).tr());
            part(first, first).copy_(&(upper + lower));
        } else {
            part(second, first).copy_(&above.tr());
        }
    }
}

fn blocks(n: i64) -> impl Iterator<Item = (i64, i64)> {
    let starts = move || (0..n).step_by(BLOCK as usize);
    starts().flat_map(move |first| starts().filter(move |second| *second >= first).map(move |s| (first, s)))
}
