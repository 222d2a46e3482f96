//! The style factors of a frame and the distribution they are sampled from.

use super::sun::half_day;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What determines the style of a frame; one value holds for the whole panorama.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Local solar time in hours, 0..24; 12 is noon.
    pub time_of_day: f32,
    /// Cloud cover, 0 (clear) to 1 (overcast).
    pub cloud: f32,
    /// Haze, 0 (clean air) to 1 (fog: a few hundred metres of sight).
    pub haze: f32,
    /// Fraction of the year, 0..1; 0 is mid-winter, 0.5 mid-summer.
    pub season: f32,
}

/// Share of frames within `TWILIGHT_HOURS` of sunrise or sunset by design; the rest is uniform.
pub const TWILIGHT_SHARE: f64 = 0.35;
/// Half width in hours of the window around sunrise or sunset.
pub const TWILIGHT_HOURS: f32 = 1.1;
/// Clear-sky covers, the range of a third of the frames.
pub const CLEAR: (f32, f32) = (0.0, 0.15);
/// Overcast covers, the range of a quarter of the frames; the rest is broken cloud.
pub const OVERCAST: (f32, f32) = (0.8, 1.0);
/// Share of frames in fog.
pub const FOG_SHARE: f64 = 0.12;
/// Haze of frames in fog.
pub const FOG: (f32, f32) = (0.5, 1.0);
/// Largest haze outside fog; its cube-root is uniform, so most frames are nearly clean.
pub const MILD_HAZE: f32 = 0.5;

/// The factors of frame `index`: a function of the two arguments alone.
#[must_use]
pub fn sample(seed: u64, index: u64) -> Factors {
    let mut rng = stream(seed, index, 0);
    let season = rng.random_range(0.0..1.0);
    let time_of_day = if rng.random_bool(TWILIGHT_SHARE) {
        let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        12.0 + side * half_day(season) + rng.random_range(-TWILIGHT_HOURS..TWILIGHT_HOURS)
    } else {
        rng.random_range(0.0..24.0)
    };
    let cloud = match rng.random_range(0..12) {
        0..4 => rng.random_range(CLEAR.0..CLEAR.1),
        4..7 => rng.random_range(OVERCAST.0..OVERCAST.1),
        _ => rng.random_range(CLEAR.1..OVERCAST.0),
    };
    let haze = if rng.random_bool(FOG_SHARE) {
        rng.random_range(FOG.0..FOG.1)
    } else {
        MILD_HAZE * rng.random_range(0.0_f32..1.0).powi(3)
    };
    Factors { time_of_day: time_of_day.rem_euclid(24.0), cloud, haze, season }
}

/// A random stream of its own for each (seed, index, purpose).
pub fn stream(seed: u64, index: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..24].copy_from_slice(&purpose.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_in_the_ranges() {
        for index in 0..2000 {
            let f = sample(7, index);
            assert!((0.0..24.0).contains(&f.time_of_day));
            for part in [f.cloud, f.haze, f.season] {
                assert!((0.0..=1.0).contains(&part));
            }
        }
    }

    #[test]
    fn a_sample_depends_on_its_seed_and_index_only() {
        let forward: Vec<_> = (0..20).map(|i| sample(1, i)).collect();
        let backward: Vec<_> = (0..20).rev().map(|i| sample(1, i)).collect();
        assert!(forward.iter().eq(backward.iter().rev()));
        assert_ne!(sample(1, 3), sample(2, 3));
        assert_ne!(sample(1, 3), sample(1, 4));
    }

    #[test]
    fn day_twilight_and_night_are_all_common() {
        let mut counts = [0; 3];
        for index in 0..1000 {
            let f = sample(11, index);
            let elevation = super::super::sun::position(f.time_of_day, f.season).elevation;
            counts[usize::from(elevation > -8.0) + usize::from(elevation > 8.0)] += 1;
        }
        assert!(counts.iter().all(|&n| n > 200), "{counts:?}");
    }
}
