//! The wanted frames of one video.

use std::path::Path;

use anyhow::{Result, ensure};
use callsheet_worker::refusal;
use image::RgbImage;
use serde::Deserialize;

use super::frame::{Decoded as Handed, Wanted};
use super::plan::{Plan, expression, plan};
use crate::lib::video::{Decoded, Decoding, Index, decode, places};

/// Times that differ by less are those of one frame: time bases round.
const SAME_TIME: f64 = 5e-4;

/// Parameters of the stage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    pub height: u32,
    pub deflicker: u32,
}

/// Takes a decoded frame, and its place among the wanted ones.
type Give<'a> = &'a mut dyn FnMut(Handed) -> Result<()>;

/// Hands out the wanted frames in order.
///
/// # Errors
/// When the file is damaged, or a frame has another size than the first.
pub(super) fn extract(
    path: &Path,
    index: &Index,
    wanted: &Wanted,
    params: &Params,
    give: Give,
) -> Result<()> {
    let positions: Vec<usize> = wanted.frames.iter().map(|frame| frame.position).collect();
    let how = Decoding { height: params.height, deflicker: params.deflicker, ..Decoding::default() };
    if wanted.damaged {
        return survivors(path, index, &positions, &Decoding { skip_damaged: true, ..how }, give);
    }
    // Evening out brightness needs the frames before.
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
        // Seeking finds other frames in this file than the container promises.
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

/// Returns true if ffmpeg finds the key frames that the container promises, when it looks for nothing else.
fn keys_are_found(path: &Path, index: &Index) -> Result<bool> {
    let how = Decoding { keys_only: true, height: 16, ..Decoding::default() };
    let decoded = decode(path, &how, |_| Ok(()))?;
    let promised: Vec<f64> =
        index.times.iter().zip(&index.keys).filter(|(_, key)| **key).map(|(time, _)| *time).collect();
    let found = decoded.frames.iter().map(|(time, _)| *time);
    let as_promised = found.zip(&promised).all(|(time, wanted)| (time - wanted).abs() < SAME_TIME);
    Ok(as_promised && decoded.frames.len() == promised.len() && decoded.errors.is_empty())
}

/// The frames `numbers` from position `first` on; none if others were found there.
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
    // After a seek, ffmpeg misses frames that the first ones refer to, where groups of frames are open.
    Ok((as_promised && whole && decoded.errors.is_empty()).then_some(pictures))
}

/// Of a damaged video, the frames that can be decoded: all are, and told apart by their times.
fn survivors(path: &Path, index: &Index, positions: &[usize], how: &Decoding, give: Give) -> Result<()> {
    // Which frames survive is known only when the log of a whole decoding has been read.
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
    ensure!(first.frames == decoded.frames, "{} was decoded differently twice", path.display());
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
    refusal(
        format!(
            "{}: frame {frame} (at {time:.3} s) is {}x{}, the first is {}x{}",
            path.display(),
            size.0,
            size.1,
            first.0,
            first.1
        ),
        "split the video where its size changes, or scale it to one size",
    )
}

fn check_whole(path: &Path, promised: usize, decoded: &Decoded) -> Result<()> {
    let came = decoded.frames.len();
    if decoded.success && decoded.errors.is_empty() && came >= promised {
        return Ok(());
    }
    let said = decoded.errors.first().map(|e| format!("; ffmpeg says `{e}`")).unwrap_or_default();
    Err(damaged(path, &format!("{came} of {promised} frames could be decoded{said}")))
}

fn damaged(path: &Path, how: &str) -> anyhow::Error {
    refusal(
        format!("{} is damaged: {how}", path.display()),
        "replace the file, or set list_frames.skip_unreadable=true to leave damaged frames out",
    )
}

/// Frames are told apart by their number; a decoder that leaves some out must not shift the others.
fn check_times(path: &Path, promised: impl Iterator<Item = f64>, decoded: &Decoded) -> Result<()> {
    let mut pairs = promised.zip(&decoded.frames);
    match pairs.find(|(promised, (time, _))| (promised - time).abs() >= SAME_TIME) {
        None => Ok(()),
        Some((promised, (time, _))) => Err(damaged(
            path,
            &format!("a frame came at {time:.3} s where the container promises one at {promised:.3} s"),
        )),
    }
}
