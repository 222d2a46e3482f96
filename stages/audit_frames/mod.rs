//! Quality findings: frames that a curator should look at, with scores and reasons.

mod blurred;
mod duplicate;
mod exposure;
mod finding;
mod frame;
mod frozen;
mod outlying;
mod params;
mod robust;
#[cfg(test)]
mod tests;

use anyhow::Result;

use callsheet_worker::Job;
use finding::{Finding, finding_schema, to_batch};
use frame::{Frame, read_frames};
use params::Params;

/// Runs the stage.
///
/// # Errors
/// Returns an error if the measures cannot be read.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let frames = read_frames(job.input("measures")?)?;
    let findings = audit(&frames, &params, |done| job.progress(done, frames.len(), "frames"));
    let mut table = job.table("findings", finding_schema())?;
    table.write(&to_batch(&findings)?)?;
    Ok(table.finish()?)
}

/// Returns the findings, sorted by frame and kind. `frames` are in the order of their videos and times.
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
