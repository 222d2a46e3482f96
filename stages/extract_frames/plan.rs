//! Plan for decoding selected frames of a video with as little work as possible.

use std::ops::RangeInclusive;

use crate::lib::video::Index;

/// Cost of starting ffmpeg and seeking, in decoded frames.
const SEEK: usize = 25;

/// Largest number of frames of a passage. They stay in memory until it is known that seeking found them.
const PASSAGE: usize = 16;

/// Method of decoding.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// Decode all frames, from the first to the last.
    Whole,
    /// Decode only key frames, because only these are needed.
    Keys,
    /// Seek to passages, each given by its first and last position.
    Passages(Vec<RangeInclusive<usize>>),
}

/// Returns the cheapest method of decoding the frames at `positions`, which are ascending.
pub(super) fn plan(index: &Index, positions: &[usize]) -> Plan {
    if index.numbered {
        return Plan::Whole;
    }
    let mut key = 0;
    let key_before: Vec<usize> = (0..index.keys.len())
        .map(|position| {
            if index.keys[position] {
                key = position;
            }
            key
        })
        .collect();
    let mut passages: Vec<(RangeInclusive<usize>, usize)> = Vec::new();
    for position in positions {
        match passages.last_mut() {
            // To continue decoding is cheaper than seeking.
            Some((passage, count)) if *count < PASSAGE && key_before[*position] <= passage.end() + SEEK => {
                (*passage, *count) = (*passage.start()..=*position, *count + 1);
            }
            _ => passages.push((*position..=*position, 1)),
        }
    }
    let of_passage = |passage: &RangeInclusive<usize>| passage.end() + 1 - key_before[*passage.start()];
    let sought: usize = passages.iter().map(|(passage, _)| of_passage(passage) + SEEK).sum();
    let keys = index.keys.iter().filter(|key| **key).count();
    let whole = index.times.len();
    if sought * 2 < whole.min(if positions.iter().all(|p| index.keys[*p]) { keys * 2 } else { whole }) {
        return Plan::Passages(passages.into_iter().map(|(passage, _)| passage).collect());
    }
    // Key frames are the most expensive to decode, and this plan decodes them twice.
    if keys * 4 < whole && positions.iter().all(|position| index.keys[*position]) {
        return Plan::Keys;
    }
    Plan::Whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A video of 1,000 frames with a key frame every 50.
    fn video() -> Index {
        Index {
            times: (0..1000).map(|n| f64::from(n) / 10.0).collect(),
            keys: (0..1000).map(|n| n % 50 == 0).collect(),
            ..Index::default()
        }
    }

    #[test]
    fn few_frames_are_sought_and_many_are_decoded_in_one_pass() {
        assert_eq!(plan(&video(), &[120, 130, 710]), Plan::Passages(vec![120..=130, 710..=710]));
        assert_eq!(plan(&video(), &(0..1000).collect::<Vec<_>>()), Plan::Whole);
        assert_eq!(plan(&video(), &(0..1000).step_by(60).collect::<Vec<_>>()), Plan::Whole);
    }

    #[test]
    fn key_frames_are_decoded_alone() {
        assert_eq!(plan(&video(), &(0..1000).step_by(50).collect::<Vec<_>>()), Plan::Keys);
        assert_eq!(
            plan(&Index { keys: vec![true; 1000], ..video() }, &(0..900).collect::<Vec<_>>()),
            Plan::Whole
        );
    }

    #[test]
    fn frames_without_times_are_counted_from_the_first() {
        assert_eq!(plan(&Index { numbered: true, ..video() }, &[710]), Plan::Whole);
    }
}
