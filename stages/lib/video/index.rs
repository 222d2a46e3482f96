//! Index of a video, read from its packets without decoding.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;

use super::{cannot_start, ffmpeg};

/// Frames that the container declares.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Presentation time of every frame in seconds, ascending.
    pub times: Vec<f64>,
    /// True for each frame that can be decoded without earlier frames.
    pub keys: Vec<bool>,
}

/// Reads the packets of the first video stream that is not a cover picture.
///
/// # Errors
/// Returns an error if the file is not a video, or has no frames.
pub(crate) fn index(path: &Path) -> Result<Index> {
    let output = ffmpeg()
        .args(["-loglevel", "error", "-i"])
        .arg(path)
        .args(["-map", "0:V:0", "-c", "copy", "-copyts", "-f", "framecrc", "-"])
        .output()
        .map_err(|error| cannot_start(&error))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("no reason given");
    if !output.status.success() {
        return Err(user_error(
            format!("`{}` is not a readable video: ffmpeg reports `{complaint}`", path.display()),
            "replace the file; `ffmpeg -i FILE` prints details",
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut packets = packets(&text).ok_or_else(|| {
        user_error(
            format!("the container of `{}` does not store the times of its frames", path.display()),
            "copy the video to another container, e.g. `ffmpeg -fflags +genpts -i FILE -c copy FILE.mkv`, or \
             encode the video again",
        )
    })?;
    if packets.is_empty() {
        return Err(user_error(
            format!("`{}` has no frame", path.display()),
            "replace the file with a video that has frames, or remove the file",
        ));
    }
    packets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (times, keys) = packets.into_iter().unzip();
    Ok(Index { times, keys })
}

/// Bit of a packet's flags: its frame needs no earlier frames.
const KEY: u32 = 1;

/// Bit of a packet's flags: its frame is decoded but not shown, because an edit list cuts it off.
const DISCARD: u32 = 4;

/// Times of frames, and true for key frames, from the output of `framecrc`; `None` if times are missing. The
/// output has a header `#tb 0: 1/12800` and lines `stream, dts, pts, duration, size, checksum`, with `F=0x5`
/// if the flags differ from those of a key frame. Frames that are not shown are left out.
fn packets(text: &str) -> Option<Vec<(f64, bool)>> {
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap_or("1/1");
    let (numerator, denominator) = base.trim().split_once('/')?;
    let unit = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    let flags = |line: &str| {
        let field = line.split(',').find_map(|field| field.trim().strip_prefix("F=0x"));
        field.and_then(|field| u32::from_str_radix(field, 16).ok()).unwrap_or(KEY)
    };
    let shown = |line: &&str| flags(line) & DISCARD == 0;
    let packets = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).filter(shown);
    let number = |line: &str| line.split(',').nth(2)?.trim().parse::<i64>().ok();
    // The smallest number represents a missing time. If only some frames have a time, their order is unknown.
    let timeless = packets.clone().filter(|line| number(line) == Some(i64::MIN)).count();
    if timeless > 0 && timeless < packets.clone().count() {
        return None;
    }
    let time = |line: &str| Some(number(line)? as f64 * unit);
    packets.map(|line| Some((time(line)?, flags(line) & KEY != 0))).collect()
}

/// Position of every decoded frame among `times`, by its time; `None` for a second frame at a position.
pub(crate) fn places(times: &[f64], frames: &[(f64, (u32, u32))]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let positions = frames.iter().map(|(time, _)| nearest(times, *time));
    positions.map(|position| taken.insert(position).then_some(position)).collect()
}

/// Position of the time closest to `time`.
fn nearest(times: &[f64], time: f64) -> usize {
    let after = times.partition_point(|t| *t < time);
    let before = after.saturating_sub(1);
    let distance = |i: usize| times.get(i).map_or(f64::INFINITY, |t| (t - time).abs());
    if distance(after) < distance(before) { after } else { before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_from_the_time_base_and_the_packets() {
        let text = "#tb 0: 1/10\n#media_type 0: video\n0, -1, 0, 1, 9, 0xab\n0, 0, 5, 1, 9, 0xcd\n";
        assert_eq!(packets(text), Some(vec![(0.0, true), (0.5, true)]));
        assert_eq!(packets(""), Some(vec![]));
        assert_eq!(
            packets("#tb 0: 1/10\n0, 0, 5, 1, 9, 0xab\n0, 1, -9223372036854775808, 1, 9, 0xab\n"),
            None
        );
    }

    #[test]
    fn frames_that_an_edit_list_cuts_off_are_not_listed() {
        let text =
            "#tb 0: 1/10\n0, 0, 0, 1, 9, 0xab, F=0x5\n0, 1, 1, 1, 9, 0xab, F=0x0\n0, 2, 2, 1, 9, 0xab\n";
        assert_eq!(packets(text), Some(vec![(0.1, false), (0.2, true)]));
    }

    #[test]
    fn a_second_frame_at_an_equal_position_is_not_placed() {
        let frames = [0.0, 0.1, 2.0].map(|time| (time, (64, 32)));
        assert_eq!(places(&[0.0, 1.0, 2.0], &frames), [Some(0), None, Some(2)]);
    }
}
