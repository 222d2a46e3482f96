//! Quality findings: frames that a curator should look at, with scores and reasons.

mod blurred;
mod duplicate;
mod exposure;
mod finding;
mod frame;
mod frozen;
mod outlying;
mod robust;
#[cfg(test)]
mod tests;

use anyhow::Result;
use serde::Deserialize;

use crate::worker::Context;
use finding::{Finding, finding_schema, to_batch};
use frame::{Frame, read_frames};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    black_share: f64,
    clipped_high_share: f64,
    clipped_low_share: f64,
    window: usize,
    blurred_deviations: f64,
    outlying_deviations: f64,
    neighbours: usize,
    still_level: f64,
    hash_distance: u32,
    frozen_frames: usize,
}

/// Runs the stage.
///
/// # Errors
/// When the measures cannot be read.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let frames = read_frames(context.input("measures")?)?;
    let findings = audit(&frames, &params, |done| context.progress(done, frames.len(), "frames"));
    let mut table = context.table("findings", finding_schema())?;
    table.write(&to_batch(&findings)?)?;
    Ok(table.finish()?)
}

/// What is found of frames in the order of their videos and times, by frame and finding.
fn audit<'a>(frames: &'a [Frame], params: &Params, mut progress: impl FnMut(usize)) -> Vec<Finding<'a>> {
    let (mut findings, mut done) = (Vec::new(), 0);
    let mut shown: Vec<&Frame> = Vec::with_capacity(frames.len());
    for video in frames.chunk_by(|a, b| a.video == b.video) {
        let start = shown.len();
        for frame in video {
            match exposure::black(frame, params) {
                Some(finding) => findings.push(finding),
                None => shown.push(frame),
            }
        }
        let video_shown = &shown[start..];
        findings.extend(video_shown.iter().filter_map(|frame| exposure::clipped(frame, params)));
        findings.extend(blurred::blurred(video_shown, params));
        findings.extend(frozen::frozen(video_shown, params));
        findings.extend(outlying::outlying(video_shown, params));
        done += video.len();
        progress(done);
    }
    findings.extend(duplicate::duplicates(&shown));
    findings.sort_by(|a, b| (&a.frame.frame_id, a.kind).cmp(&(&b.frame.frame_id, b.kind)));
    findings
}
