//! Style factors of a frame, and the distribution that they are sampled from.

use super::sun::half_day;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Factors that determine the style of a frame; each has one value for the complete panorama.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factors {
    /// Local solar time in hours, 0..24; 12 is noon.
    pub time_of_day: f32,
    /// Cloud cover, 0 (clear) to 1 (overcast).
    pub cloud: f32,
    /// Haze, 0 (clean air) to 1 (fog with a visibility of a few hundred metres).
    pub haze: f32,
    /// Fraction of the year, 0..1; 0 is mid-winter, 0.5 mid-summer.
    pub season: f32,
}

/// A range that values are drawn from uniformly.
type Range = (f32, f32);

/// Kind of light and weather that frames of one style have in common.
pub(crate) struct Mode {
    pub name: &'static str,
    /// Position of the sun: 0 at noon, 1 at sunset or sunrise, 2 at midnight.
    phase: Range,
    cloud: Range,
    haze: Range,
}

const CLEAR: Range = (0.0, 0.15);
const SCATTERED: Range = (0.0, 0.4);
const OVERCAST: Range = (0.85, 1.0);
const CLEAN: Range = (0.0, 0.05);
const FOG: Range = (0.8, 1.0);
const DAY: Range = (0.0, 0.5);
const NIGHT: Range = (1.6, 2.0);

const fn mode(name: &'static str, phase: Range, cloud: Range, haze: Range) -> Mode {
    Mode { name, phase, cloud, haze }
}

/// Modes, all equally likely. The season is drawn for each frame, independently of its mode.
pub(super) const MODES: [Mode; 8] = [
    mode("clear day", DAY, CLEAR, CLEAN),
    mode("overcast day", DAY, OVERCAST, CLEAN),
    mode("fog by day", DAY, OVERCAST, FOG),
    mode("golden hour", (0.85, 0.98), SCATTERED, CLEAN),
    mode("blue hour", (1.08, 1.15), SCATTERED, CLEAN),
    mode("clear night", NIGHT, CLEAR, CLEAN),
    mode("overcast night", NIGHT, OVERCAST, CLEAN),
    mode("fog by night", NIGHT, OVERCAST, FOG),
];

/// Draws the mode of frame `index` and its factors, which depend only on the two arguments.
#[must_use]
pub(crate) fn sample(seed: u64, index: u64) -> (&'static Mode, Factors) {
    let mut rng = frame_stream(seed, index, 0);
    let mode = &MODES[rng.random_range(0..MODES.len())];
    let [season, phase, cloud, haze] =
        [(0.0, 1.0), mode.phase, mode.cloud, mode.haze].map(|(from, to)| rng.random_range(from..to));
    let half = half_day(season);
    let from_noon = if phase < 1.0 { phase * half } else { half + (phase - 1.0) * (12.0 - half) };
    let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    (mode, Factors { time_of_day: (12.0 + side * from_noon).rem_euclid(24.0), cloud, haze, season })
}

/// Returns a separate random stream for each (seed, index, purpose).
pub(super) fn frame_stream(seed: u64, index: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..24].copy_from_slice(&purpose.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesize_timelapse::render::sun::position;

    fn samples(count: u64) -> impl Iterator<Item = (&'static str, Factors)> {
        (0..count).map(|index| sample(7, index)).map(|(mode, factors)| (mode.name, factors))
    }

    #[test]
    fn samples_stay_in_the_ranges() {
        for (_, f) in samples(2000) {
            assert!((0.0..24.0).contains(&f.time_of_day));
            for part in [f.cloud, f.haze, f.season] {
                assert!((0.0..=1.0).contains(&part));
            }
        }
    }

    #[test]
    fn a_sample_depends_on_its_seed_and_index_only() {
        let of = |seed, index| sample(seed, index).1;
        let forward: Vec<_> = (0..20).map(|i| of(1, i)).collect();
        let backward: Vec<_> = (0..20).rev().map(|i| of(1, i)).collect();
        assert!(forward.iter().eq(backward.iter().rev()));
        assert_ne!(of(1, 3), of(2, 3));
        assert_ne!(of(1, 3), of(1, 4));
    }

    #[test]
    fn every_mode_is_common() {
        for mode in &MODES {
            let count = samples(1000).filter(|(name, _)| *name == mode.name).count();
            assert!((90..160).contains(&count), "{}: {count}", mode.name);
        }
    }

    #[test]
    fn the_sun_has_the_elevation_that_its_mode_implies() {
        for (mode, f) in samples(1000) {
            let elevation = position(f.time_of_day, f.season).elevation;
            let range = match mode {
                "golden hour" => 0.0..11.0,
                "blue hour" => -12.0..-2.0,
                _ if mode.contains("night") => -70.0..-8.0,
                _ => 10.0..70.0,
            };
            assert!(range.contains(&elevation), "{mode}: {elevation} degrees");
        }
    }
}
