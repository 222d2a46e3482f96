//! How far style clusters agree with the modes that a stand-in's styles were drawn from.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet::table::read_columns;
use serde_json::{Value, json};

use crate::columns::{read_int32s, read_int64s, read_strings};

/// Clusters beside modes.
pub struct Agreement {
    pub modes: Vec<String>,
    /// By mode, images in each cluster.
    pub images: Vec<Vec<usize>>,
    /// By mode, frames in each cluster: a frame is in that of most of its images.
    pub frames: Vec<Vec<usize>>,
}

impl Agreement {
    /// Compares `clusters` of images of `pairs` with the modes in `factors`.
    ///
    /// # Errors
    /// When a table cannot be read, or an image is of a frame that has no factors.
    pub fn of(clusters: &Path, pairs: &Path, factors: &Path) -> Result<Self> {
        let rows = read_columns(factors, &["frame_index", "mode"])?;
        let modes: HashMap<i64, String> =
            read_int64s(&rows, "frame_index")?.into_iter().zip(read_strings(&rows, "mode")?).collect();
        let rows = read_columns(pairs, &["image_id", "frame_id"])?;
        let frames: HashMap<String, String> =
            read_strings(&rows, "image_id")?.into_iter().zip(read_strings(&rows, "frame_id")?).collect();
        let rows = read_columns(clusters, &["image_id", "cluster"])?;
        let (ids, labels) = (read_strings(&rows, "image_id")?, read_int32s(&rows, "cluster")?);
        let labels = labels.into_iter().map(usize::try_from).collect::<Result<Vec<usize>, _>>()?;
        let width = labels.iter().max().map_or(0, |most| most + 1);
        let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (id, label) in ids.iter().zip(labels) {
            let frame = frames.get(id).with_context(|| format!("image {id} is not among the pairs"))?;
            counts.entry(frame).or_insert_with(|| vec![0; width])[label] += 1;
        }
        let mut by_mode: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
        for (frame, images) in counts {
            let index = frame.rsplit_once('#').and_then(|(_, index)| index.parse().ok());
            let mode = index.and_then(|index| modes.get(&index));
            let mode = mode.with_context(|| format!("frame {frame} has no factors"))?;
            let [all, most] = by_mode.entry(mode).or_insert_with(|| [vec![0; width], vec![0; width]]);
            all.iter_mut().zip(&images).for_each(|(sum, count)| *sum += count);
            most[largest(&images).unwrap_or_default()] += 1;
        }
        let modes = by_mode.keys().map(|mode| (*mode).to_owned()).collect();
        let (images, frames) = by_mode.into_values().map(|[images, frames]| (images, frames)).unzip();
        Ok(Self { modes, images, frames })
    }

    /// What keeps clusters and modes from agreeing, in sentences.
    pub fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        let width = self.images.first().map_or(0, Vec::len);
        for cluster in 0..width {
            let modes = self.modes.iter().zip(&self.images);
            let there = modes.filter(|(_, counts)| largest(counts) == Some(cluster));
            let there: Vec<&str> = there.map(|(mode, _)| mode.as_str()).collect();
            if there.len() > 1 {
                limits.push(format!("cluster {cluster} holds {}", there.join(" and ")));
            }
        }
        for (mode, counts) in self.modes.iter().zip(&self.images) {
            let total: usize = counts.iter().sum();
            let parts = (0..width).filter(|cluster| counts[*cluster] * 10 >= total);
            let parts: Vec<String> = parts.map(|cluster| cluster.to_string()).collect();
            if parts.len() > 1 {
                limits.push(format!("{mode} is spread over clusters {}", parts.join(", ")));
            }
        }
        if mutual_information(&self.frames) > mutual_information(&self.images) {
            limits.push("whole frames agree better: crops also differ by what they show".to_owned());
        }
        limits
    }

    /// For programs.
    pub fn summary(&self) -> Value {
        json!({
            "normalised_mutual_information": mutual_information(&self.images),
            "of_whole_frames": mutual_information(&self.frames),
            "limits": self.limits(),
            "images_by_mode_and_cluster": self.modes.iter().zip(&self.images).collect::<BTreeMap<_, _>>(),
        })
    }
}

/// The cluster with the most images; of several the first.
fn largest(counts: &[usize]) -> Option<usize> {
    (0..counts.len()).rev().max_by_key(|cluster| counts[*cluster])
}

/// Mutual information of two labels by the mean of their entropies, 0 to 1, from how often they meet;
/// 1 if neither label varies.
pub fn mutual_information(counts: &[Vec<usize>]) -> f64 {
    let width = counts.first().map_or(0, Vec::len);
    let rows: Vec<usize> = counts.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<usize> = (0..width).map(|column| counts.iter().map(|row| row[column]).sum()).collect();
    let total = rows.iter().sum::<usize>() as f64;
    let each = entropy(rows.iter(), total) + entropy(columns.iter(), total);
    let shared = 2.0 * (1.0 - entropy(counts.iter().flatten(), total) / each);
    if each == 0.0 { 1.0 } else { shared.clamp(0.0, 1.0) }
}

fn entropy<'a>(counts: impl Iterator<Item = &'a usize>, total: f64) -> f64 {
    let shares = counts.filter(|count| **count > 0).map(|count| *count as f64 / total);
    shares.map(|share| -share * share.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutual_information_is_that_of_scikit_learn() {
        let near = |counts: &[&[usize]], wanted: f64| {
            let counts: Vec<Vec<usize>> = counts.iter().map(|row| row.to_vec()).collect();
            let found = mutual_information(&counts);
            assert!((found - wanted).abs() < 1e-12, "{counts:?}: {found}");
        };
        near(&[&[0, 5], &[3, 0]], 1.0);
        near(&[&[2, 2], &[2, 2]], 0.0);
        near(&[&[4]], 1.0);
        // Independent, and below 0 by rounding.
        let one: Vec<usize> = [6, 2, 4, 5, 4, 3, 9, 2].to_vec();
        let rows: Vec<Vec<usize>> =
            one.iter().map(|a| [3, 8, 4, 1, 4, 9, 9, 8].map(|b| a * b).to_vec()).collect();
        assert!((0.0..1e-12).contains(&mutual_information(&rows)));
        // normalized_mutual_info_score([0,0,0,1,1,2], [0,0,1,1,1,1])
        near(&[&[2, 1], &[0, 2], &[0, 1]], 0.386_253_442_857_130_2);
    }

    #[test]
    fn what_limits_it_names_clusters_of_several_modes_and_modes_in_several_clusters() {
        let of = |images: [[usize; 3]; 3], frames: [[usize; 3]; 3]| Agreement {
            modes: ["dawn", "fog", "night"].map(str::to_owned).to_vec(),
            images: images.map(|row| row.to_vec()).to_vec(),
            frames: frames.map(|row| row.to_vec()).to_vec(),
        };
        let apart = [[9, 0, 0], [0, 9, 0], [0, 0, 9]];
        assert!(of(apart, apart).limits().is_empty());
        let mixed = of([[5, 4, 0], [1, 0, 19], [0, 0, 9]], apart);
        assert_eq!(
            mixed.limits(),
            [
                "cluster 2 holds fog and night",
                "dawn is spread over clusters 0, 1",
                "whole frames agree better: crops also differ by what they show"
            ]
        );
    }
}
