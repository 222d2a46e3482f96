//! Target of a run: pipeline, dataset and profile. Results, estimates and reasons of one target never mix with those of
//! another.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the folder that stands for the dataset of a target without one.
pub const NO_DATASET: &str = "_";

/// Target of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Target {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset; empty if there is none.
    pub dataset: String,
    /// Name of the profile; empty if there is none.
    pub profile: String,
}

impl Target {
    /// Target with these names.
    pub fn new(pipeline: &str, dataset: &str, profile: &str) -> Self {
        Self { pipeline: pipeline.to_owned(), dataset: dataset.to_owned(), profile: profile.to_owned() }
    }

    /// Relative path `pipeline/dataset/profile`, without the parts that the target does not have.
    pub fn folder(&self) -> PathBuf {
        let dataset =
            if self.dataset.is_empty() && !self.profile.is_empty() { NO_DATASET } else { &self.dataset };
        [&self.pipeline, dataset, &self.profile].into_iter().filter(|part| !part.is_empty()).collect()
    }

    /// Folder of the links to the target's results, below the folder `data`.
    pub fn out(&self, data: &Path) -> PathBuf {
        data.join("out").join(self.folder())
    }
}

/// Title such as `train on mine, profile small`, without the parts that are empty.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.pipeline)?;
        let named = [(" on ", &self.dataset), (", profile ", &self.profile)];
        named
            .iter()
            .filter(|(_, name)| !name.is_empty())
            .try_for_each(|(word, name)| write!(f, "{word}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_folder_and_a_title_without_missing_parts() {
        let of = |dataset, profile| {
            let target = Target::new("train", dataset, profile);
            (target.folder().display().to_string(), target.to_string())
        };
        assert_eq!(of("", ""), ("train".into(), "train".into()));
        assert_eq!(of("mine", ""), ("train/mine".into(), "train on mine".into()));
        assert_eq!(of("", "small"), ("train/_/small".into(), "train, profile small".into()));
        assert_eq!(of("mine", "small"), ("train/mine/small".into(), "train on mine, profile small".into()));
    }
}
