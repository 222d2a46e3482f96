//! Faults that are planted into the frames of a video, so that it is known which frames an audit should list.

mod picture;

use std::collections::BTreeMap;

use anyhow::Result;
use callsheet_worker::Job;
use image::RgbImage;
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use crate::lib::columns::{float64s, int64s, strings, write_table};
use crate::lib::random::stream;

/// Kind of a fault. Its name is that of the finding of audit_frames that should list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Black,
    Blurred,
    Clipped,
    Frozen,
    Outlying,
}

/// Names, and the ranges from which strengths are drawn, uniformly on a log scale.
const KINDS: [(Kind, &str, [f64; 2]); 5] = [
    // Brightness of what is still visible, as a share.
    (Kind::Black, "black", [0.01, 0.2]),
    // Standard deviation of a Gaussian blur, as a share of the height.
    (Kind::Blurred, "blurred", [0.003, 0.03]),
    // Factor on all values, as by an exposure that is too long.
    (Kind::Clipped, "clipped", [1.5, 6.0]),
    // Number of frames that repeat the frame before them.
    (Kind::Frozen, "frozen", [2.0, 9.0]),
    // Share of the picture that an object in front of the camera covers.
    (Kind::Outlying, "outlying", [0.15, 1.0]),
];

/// Smallest number of frames for each fault, so that faults do not touch each other.
const SPAN: usize = 12;

/// Fault of one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fault {
    kind: Kind,
    strength: f64,
    /// Frame at which the fault begins.
    first: usize,
}

/// Faulty frames of a video.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Faults {
    /// Name of the random streams.
    name: String,
    seed: i64,
    by_frame: BTreeMap<usize, Fault>,
}

impl Faults {
    /// Places `count` faults in the video `name` of `frames` frames, at most one in 12 frames. Kinds take turns,
    /// in an order that depends on `name` and `seed`, as strengths do.
    pub(crate) fn plant(name: &str, frames: usize, count: usize, seed: i64) -> Self {
        let count = count.min(frames / SPAN);
        let mut rng = stream(seed, &format!("faults of {name}"), 0);
        let mut kinds = KINDS;
        kinds.shuffle(&mut rng);
        let mut by_frame = BTreeMap::new();
        for n in 0..count {
            let (kind, _, [low, high]) = kinds[n % kinds.len()];
            let drawn = rng.random_range(low.ln()..high.ln()).exp();
            let strength = if kind == Kind::Frozen { drawn.round() } else { drawn };
            // One frame without a fault stays on each side.
            let (first, end) = (frames * n / count + 1, frames * (n + 1) / count - 1);
            let length = if kind == Kind::Frozen { strength as usize } else { 1 };
            let start = rng.random_range(first..=(end - length).max(first));
            by_frame
                .extend((start..start + length).map(|frame| (frame, Fault { kind, strength, first: start })));
        }
        Self { name: name.to_owned(), seed, by_frame }
    }

    /// Returns true if no frame is faulty.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_frame.is_empty()
    }

    /// Frame whose picture `frame` shows: an earlier one while the video is frozen.
    pub(crate) fn source(&self, frame: usize) -> usize {
        let frozen = self.by_frame.get(&frame).filter(|fault| fault.kind == Kind::Frozen);
        frozen.map_or(frame, |fault| fault.first - 1)
    }

    /// Changes the picture of a frame as its fault does.
    pub(crate) fn apply(&self, frame: usize, picture: RgbImage) -> RgbImage {
        let Some(fault) = self.by_frame.get(&frame) else { return picture };
        let rng = stream(self.seed, &format!("fault in {}", self.name), frame as u64);
        match fault.kind {
            Kind::Black => picture::black(picture, fault.strength, rng),
            Kind::Blurred => picture::blurred(&picture, fault.strength),
            Kind::Clipped => picture::clipped(picture, fault.strength),
            Kind::Frozen => picture,
            Kind::Outlying => picture::covered(picture, fault.strength, rng),
        }
    }

    /// Writes the output `faults`: one row per faulty frame.
    ///
    /// # Errors
    /// Returns an error if the table cannot be written.
    pub(crate) fn write(&self, job: &Job) -> Result<()> {
        let faults = || self.by_frame.values();
        let columns = vec![
            ("frame_index", int64s(self.by_frame.keys().map(|frame| *frame as i64))),
            ("first_frame", int64s(faults().map(|fault| fault.first as i64))),
            ("fault", strings(faults().map(|fault| name(fault.kind)))),
            ("strength", float64s(faults().map(|fault| fault.strength))),
        ];
        write_table(job, "faults", columns)
    }
}

/// Name of a kind of fault.
fn name(kind: Kind) -> &'static str {
    KINDS.into_iter().find(|(other, ..)| *other == kind).map_or("", |(_, name, _)| name)
}

/// Names of all kinds of faults.
pub(crate) fn names() -> [&'static str; KINDS.len()] {
    KINDS.map(|(_, name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_takes_its_turn_and_no_fault_touches_another() {
        for seed in 0..200 {
            let faults = Faults::plant("a", 12 * 6 + seed as usize % 30, 6, seed);
            let frames: Vec<(usize, Fault)> = faults.by_frame.clone().into_iter().collect();
            let kinds: std::collections::BTreeSet<&str> =
                frames.iter().map(|(_, fault)| name(fault.kind)).collect();
            assert_eq!(kinds.len(), KINDS.len(), "seed {seed}");
            for pair in frames.windows(2) {
                let [(a, first), (b, second)] = pair else { unreachable!("pairs") };
                assert!(b - a > 1 || (first.kind, first.first) == (second.kind, second.first), "seed {seed}");
            }
            assert!(
                frames[0].0 >= 1 && frames[frames.len() - 1].0 < 12 * 6 + seed as usize % 30,
                "seed {seed}"
            );
            assert!(
                frames.iter().all(|(_, fault)| !faults.by_frame.contains_key(&(fault.first - 1))
                    || fault.kind != Kind::Frozen)
            );
        }
    }

    #[test]
    fn a_frozen_video_repeats_the_frame_before() {
        let faults = Faults::plant("a", 60, 5, 0);
        let is_frozen =
            |frame: usize| faults.by_frame.get(&frame).is_some_and(|fault| fault.kind == Kind::Frozen);
        let frozen: Vec<usize> = (0..60).filter(|frame| is_frozen(*frame)).collect();
        assert!((2..=9).contains(&frozen.len()), "{frozen:?}");
        assert_eq!(frozen, (frozen[0]..frozen[0] + frozen.len()).collect::<Vec<_>>());
        assert!(frozen.iter().all(|frame| faults.source(*frame) == frozen[0] - 1));
        assert_eq!(faults.source(frozen[0] - 1), frozen[0] - 1);
    }

    #[test]
    fn short_videos_have_fewer_faults() {
        assert_eq!(Faults::plant("a", 11, 6, 0).by_frame.len(), 0);
        assert!(Faults::plant("a", 24, 6, 0).by_frame.len() >= 2);
        assert_eq!(Faults::plant("a", 1000, 0, 0).by_frame.len(), 0);
        assert_ne!(Faults::plant("a", 96, 6, 0).by_frame, Faults::plant("b", 96, 6, 0).by_frame);
    }
}
