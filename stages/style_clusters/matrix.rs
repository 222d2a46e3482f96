//! Distances between all images.

use std::path::Path;

use anyhow::{Result, ensure};
use arrow::array::AsArray;
use arrow::datatypes::Float32Type;
use callsheet_worker::table::{read_batches, row_count};
use rayon::prelude::*;

use crate::lib::columns::read_strings;

/// Squared distances of all pairs of points.
pub(super) struct Matrix {
    n: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Returns the squared distances of points on a line.
    #[cfg(test)]
    pub(super) fn of_line(points: &[f32]) -> Self {
        let values = points.iter().flat_map(|a| points.iter().map(move |b| (a - b) * (a - b)));
        Self { n: points.len(), values: values.collect() }
    }

    /// Reads the ids of the images and their distances from the table of `style_distances`.
    ///
    /// # Errors
    /// Returns an error if the table cannot be read, or is not square.
    pub(super) fn read(path: &Path) -> Result<(Vec<String>, Self)> {
        let n = row_count(path)? as usize;
        let (mut ids, mut values) = (Vec::with_capacity(n), Vec::with_capacity(n * n));
        read_batches(path, &["image_id", "distances"], 256, |rows| -> Result<()> {
            ids.extend(read_strings(&rows, "image_id")?);
            let lists = rows["distances"].as_list::<i32>();
            for row in lists.iter().flatten() {
                ensure!(
                    row.len() == n,
                    "`{}`: a row has {} distances, for {n} images",
                    path.display(),
                    row.len()
                );
                values.extend_from_slice(row.as_primitive::<Float32Type>().values());
            }
            Ok(())
        })?;
        ensure!(values.len() == n * n, "`{}`: distances are missing", path.display());
        Ok((ids, Self { n, values }))
    }

    /// Returns the matrix of the values that `of` computes from row, column and value.
    pub(super) fn map(&self, of: impl Fn(usize, usize, f32) -> f32 + Sync) -> Self {
        let row = |(i, row): (usize, &[f32])| -> Vec<f32> {
            row.iter().enumerate().map(|(j, value)| of(i, j, *value)).collect()
        };
        let values = self.values.par_chunks(self.n).enumerate().flat_map_iter(row).collect();
        Self { n: self.n, values }
    }

    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// Squared distances of a point to all points.
    pub(super) fn row(&self, point: usize) -> &[f32] {
        &self.values[point * self.n..(point + 1) * self.n]
    }
}
