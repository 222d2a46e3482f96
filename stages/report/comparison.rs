//! What methods come to, as a page shows it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use callsheet::table::read_columns;
use serde::Serialize;

use crate::columns::{read_float64s, read_int32s, read_strings};
use crate::compare_methods::UNTRAINED;

/// Metrics shown: column, unit, whether more is better, decimals.
pub const SHOWN: [(&str, &str, bool, usize); 5] = [
    ("psnr", "PSNR (dB)", true, 2),
    ("ssim", "SSIM", true, 3),
    ("l1", "L1 (of 255)", false, 2),
    ("perceptual", "perceptual loss", false, 4),
    ("distance", "", false, 3), // it has a name of its own
];

/// Methods measured on the same images.
#[derive(Serialize)]
pub struct Comparison {
    /// Images.
    pub images: i32,
    /// What the distance is called.
    pub distance_name: String,
    /// Where its network comes from.
    pub distance_weights: String,
    /// In the table's order.
    pub methods: Vec<Method>,
}

/// One of them.
#[derive(Serialize)]
pub struct Method {
    /// What it is.
    pub name: String,
    /// Images remade exactly.
    pub identical: i32,
    /// By metric of [`SHOWN`].
    pub figures: BTreeMap<&'static str, Figure>,
}

/// A mean over images, and the ends of its interval: no numbers where there are none.
#[derive(Clone, Copy, Serialize)]
pub struct Figure {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Comparison {
    /// Reads the table that compare_methods made.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let rows = read_columns(path, &[])?;
        let (names, trainings) = (read_strings(&rows, "method")?, read_strings(&rows, "training")?);
        let images = read_int32s(&rows, "images")?.first().copied().unwrap_or_default();
        let distance = ["distance_name", "distance_weights"].map(|name| read_strings(&rows, name));
        let [distance_name, distance_weights] =
            distance.map(|names| names.map(|names| names.into_iter().next().unwrap_or_default()));
        let identical = read_int32s(&rows, "identical")?;
        let mut columns = Vec::with_capacity(SHOWN.len());
        for (metric, ..) in SHOWN {
            let [mean, low, high] =
                ["", "_low", "_high"].map(|end| read_float64s(&rows, &format!("{metric}{end}")));
            columns.push((metric, [mean?, low?, high?]));
        }
        let method = |(n, (name, training)): (usize, (String, String))| {
            let figure = |(metric, [mean, low, high]): &(&'static str, [Vec<f64>; 3])| {
                (*metric, Figure { mean: mean[n], low: low[n], high: high[n] })
            };
            let parts = [name, if training == UNTRAINED { String::new() } else { training }];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let figures = columns.iter().map(figure).collect();
            Method { name: parts.join(", "), identical: identical[n], figures }
        };
        let methods = names.into_iter().zip(trainings).enumerate().map(method).collect();
        Ok(Self { images, distance_name: distance_name?, distance_weights: distance_weights?, methods })
    }
}
