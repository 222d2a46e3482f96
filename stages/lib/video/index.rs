//! Index of a video, read from its packets without decoding.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use anyhow::Result;
use callsheet_worker::user_error;

use super::framecrc::{Entry, Listing, listing};
use super::length::{End, end};
use super::missing_times::fill_times;
use super::payload::{Payload, payloads};
use super::{cannot_start, complaints, ffmpeg};

/// Difference in seconds below which two times belong to one frame, because time bases round.
pub(crate) const SAME_TIME: f64 = 5e-4;

/// Frames and packets that the container declares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Presentation time of every frame in seconds, ascending.
    pub times: Vec<f64>,
    /// True for each frame that can be decoded without earlier frames.
    pub keys: Vec<bool>,
    /// True if the container does not store when frames are shown, so that `times` come from the frame rate. A
    /// decoded frame is then identified by its number only.
    pub numbered: bool,
    /// Packets in the order of decoding.
    pub packets: Vec<Packet>,
    /// Damage of the container or of packets that shows without decoding, in a few words.
    pub damage: Option<String>,
    /// True if the container marks the end of a stream, but this file has no such mark.
    pub open_end: bool,
    /// Name of the codec, e.g. `h264`.
    pub codec: String,
}

/// A packet, which contains one frame.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Time in seconds at which the frame is shown, or at which it is decoded if the first is unknown.
    pub time: f64,
    /// True if the frame needs no earlier frames.
    pub key: bool,
    /// Size in bytes.
    pub size: usize,
    /// True if the packet is complete.
    pub complete: bool,
    /// True if decoding the packet returns a frame: it is not a mere reference.
    pub returns_frame: bool,
    /// Position of the frame among `times`; none for a frame that an edit list hides.
    pub position: Option<usize>,
}

impl Index {
    /// Times by which decoded frames are identified if the container stores none.
    pub(crate) fn counted_times(&self) -> Option<Vec<f64>> {
        self.numbered.then(|| self.times.clone())
    }
}

#[cfg(test)]
impl Index {
    /// Index of a video with one packet of 2,000 bytes per second, given by times of presentation in the order
    /// of decoding, and by the numbers of key packets.
    pub(super) fn of_packets(times: &[f64], keys: &[usize]) -> Self {
        let packet = |(number, time): (usize, &f64)| Packet {
            time: *time,
            key: keys.contains(&number),
            size: 2000,
            complete: true,
            returns_frame: true,
            position: Some(*time as usize),
        };
        Self { packets: times.iter().enumerate().map(packet).collect(), ..Self::default() }
    }
}

/// Reads the packets of the first video stream that is not a cover picture.
///
/// # Errors
/// Returns an error if the file is not a video, has no frames, or stores no times at all.
pub(crate) fn index(path: &Path) -> Result<Index> {
    let output = ffmpeg()
        .args(["-loglevel", "error", "-an", "-sn", "-dn", "-i"])
        .arg(path)
        .args(["-map", "0:V:0", "-c", "copy", "-copyts", "-f", "framecrc", "-"])
        .output()
        .map_err(|error| cannot_start(&error))?;
    let mut listing = listing(&output.stdout);
    if listing.entries.is_empty() {
        return Err(nothing(path, &output));
    }
    let sizes: Vec<usize> = listing.entries.iter().map(|entry| entry.size).collect();
    let payloads = payloads(path, &listing.codec, &sizes)?;
    fill_times(&mut listing);
    let mut index = from_packets(&listing, &payloads).ok_or_else(|| {
        user_error(
            format!(
                "the container of `{}` stores neither the times nor the order of its frames",
                path.display()
            ),
            "encode the video again, e.g. `ffmpeg -i FILE FILE.mkv`",
        )
    })?;
    let end = end(path, &listing.codec, sizes[0])?;
    if end == End::WithinFrame
        && index.codec == "dvvideo"
        && let Some(last) = index.packets.last_mut()
    {
        // ffmpeg fills up the last frame with the bytes of an earlier one.
        last.complete = false;
    }
    index.damage = damage(&output, &listing, &payloads).or_else(|| end.damage());
    index.open_end = end == End::Unmarked;
    Ok(index)
}

/// Error for a file without a packet.
fn nothing(path: &Path, output: &Output) -> anyhow::Error {
    if output.status.success() && output.stderr.is_empty() {
        return user_error(
            format!("`{}` has no frame", path.display()),
            "replace the file with a video that has frames, or remove the file",
        );
    }
    if String::from_utf8_lossy(&output.stderr).contains("matches no streams") {
        return user_error(
            format!("ffmpeg finds no video stream in `{}`", path.display()),
            "replace the file with a video, or remove the file",
        );
    }
    let complaints = complaints(&output.stderr);
    let reason = complaints.first().map_or("no reason given", String::as_str);
    user_error(
        format!("`{}` is not a readable video: ffmpeg reports `{reason}`", path.display()),
        "replace the file; `ffmpeg -i FILE` prints details",
    )
}

fn damage(output: &Output, listing: &Listing, payloads: &[Payload]) -> Option<String> {
    if let Some(complaint) = complaints(&output.stderr).first() {
        // ffmpeg knows the dimensions from the sequence header, with which MPEG-1 and MPEG-2 begin.
        let is_late = complaint.contains("Invalid frame dimensions 0x0");
        let reason = if is_late { "no sequence header precedes its first frame, and " } else { "" };
        return Some(format!("{reason}ffmpeg reports `{complaint}`"));
    }
    if !output.status.success() {
        return Some("ffmpeg could not read it to the end".to_owned());
    }
    let incomplete = listing.entries.iter().filter(|entry| entry.is_corrupt()).count();
    let zeroed = payloads.iter().filter(|payload| payload.zeroed).count();
    let total = listing.entries.len();
    match (incomplete, zeroed) {
        (0, 0) => None,
        (0, zeroed) => Some(format!("{zeroed} of {total} frames are partly overwritten with zeros")),
        (incomplete, _) => Some(format!("{incomplete} of {total} frames are incomplete")),
    }
}

/// Index with the times of presentation, or of decoding if the former are missing for any frame, because the
/// order of frames is then unknown. Returns none if both are missing.
fn from_packets(listing: &Listing, payloads: &[Payload]) -> Option<Index> {
    let returning = || listing.entries.iter().zip(payloads).filter(|(_, payload)| !payload.reference_only);
    let numbered = returning().any(|(entry, _)| entry.shown.is_none());
    let time = |entry: &Entry| if numbered { entry.decoded } else { entry.shown.or(entry.decoded) };
    // Times that are computed begin at 0.
    let begin = if numbered { listing.entries.iter().filter_map(time).min()? } else { 0 };
    let mut packets: Vec<Packet> = Vec::with_capacity(listing.entries.len());
    for (entry, payload) in listing.entries.iter().zip(payloads) {
        packets.push(Packet {
            time: (time(entry)? - begin) as f64 * listing.unit,
            key: entry.is_key(),
            size: entry.size,
            complete: !entry.is_corrupt() && !payload.zeroed,
            returns_frame: !payload.reference_only,
            position: None,
        });
    }
    let is_frame = |number: &usize| packets[*number].returns_frame && !listing.entries[*number].is_hidden();
    let mut frames: Vec<usize> = (0..packets.len()).filter(is_frame).collect();
    frames.sort_by(|a, b| packets[*a].time.total_cmp(&packets[*b].time));
    for (position, packet) in frames.iter().enumerate() {
        packets[*packet].position = Some(position);
    }
    let (times, keys) = frames.iter().map(|packet| (packets[*packet].time, packets[*packet].key)).unzip();
    Some(Index { times, keys, numbered, packets, codec: listing.codec.clone(), ..Index::default() })
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

    fn of(text: &str) -> Option<Index> {
        let listing = listing(text.as_bytes());
        from_packets(&listing, &vec![Payload::default(); listing.entries.len()])
    }

    #[test]
    fn times_come_from_the_time_base_and_the_packets() {
        let index = of("#tb 0: 1/10\n0, -1, 5, 1, 9, 0xab\n0, 0, 0, 1, 9, 0xcd, F=0x0\n").expect("an index");
        assert_eq!((index.times, index.keys, index.numbered), (vec![0.0, 0.5], vec![false, true], false));
        let positions: Vec<_> = index.packets.iter().map(|packet| packet.position).collect();
        assert_eq!(positions, [Some(1), Some(0)]);
    }

    #[test]
    fn frames_whose_order_is_unknown_are_numbered() {
        let missing = i64::MIN;
        let text = format!("#tb 0: 1/10\n0, 0, 5, 1, 9, 0xab\n0, 1, {missing}, 1, 9, 0xab\n");
        let index = of(&text).expect("an index");
        assert_eq!((index.times, index.numbered), (vec![0.0, 0.1], true));
        assert!(of(&format!("#tb 0: 1/10\n0, {missing}, {missing}, 1, 9, 0xab\n")).is_none());
    }

    #[test]
    fn frames_that_an_edit_list_cuts_off_are_not_listed() {
        let text =
            "#tb 0: 1/10\n0, 0, 0, 1, 9, 0xab, F=0x5\n0, 1, 1, 1, 9, 0xab, F=0x0\n0, 2, 2, 1, 9, 0xab\n";
        let index = of(text).expect("an index");
        assert_eq!((index.times, index.keys), (vec![0.1, 0.2], vec![false, true]));
        assert!(index.packets[0].returns_frame && index.packets[0].position.is_none());
    }

    #[test]
    fn a_second_frame_at_an_equal_position_is_not_placed() {
        let frames = [0.0, 0.1, 2.0].map(|time| (time, (64, 32)));
        assert_eq!(places(&[0.0, 1.0, 2.0], &frames), [Some(0), None, Some(2)]);
    }
}
