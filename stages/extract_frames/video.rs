//! Decoding of selected frames of one video.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use image::RgbImage;
use serde::Deserialize;

use super::frame::{Decoded as Handed, SelectedFrames};
use super::plan::{Plan, plan};
use crate::lib::video::{
    Decoded, Decoding, Index, Part, SAME_TIME, damage, damaged, decode, expression, intact_parts, shown_part,
};

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
    let how = Decoding {
        height: params.height,
        deflicker: params.deflicker,
        counted_times: index.counted_times(),
        ..Decoding::default()
    };
    if wanted.damaged {
        return frames_of_parts(path, index, intact_parts(path, index)?, &positions, &how, give);
    }
    // Deflickering needs the preceding frames.
    let plan = if params.deflicker > 1 { Plan::Whole } else { plan(index, &positions) };
    let mut first = 0;
    if let Plan::Passages(passages) = &plan
        && index.damage.is_none()
    {
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
    let frames: Vec<(usize, usize)> = (first..positions.len())
        .map(|place| (seen.partition_point(|seen| *seen < positions[place]), place))
        .collect();
    let mut given = first;
    let decoded = pick(path, &Decoding { keys_only, ..how.clone() }, &frames, &mut |frame| {
        given += 1;
        give(frame)
    })?;
    check_sizes(path, &decoded)?;
    let Some(damage) = damage(index, seen.iter().map(|position| index.times[*position]), &decoded) else {
        return Ok(());
    };
    let Some(part) = shown_part(path, index, &decoded)? else { return Err(damaged(path, &damage)) };
    let mut rest = |(place, picture)| if place < given { Ok(()) } else { give((place, picture)) };
    frames_of_parts(path, index, vec![part], &positions, &how, &mut rest)
}

/// Decodes frames, each given by its number among the decoded frames and its place among the frames to extract.
fn pick(path: &Path, how: &Decoding, frames: &[(usize, usize)], give: Give) -> Result<Decoded> {
    let numbers: Vec<usize> = frames.iter().map(|(number, _)| *number).collect();
    let select = expression(&numbers);
    let how = Decoding { select: select.clone().unwrap_or_default(), ..how.clone() };
    let (mut number, mut left) = (0, frames.iter());
    let mut next = left.next();
    decode(path, &how, |picture| {
        if let Some((wanted, place)) = next
            && (select.is_some() || *wanted == number)
        {
            give((*place, picture))?;
            next = left.next();
        }
        number += 1;
        Ok(())
    })
}

/// Returns true if ffmpeg, decoding only key frames, finds those that the container declares.
fn keys_are_found(path: &Path, index: &Index) -> Result<bool> {
    let how = Decoding { keys_only: true, ..Decoding::check() };
    let decoded = decode(path, &how, |_| Ok(()))?;
    let promised: Vec<f64> =
        index.times.iter().zip(&index.keys).filter(|(_, key)| **key).map(|(time, _)| *time).collect();
    let found = decoded.frames.iter().map(|(time, _)| *time);
    let as_promised = found.zip(&promised).all(|(time, wanted)| (time - wanted).abs() < SAME_TIME);
    Ok(as_promised && decoded.frames.len() == promised.len() && decoded.damage().is_none())
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
    Ok((as_promised && whole && decoded.damage().is_none()).then_some(pictures))
}

/// Passes on frames of a damaged video from its intact parts.
fn frames_of_parts(
    path: &Path,
    index: &Index,
    parts: Vec<Part>,
    positions: &[usize],
    how: &Decoding,
    give: Give,
) -> Result<()> {
    let mut size = None;
    for part in parts {
        let place = |position: &Option<usize>| positions.binary_search(&(*position)?).ok();
        let frames: Vec<(usize, usize)> = part
            .positions
            .iter()
            .enumerate()
            .filter_map(|(number, position)| Some((number, place(position)?)))
            .collect();
        if frames.is_empty() {
            continue;
        }
        let how = Decoding { part: Some(part.clone()), ..how.clone() };
        let decoded = pick(path, &how, &frames, &mut |(place, picture)| {
            let first = *size.get_or_insert(picture.dimensions());
            ensure_size(path, positions[place], index, picture.dimensions(), first)?;
            give((place, picture))
        })?;
        check_sizes(path, &decoded)?;
        if let Some(damage) = decoded.damage_of(&part) {
            return Err(damaged(path, &format!("ffmpeg reports `{damage}`")));
        }
    }
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
