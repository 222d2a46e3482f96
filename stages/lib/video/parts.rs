//! Parts of a damaged video that decode without an error.
//!
//! An error of a decoder is logged at any time, and later frames refer to the damaged one. Therefore parts of
//! the video are decoded alone: a part is intact if ffmpeg decodes it without a complaint and returns all of
//! its frames. Parts begin with a key frame, so that no frame refers to a frame outside of its part.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use anyhow::Result;

use super::part::Part;
use super::suspects::{gaps, suspicious};
use super::{Decoded, Decoding, Index, SAME_TIME, decode};

/// Finds the intact parts of a video, in order. The frames from a damaged one up to the next key frame are in
/// no part, and frames that are stored directly before damage are not used.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started.
pub(crate) fn intact_parts(path: &Path, index: &Index) -> Result<Vec<Part>> {
    let search = Search { path, index, groups: groups(index) };
    let mut found = Vec::new();
    search.halve(0..search.groups.len(), &mut found)?;
    let mut parts: Vec<Part> = Vec::with_capacity(found.len());
    let mut suspects: BTreeSet<usize> =
        gaps(index).into_iter().flat_map(|packet| suspicious(index, packet)).collect();
    let mut end = 0;
    for Found { groups, damage, part } in found {
        if let Some(damage) = damage {
            suspects.extend(suspicious(index, damage));
        }
        let Some(part) = part else { continue };
        if groups.start > 0 && groups.start == end {
            parts.extend(search.bridge(groups.start)?);
        }
        end = groups.end;
        parts.push(part);
    }
    let positions = parts.iter_mut().flat_map(|part| &mut part.positions);
    positions.filter(|position| position.is_some_and(|p| suspects.contains(&p))).for_each(|p| *p = None);
    Ok(parts)
}

/// Returns the part with all frames that an edit list shows if it is intact although an error was logged while the
/// file was decoded: the error then concerns hidden frames, or references to frames before the file's beginning.
/// Returns none if no frame is hidden, or if frames in `decoded` were decoded at other times.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started.
pub(crate) fn shown_part(path: &Path, index: &Index, decoded: &Decoded) -> Result<Option<Part>> {
    let hides = index.packets.iter().any(|packet| packet.returns_frame && packet.position.is_none());
    let mut times = index.times.iter().zip(&decoded.frames);
    if !hides || index.damage.is_some() || times.any(|(time, (came, _))| (time - came).abs() >= SAME_TIME) {
        return Ok(None);
    }
    let search = Search { path, index, groups: groups(index) };
    let is_shown = |packet: usize| index.packets[packet].position.is_some();
    let shows = |group: &Range<usize>| group.clone().any(is_shown);
    let first = search.groups.iter().position(shows).unwrap_or_default();
    let end = search.groups.iter().rposition(shows).map_or(0, |last| last + 1);
    let refers_back =
        search.groups[first].clone().any(|packet| search.leads(first, packet) && is_shown(packet));
    let first = first.saturating_sub(usize::from(refers_back));
    let packets = search.packets(first..end);
    let is_whole = |part: &Part| part.positions.iter().flatten().count() == index.times.len();
    let Some(mut part) = Part::of(index, &packets, |_| true).filter(is_whole) else { return Ok(None) };
    part.after_hidden = true;
    let Some(excused) = search.complaints(&part)? else { return Ok(None) };
    // Only frames that follow the beginning may unreference frames that were not decoded.
    let beginning = Part::of(index, &search.packets(first..end.min(first + 2)), |_| true);
    let Some(mut beginning) = beginning else { return Ok(None) };
    beginning.after_hidden = true;
    let is_excused = excused == 0 || search.complaints(&beginning)? == Some(excused);
    Ok(is_excused.then_some(part))
}

/// Packets from each key frame up to the next one, in the order of decoding.
fn groups(index: &Index) -> Vec<Range<usize>> {
    let mut starts: BTreeSet<usize> = (0..index.packets.len()).filter(|n| index.packets[*n].key).collect();
    starts.insert(0);
    let ends = starts.iter().copied().skip(1).chain([index.packets.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Result of the search in successive groups.
struct Found {
    /// Groups that the part contains completely.
    groups: Range<usize>,
    /// First damaged packet after the part.
    damage: Option<usize>,
    part: Option<Part>,
}

struct Search<'a> {
    path: &'a Path,
    index: &'a Index,
    groups: Vec<Range<usize>>,
}

impl Search<'_> {
    /// Adds the intact parts among `groups` to `found`.
    fn halve(&self, groups: Range<usize>, found: &mut Vec<Found>) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let packets = self.packets(groups.clone());
        if let Some(part) = self.intact(&packets, |_| true)? {
            found.push(Found { groups, damage: None, part: Some(part) });
        } else if groups.len() == 1 {
            let (intact, part) = self.beginning(&packets)?;
            found.push(Found {
                groups: groups.start..groups.start,
                damage: packets.get(intact).copied(),
                part,
            });
        } else {
            let middle = usize::midpoint(groups.start, groups.end);
            self.halve(groups.start..middle, found)?;
            self.halve(middle..groups.end, found)?;
        }
        Ok(())
    }

    /// Packets of successive groups. Frames that come after the first key frame but are shown before it refer
    /// to the previous group, and are left out.
    fn packets(&self, groups: Range<usize>) -> Vec<usize> {
        let range = self.groups[groups.start].start..self.groups[groups.end - 1].end;
        range.filter(|packet| !self.leads(groups.start, *packet)).collect()
    }

    /// True if a packet of the group is shown before the group's key frame.
    fn leads(&self, group: usize, packet: usize) -> bool {
        let packets = &self.index.packets;
        self.groups[group].contains(&packet) && packets[packet].time < packets[self.groups[group].start].time
    }

    /// Returns the longest intact beginning of a damaged group, with its number of packets. Without times it is
    /// unknown which of its frames are shown first.
    fn beginning(&self, packets: &[usize]) -> Result<(usize, Option<Part>)> {
        let (mut longest, mut intact, mut damaged) = (None, 0, packets.len());
        while !self.index.numbered && intact + 1 < damaged {
            let middle = usize::midpoint(intact, damaged);
            match self.intact(&packets[..middle], |_| true)? {
                Some(part) => (longest, intact) = (Some(part), middle),
                None => damaged = middle,
            }
        }
        Ok((intact, longest))
    }

    /// Returns the frames that refer to the intact groups before and after them.
    fn bridge(&self, group: usize) -> Result<Option<Part>> {
        let leads = |packet| self.leads(group, packet);
        if !self.groups[group].clone().any(leads) {
            return Ok(None);
        }
        self.intact(&self.packets(group - 1..group + 1), leads)
    }

    /// Returns the part of these packets if it is intact.
    fn intact(&self, packets: &[usize], uses: impl Fn(usize) -> bool) -> Result<Option<Part>> {
        if packets.iter().any(|packet| !self.index.packets[*packet].complete) {
            return Ok(None);
        }
        let Some(part) = Part::of(self.index, packets, uses) else { return Ok(None) };
        Ok(self.complaints(&part)?.map(|_| part))
    }

    /// Returns the number of errors that do not concern the part's frames. Returns none if the part does not decode to
    /// all of its frames without other errors.
    fn complaints(&self, part: &Part) -> Result<Option<usize>> {
        let counted_times = self.index.counted_times();
        let how = Decoding { part: Some(part.clone()), counted_times, ..Decoding::check() };
        let decoded = decode(self.path, &how, |_| Ok(()))?;
        let whole = decoded.damage_of(part).is_none() && decoded.frames.len() == part.positions.len();
        Ok(whole.then_some(decoded.complaints.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_refer_to_the_group_before_a_part_are_not_in_it() {
        let index = Index::of_packets(&[0.0, 2.0, 1.0, 5.0, 3.0, 4.0, 6.0], &[0, 3]);
        let search = Search { path: Path::new("unused"), index: &index, groups: vec![0..3, 3..7] };
        assert_eq!(search.packets(0..2), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(search.packets(1..2), [3, 6]);
        let part =
            Part::of(&index, &[0, 1, 2, 3, 4, 5, 6], |packet| search.leads(1, packet)).expect("a part");
        assert_eq!(part.positions, [None, None, None, Some(3), Some(4), None, None]);
    }

    #[test]
    fn groups_begin_with_a_key_frame_or_the_first_packet() {
        assert_eq!(groups(&Index::of_packets(&[0.0, 1.0, 2.0, 3.0], &[1, 3])), [0..1, 1..3, 3..4]);
    }
}
