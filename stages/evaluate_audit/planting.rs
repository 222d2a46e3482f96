//! Planted faults, and the findings in the videos that they were planted into.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};

use crate::lib::columns::{read_float64s, read_int64s, read_strings};

/// Findings of each listed frame.
pub(super) type Listed = BTreeMap<i64, BTreeSet<String>>;

/// A planted fault.
pub(super) struct Fault {
    pub kind: String,
    pub strength: f64,
    /// Its frames that were audited.
    pub frames: Vec<i64>,
}

/// Faults planted into a video, and its findings.
pub(super) struct Planting {
    pub video: String,
    /// `foreach` values of the planting.
    pub name: String,
    /// Number of audited frames.
    pub frames: usize,
    pub faults: Vec<Fault>,
    pub listed: Listed,
    /// Findings in the video without planted faults.
    pub listed_before: Rc<Listed>,
}

/// Reads the plantings; none if no faults are wired.
///
/// # Errors
/// Returns an error if a table cannot be read, or the inputs are not those of the same plantings.
pub(super) fn read(job: &Job) -> Result<Vec<Planting>> {
    let Ok(faults) = job.files("faults") else { return Ok(Vec::new()) };
    let (findings, measures) = (job.files("findings")?, job.files("measures")?);
    for (name, input) in [("findings", findings), ("measures", measures)] {
        if input.paths.len() != faults.paths.len() || input.values != faults.values {
            return Err(user_error(
                format!("`faults` is of {}, `{name}` of {}", faults.names.join(", "), input.names.join(", ")),
                "wire one table of each input for each planting",
            ));
        }
    }
    let mut before = job.optional("findings_before").map(findings_by_video).transpose()?.unwrap_or_default();
    let mut plantings = Vec::with_capacity(faults.paths.len());
    for (n, path) in faults.paths.iter().enumerate() {
        let frames = frames(&measures.paths[n])?;
        let video = faults.values.get(n).and_then(|values| values.get("video")?.as_str());
        // Without plantings in several videos, all findings are those of the only video.
        let of = before.keys().next().filter(|_| video.is_none() && before.len() == 1).cloned();
        let key = video.map(str::to_owned).or(of).unwrap_or_default();
        plantings.push(Planting {
            video: video.unwrap_or("video").to_owned(),
            name: faults.names.get(n).cloned().unwrap_or_default(),
            faults: read_faults(path, &frames)?,
            frames: frames.len(),
            listed: findings_by_video(&findings.paths[n])?
                .into_values()
                .next()
                .map(Rc::unwrap_or_clone)
                .unwrap_or_default(),
            listed_before: before.entry(key).or_default().clone(),
        });
    }
    Ok(plantings)
}

/// Indices of the audited frames.
fn frames(path: &Path) -> Result<BTreeSet<i64>> {
    let ids = read_strings(&read_columns(path, &["frame_id"])?, "frame_id")?;
    ids.iter().map(|id| Ok(place(id, path)?.1)).collect()
}

/// Reads faults, without frames that were not audited.
fn read_faults(path: &Path, audited: &BTreeSet<i64>) -> Result<Vec<Fault>> {
    let rows = read_columns(path, &["frame_index", "first_frame", "fault", "strength"])?;
    let (frames, firsts) = (read_int64s(&rows, "frame_index")?, read_int64s(&rows, "first_frame")?);
    let (kinds, strengths) = (read_strings(&rows, "fault")?, read_float64s(&rows, "strength")?);
    let mut faults: BTreeMap<i64, Fault> = BTreeMap::new();
    for (row, frame) in frames.iter().enumerate().filter(|(_, frame)| audited.contains(frame)) {
        let fault = Fault { kind: kinds[row].clone(), strength: strengths[row], frames: Vec::new() };
        faults.entry(firsts[row]).or_insert(fault).frames.push(*frame);
    }
    Ok(faults.into_values().collect())
}

/// Findings of each video.
fn findings_by_video(path: &Path) -> Result<BTreeMap<String, Rc<Listed>>> {
    let rows = read_columns(path, &["frame_id", "finding"])?;
    let mut videos: BTreeMap<String, Listed> = BTreeMap::new();
    for (id, finding) in read_strings(&rows, "frame_id")?.iter().zip(read_strings(&rows, "finding")?) {
        let (video, index) = place(id, path)?;
        videos.entry(video.to_owned()).or_default().entry(index).or_default().insert(finding);
    }
    Ok(videos.into_iter().map(|(video, listed)| (video, Rc::new(listed))).collect())
}

/// Video of a frame, and its index.
fn place<'a>(id: &'a str, path: &Path) -> Result<(&'a str, i64)> {
    let place = id.rsplit_once('#').and_then(|(video, index)| Some((video, index.parse().ok()?)));
    place.with_context(|| {
        format!("the frame {id} of `{}` has no index: planted faults are those of a video", path.display())
    })
}
