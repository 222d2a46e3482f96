//! Decoding of selected frames of one video.

use std::path::Path;

use anyhow::{Result, ensure};
use callsheet_worker::user_error;
use image::RgbImage;
use serde::Deserialize;

use super::frame::{Decoded as Handed, SelectedFrames};
use super::plan::{Plan, expression, plan};
use crate::lib::video::{Decoded, Decoding, Index, decode, places};

/// Difference in seconds below which two times belong to one frame, because time bases round.
const SAME_TIME: f64 = 5e-4;

/// Parameters of the stage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    pub height: u32,
    pub deflicker: u32,
}

/// Function that takes a decoded frame, with its place among the frames to extract.
type Give<'a> = &'a mut dyn FnMut(Handed) -> Result<()>;

/// Passes the frames to extract to `give`, in order.
///
/// # Errors
/// Returns an error if the file is damaged, or a frame differs in size from the first.
pub(super) fn extract(
    path: &Path,
    index: &Index,
    wanted: &SelectedFrames,
    params: &Params,
    give: Give,
) -> Result<()> {
    let positions: Vec<usize> = wanted.frames.iter().map(|frame| frame.position).collect();
    let how = Decoding { height: params.height, deflicker: params.deflicker, ..Decoding::default() };
    if wanted.damaged {
        return survivors(path, index, &positions, &Decoding { skip_damaged: true, ..how }, give);
    }
    // Deflickering needs the preceding frames.
    let plan = if params.deflicker > 1 { Plan::Whole } else { plan(index, &positions) };
    let mut first = 0;
    if let Plan::Passages(passages) = &plan {
        let mut size = None;
        for passage in passages {
            let end = first + positions[first..].partition_point(|position| position <= passage.end());
            let numbers: Vec<usize> = positions[first..end].iter().map(|p| p - passage.start()).collect();
            let Some(pictures) = passage_at(path, index, *passage.start(), &numbers, &how)? else { break };
            for (picture, place) in pictures.into_iter().zip(first..) {
                let wanted = *size.get_or_insert(picture.dimensions());
                ensure_size(path, positions[place], index, picture.dimensions(), wanted)?;
                give((place, picture))?;
            }
            first = end;
        }
        if first == positions.len() {
            return Ok(());
        }
        // Seeking found other frames than the container declares, so the rest is decoded without it.
    }
    let keys_only = plan == Plan::Keys && keys_are_found(path, index)?;
    let seen: Vec<usize> =
        (0..index.times.len()).filter(|position| !keys_only || index.keys[*position]).collect();
    let numbers: Vec<usize> =
        positions[first..].iter().map(|position| seen.partition_point(|seen| seen < position)).collect();
    let select = expression(&numbers);
    let how = Decoding { keys_only, select: select.clone().unwrap_or_default(), ..how };
    let (mut number, mut place) = (0, first);
    let decoded = decode(path, &how, |picture| {
        let handed = select.is_some() || numbers.get(place - first) == Some(&number);
        number += 1;
        if handed && place < positions.len() {
            give((place, picture))?;
            place += 1;
        }
        Ok(())
    })?;
    check_sizes(path, &decoded)?;
    check_whole(path, seen.len(), &decoded)?;
    check_times(path, seen.iter().map(|position| index.times[*position]), &decoded)
}

/// Returns true if ffmpeg, decoding only key frames, finds those that the container declares.
fn keys_are_found(path: &Path, index: &Index) -> Result<bool> {
    let how = Decoding { keys_only: true, height: 16, ..Decoding::default() };
    let decoded = decode(path, &how, |_| Ok(()))?;
    let promised: Vec<f64> =
        index.times.iter().zip(&index.keys).filter(|(_, key)| **key).map(|(time, _)| *time).collect();
    let found = decoded.frames.iter().map(|(time, _)| *time);
    let as_promised = found.zip(&promised).all(|(time, wanted)| (time - wanted).abs() < SAME_TIME);
    Ok(as_promised && decoded.frames.len() == promised.len() && decoded.errors.is_empty())
}

/// Decodes the frames `numbers`, counted from position `first`. Returns none if ffmpeg found other frames
/// there.
fn passage_at(
    path: &Path,
    index: &Index,
    first: usize,
    numbers: &[usize],
    how: &Decoding,
) -> Result<Option<Vec<RgbImage>>> {
    let frames = numbers.last().map_or(0, |last| last + 1);
    let how = Decoding {
        from: Some(index.times[first] - SAME_TIME),
        frames: Some(frames),
        select: expression(numbers).unwrap_or_default(),
        ..how.clone()
    };
    let mut pictures = Vec::with_capacity(numbers.len());
    let decoded = decode(path, &how, |picture| {
        pictures.push(picture);
        Ok(())
    })?;
    let found = decoded.frames.iter().map(|(time, _)| *time);
    let as_promised =
        found.zip(&index.times[first..]).all(|(time, wanted)| (time - wanted).abs() < SAME_TIME);
    let whole = decoded.frames.len() == frames && pictures.len() == numbers.len();
    // With open groups of pictures, the first frames after a seek refer to frames that were not decoded.
    Ok((as_promised && whole && decoded.errors.is_empty()).then_some(pictures))
}

/// Passes on the frames of a damaged video that can be decoded. They are identified by their times.
fn survivors(path: &Path, index: &Index, positions: &[usize], how: &Decoding, give: Give) -> Result<()> {
    // The surviving frames are known only from the log of a complete decoding.
    let first = decode(path, how, |_| Ok(()))?;
    let survivors = places(&index.times, &first.frames);
    let mut number = 0;
    let decoded = decode(path, how, |picture| {
        let position = survivors.get(number).copied().flatten();
        number += 1;
        match position.and_then(|position| positions.binary_search(&position).ok()) {
            Some(place) => give((place, picture)),
            None => Ok(()),
        }
    })?;
    check_sizes(path, &decoded)?;
    ensure!(first.frames == decoded.frames, "two decodings of `{}` differ", path.display());
    Ok(())
}

fn check_sizes(path: &Path, decoded: &Decoded) -> Result<()> {
    let Some((_, first)) = decoded.frames.first() else { return Ok(()) };
    let Some(other) = decoded.frames.iter().position(|(_, size)| size != first) else { return Ok(()) };
    let (time, size) = decoded.frames[other];
    Err(size_changes(path, other, time, size, *first))
}

fn ensure_size(
    path: &Path,
    position: usize,
    index: &Index,
    size: (u32, u32),
    first: (u32, u32),
) -> Result<()> {
    if size == first { Ok(()) } else { Err(size_changes(path, position, index.times[position], size, first)) }
}

fn size_changes(path: &Path, frame: usize, time: f64, size: (u32, u32), first: (u32, u32)) -> anyhow::Error {
    user_error(
        format!(
            "frame {frame} of `{}` (at {time:.3} s) has {}x{} pixels, but an earlier frame has {}x{}",
            path.display(),
            size.0,
            size.1,
            first.0,
            first.1
        ),
        "split the video where its frame size changes, or scale all frames to one size",
    )
}

fn check_whole(path: &Path, promised: usize, decoded: &Decoded) -> Result<()> {
    let came = decoded.frames.len();
    if decoded.success && decoded.errors.is_empty() && came >= promised {
        return Ok(());
    }
    let said = decoded.errors.first().map(|e| format!("; ffmpeg reports `{e}`")).unwrap_or_default();
    let how = format!("ffmpeg could not decode all of it and returned {came} of {promised} frames{said}");
    Err(damaged(path, &how))
}

fn damaged(path: &Path, how: &str) -> anyhow::Error {
    user_error(
        format!("`{}` is damaged: {how}", path.display()),
        "replace the file, or set list_frames.skip_unreadable = true to leave damaged frames out",
    )
}

/// Checks the times of the decoded frames. Frames are identified by their number, so a frame that the decoder
/// left out would shift all later ones.
fn check_times(path: &Path, promised: impl Iterator<Item = f64>, decoded: &Decoded) -> Result<()> {
    let mut pairs = promised.zip(&decoded.frames);
    match pairs.find(|(promised, (time, _))| (promised - time).abs() >= SAME_TIME) {
        None => Ok(()),
        Some((promised, (time, _))) => Err(damaged(
            path,
            &format!("a frame was decoded at {time:.3} s, but the container declares it at {promised:.3} s"),
        )),
    }
}
