//! Planted faults, and the findings in the videos that they were planted into.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};

use crate::compare_methods::name;
use crate::lib::columns::{read_float64s, read_int64s, read_strings};

/// Findings of each listed frame.
pub(super) type Listed = BTreeMap<i64, BTreeSet<String>>;

/// Faults planted into a video, and its findings.
pub(super) struct Planting {
    pub video: String,
    /// Name of the planting: the video, and other `foreach` values.
    pub name: String,
    /// Fault and its strength by frame.
    pub faults: BTreeMap<i64, (String, f64)>,
    pub listed: Listed,
    pub listed_before: Listed,
}

/// Reads the plantings; none if no faults are wired.
///
/// # Errors
/// Returns an error if a table cannot be read, or the inputs do not have equally many tables.
pub(super) fn read(job: &Job) -> Result<Vec<Planting>> {
    let Ok(faults) = job.files("faults") else { return Ok(Vec::new()) };
    let findings = job.files("findings")?;
    if findings.paths.len() != faults.paths.len() {
        return Err(user_error(
            format!("`faults` has {} tables, `findings` has {}", faults.paths.len(), findings.paths.len()),
            "wire one table of each input for each video with faults",
        ));
    }
    let tables = faults.paths.iter().zip(&findings.paths).enumerate();
    let planting = |(n, (path, findings)): (usize, (&PathBuf, &PathBuf))| -> Result<Planting> {
        let of_values = faults.values.get(n).map(name);
        let video = of_values.filter(|name| !name.is_empty()).unwrap_or_else(|| "video".to_owned());
        let before = job.optional("findings_before").map(|path| read_findings(path, Some(&video)));
        Ok(Planting {
            name: faults.values.get(n).map_or_else(|| video.clone(), |_| faults.names[n].clone()),
            faults: read_faults(path)?,
            listed: read_findings(findings, None)?,
            listed_before: before.transpose()?.unwrap_or_default(),
            video,
        })
    };
    tables.map(planting).collect()
}

fn read_faults(path: &Path) -> Result<BTreeMap<i64, (String, f64)>> {
    let rows = read_columns(path, &["frame_index", "fault", "strength"])?;
    let faults = read_strings(&rows, "fault")?.into_iter().zip(read_float64s(&rows, "strength")?);
    Ok(read_int64s(&rows, "frame_index")?.into_iter().zip(faults).collect())
}

/// Findings of one video, or of all.
fn read_findings(path: &Path, video: Option<&str>) -> Result<Listed> {
    let rows = read_columns(path, &["frame_id", "finding"])?;
    let mut listed = Listed::new();
    for (id, finding) in read_strings(&rows, "frame_id")?.into_iter().zip(read_strings(&rows, "finding")?) {
        let (of, index) = id.rsplit_once('#').unwrap_or((&id, ""));
        if video.is_some_and(|video| video != of) {
            continue;
        }
        let index = index.parse().ok().with_context(|| {
            format!(
                "the frame {id} of `{}` has no index: planted faults are those of a video",
                path.display()
            )
        })?;
        listed.entry(index).or_default().insert(finding);
    }
    Ok(listed)
}
