//! Gram features of many images, read from Parquet in panels that fit in memory.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use callsheet_worker::table::{RowGroup, read_columns, row_groups};
use callsheet_worker::user_error;
use rayon::prelude::*;

use super::{GRAM_COLUMNS, triangle};
use crate::lib::columns::{read_strings, read_vectors};
use crate::lib::data::Images;
use crate::lib::nn::vgg::CHANNELS;
use crate::lib::splits::choose;

/// Largest size of a panel in bytes. A column that is divided into panels is decoded once for each of them, so larger
/// panels are faster to read. Including all other data, 8,000 images need less than 4 GiB.
const PANEL_BYTES: usize = 9 << 28;

/// Number of rows that one thread decodes at a time. A row of the widest column has 0.5 MB.
const ROWS: usize = 32;

/// Table of Gram features, and the images that were selected from it.
pub(crate) struct Features {
    groups: Vec<RowGroup>,
    /// Row keys of the images, in the order of the table.
    pub image_ids: Vec<String>,
    /// Crop index of each image.
    pub crops: Vec<i32>,
    positions: HashMap<String, usize>,
    panel_bytes: usize,
}

/// Some columns of one tap's triangles, for all images.
pub(crate) struct Panel {
    /// Index of the tap.
    pub tap: usize,
    /// Range of entries in the triangle.
    pub entries: Range<usize>,
    /// Unweighted values as stored, image after image.
    pub values: Vec<f32>,
}

impl Features {
    /// Opens a table, and selects its images in `split`.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or no image is in the split.
    pub(crate) fn open(path: &Path, images: &Images, split: &str) -> Result<Self> {
        let features = Self::chosen(path, images, |id| images.is_of(id, split))?;
        if features.image_ids.is_empty() {
            return Err(user_error(
                format!("no image of `{}` is in the split `{split}`", path.display()),
                "check the splits: list_images.val_fraction, or the folders of a dataset of pairs",
            ));
        }
        Ok(features)
    }

    /// Opens a table with its images of all splits.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or has none of the images.
    pub(crate) fn all(path: &Path, images: &Images) -> Result<Self> {
        let features = Self::chosen(path, images, |id| images.crop(id).is_some())?;
        if features.image_ids.is_empty() {
            return Err(user_error(
                format!("`{}` has features of none of the images", path.display()),
                "compute features and codes from the same pairs",
            ));
        }
        Ok(features)
    }

    /// Keeps at most `most` of the images, chosen at random. Of two calls with the same seed, the one that keeps more
    /// images keeps those of the other, too.
    pub(crate) fn reduce(&mut self, most: usize, seed: i64) {
        let kept: HashSet<String> = choose(self.image_ids.iter().map(String::as_str), most, seed)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let images = std::mem::take(&mut self.image_ids).into_iter().zip(std::mem::take(&mut self.crops));
        (self.image_ids, self.crops) = images.filter(|(id, _)| kept.contains(id)).unzip();
        self.positions = self.image_ids.iter().cloned().zip(0..).collect();
    }

    fn chosen(path: &Path, images: &Images, may: impl Fn(&str) -> bool) -> Result<Self> {
        let ids = read_strings(&read_columns(path, &["image_id"])?, "image_id")?;
        let image_ids: Vec<String> = ids.into_iter().filter(|id| may(id)).collect();
        Ok(Self {
            groups: row_groups(path)?,
            crops: image_ids.iter().filter_map(|id| images.crop(id)).collect(),
            positions: image_ids.iter().cloned().zip(0..).collect(),
            image_ids,
            panel_bytes: PANEL_BYTES,
        })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.image_ids.len()
    }

    /// Number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.ranges().len()
    }

    /// Calls `each` with all values, panel by panel, and returns the last panel. If `kept` is a panel that an earlier call
    /// for these features returned, it comes first and is not read again.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or `each` fails.
    pub(crate) fn each_panel(
        &self,
        kept: Option<Panel>,
        mut each: impl FnMut(&Panel) -> Result<()>,
    ) -> Result<Option<Panel>> {
        let mut ranges = self.ranges();
        if let Some(kept) = &kept {
            let known = ranges.len();
            ranges.retain(|(tap, entries)| (*tap, entries) != (kept.tap, &kept.entries));
            let whole = kept.values.len() == self.len() * kept.entries.len();
            anyhow::ensure!(whole && ranges.len() + 1 == known, "the kept panel is one of other features");
            each(kept)?;
        }
        let mut last = kept;
        for (tap, entries) in ranges {
            drop(last.take()); // before the next one is read, so that memory holds one panel
            let values = self.read(tap, &entries)?;
            let panel = Panel { tap, entries, values };
            each(&panel)?;
            last = Some(panel);
        }
        Ok(last)
    }

    /// Sets the size of panels, so that few images need as many panels as many images.
    #[cfg(test)]
    pub(crate) fn set_panel_bytes(&mut self, bytes: usize) {
        self.panel_bytes = bytes;
    }

    fn ranges(&self) -> Vec<(usize, Range<usize>)> {
        let most = (self.panel_bytes / size_of::<f32>() / self.len()).max(1);
        let of_tap = |tap: usize| {
            let width = triangle(CHANNELS[tap]);
            let each = width.div_ceil(width.div_ceil(most));
            (0..width).step_by(each).map(move |start| (tap, start..(start + each).min(width)))
        };
        (0..CHANNELS.len()).flat_map(of_tap).collect()
    }

    fn read(&self, tap: usize, entries: &Range<usize>) -> Result<Vec<f32>> {
        let (column, width) = (GRAM_COLUMNS[tap], triangle(CHANNELS[tap]));
        let mut values = vec![0f32; self.len() * entries.len()];
        let rows: Vec<Mutex<&mut [f32]>> = values.chunks_exact_mut(entries.len()).map(Mutex::new).collect();
        self.groups.par_iter().try_for_each(|group| -> Result<()> {
            group.read_batches(&["image_id", column], ROWS, |batch| -> Result<()> {
                let ids = read_strings(&batch, "image_id")?;
                let triangles = read_vectors(&batch, column)?.chunks_exact(width);
                for (id, triangle) in ids.iter().zip(triangles) {
                    let Some(position) = self.positions.get(id) else { continue };
                    let mut row = rows[*position].lock().unwrap_or_else(PoisonError::into_inner);
                    row.copy_from_slice(&triangle[entries.clone()]);
                }
                Ok(())
            })
        })?;
        Ok(values)
    }
}

/// Positions of the diagonal in the upper triangle of a tap.
pub(super) fn diagonal(tap: usize) -> impl Iterator<Item = usize> {
    let channels = CHANNELS[tap];
    (0..channels).map(move |row| row * channels - row * row.saturating_sub(1) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagonal_of_a_triangle_begins_its_rows() {
        // Rows of 64, 63, 62, .. entries.
        let positions: Vec<usize> = diagonal(0).take(4).collect();
        assert_eq!(positions, [0, 64, 127, 189]);
        assert_eq!(diagonal(0).last(), Some(triangle(64) - 1));
    }
}
