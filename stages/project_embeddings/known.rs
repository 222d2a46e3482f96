//! Ground truth and clusters of the images in a projection, as columns.

use anyhow::Result;
use callsheet_worker::Job;

use crate::lib::codes::Codes;
use crate::lib::codes::factors::{self, FACTORS, Style};

/// Known properties of each image.
pub(super) struct Known {
    /// Names of the images' clusters; empty for an image without one.
    pub clusters: Vec<String>,
    /// Modes of the images' frames; empty if no factors are wired.
    pub modes: Vec<String>,
    /// Factors in the order of [`FACTORS`]; NaN if none are wired.
    pub factors: [Vec<f64>; FACTORS.len()],
}

impl Known {
    /// Reads the tables that are wired to `clusters` and `factors`.
    ///
    /// # Errors
    /// Returns an error if a table cannot be read, or a frame has no factors.
    pub(super) fn read(job: &Job, codes: &Codes) -> Result<Self> {
        let clusters = match job.optional("clusters") {
            Some(path) => codes.clusters(path)?,
            None => vec![None; codes.len()],
        };
        let styles = match job.optional("factors") {
            Some(path) => factors::read(path, &codes.frame_ids)?,
            None => vec![Style { mode: String::new(), factors: [f64::NAN; FACTORS.len()] }; codes.len()],
        };
        Ok(Self {
            clusters: clusters
                .iter()
                .map(|cluster| cluster.map_or_else(String::new, |n| n.to_string()))
                .collect(),
            factors: std::array::from_fn(|n| styles.iter().map(|style| style.factors[n]).collect()),
            modes: styles.into_iter().map(|style| style.mode).collect(),
        })
    }

    /// Returns the groupings that a picture shows, with their names: clusters and modes if known, otherwise
    /// the splits.
    pub(super) fn groups<'a>(&'a self, codes: &'a Codes) -> Vec<(&'static str, &'a [String])> {
        let all = [("cluster", self.clusters.as_slice()), ("mode", self.modes.as_slice())];
        let some = all.into_iter().filter(|(_, groups)| groups.iter().any(|group| !group.is_empty()));
        let some: Vec<_> = some.collect();
        if some.is_empty() { vec![("split", codes.splits.as_slice())] } else { some }
    }
}
