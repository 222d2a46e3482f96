//! Ground truth and clusters of the images in a projection, as columns.

use anyhow::Result;
use callsheet_worker::Job;

use crate::lib::codes::Codes;
use crate::lib::codes::factors::{self, FACTORS, Style};

/// Known properties of each image.
pub(super) struct Known {
    /// Names of their clusters; empty where there is none.
    pub clusters: Vec<String>,
    /// Modes of their frames; empty where no factors are wired.
    pub modes: Vec<String>,
    /// In the order of [`FACTORS`]; NaN where none are wired.
    pub factors: [Vec<f64>; FACTORS.len()],
}

impl Known {
    /// Reads what is wired to `clusters` and `factors`.
    ///
    /// # Errors
    /// When a table cannot be read, or a frame has no factors.
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

    /// The groups that a picture shows and what they are called: those that there are, else the splits.
    pub(super) fn groups<'a>(&'a self, codes: &'a Codes) -> Vec<(&'static str, &'a [String])> {
        let all = [("cluster", self.clusters.as_slice()), ("mode", self.modes.as_slice())];
        let some = all.into_iter().filter(|(_, groups)| groups.iter().any(|group| !group.is_empty()));
        let some: Vec<_> = some.collect();
        if some.is_empty() { vec![("split", codes.splits.as_slice())] } else { some }
    }
}
