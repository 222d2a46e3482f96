//! Effects of the season on plants and snow; `season` is a fraction of the year from mid-winter.

use super::math::{Rgb, mix, smoothstep};
use super::surface::Kind;

/// Colours of deciduous crowns through the year, without the red of autumn.
const YELLOW: [(f32, Rgb); 9] = [
    (0.00, [0.150, 0.125, 0.105]),
    (0.20, [0.170, 0.145, 0.105]),
    (0.29, [0.240, 0.380, 0.070]),
    (0.42, [0.120, 0.260, 0.055]),
    (0.62, [0.110, 0.210, 0.050]),
    (0.72, [0.380, 0.330, 0.050]),
    (0.80, [0.620, 0.380, 0.040]),
    (0.89, [0.300, 0.170, 0.080]),
    (1.00, [0.150, 0.125, 0.105]),
];
/// Red of the reddest trees at the height of autumn.
const RED: Rgb = [0.480, 0.085, 0.030];
const GRASS: [(f32, Rgb); 6] = [
    (0.00, [0.130, 0.150, 0.080]),
    (0.25, [0.150, 0.300, 0.060]),
    (0.42, [0.160, 0.290, 0.060]),
    (0.60, [0.330, 0.290, 0.130]),
    (0.78, [0.240, 0.230, 0.090]),
    (1.00, [0.130, 0.150, 0.080]),
];

/// Reflectance of a plant; `dice` (0..1) makes neighbours differ in hue and in date.
pub(super) fn leaf(kind: Kind, dice: f32, season: f32) -> Rgb {
    let date = (season + 0.05 * (dice - 0.5)).rem_euclid(1.0);
    match kind {
        Kind::Deciduous => {
            let autumn = smoothstep(0.66, 0.76, date) * smoothstep(0.90, 0.82, date);
            mix(between(&YELLOW, date), RED, autumn * smoothstep(0.35, 0.85, dice))
        }
        Kind::Grass => between(&GRASS, date),
        _ => mix([0.035, 0.090, 0.045], [0.060, 0.120, 0.045], dice),
    }
}

/// Snow in the city, 0..1: a dusting for a few weeks around mid-winter.
pub(super) fn snow_city(season: f32) -> f32 {
    let winter = season.min(1.0 - season);
    0.6 * smoothstep(0.105, 0.035, winter)
}

/// Snow on the mountains, 0..1; the high summits keep theirs through the summer.
pub(super) fn snow_alpine(season: f32) -> f32 {
    let winter = 0.5 + 0.5 * ((season - 0.08) * std::f32::consts::TAU).cos();
    0.42 + 0.48 * winter
}

fn between(keys: &[(f32, Rgb)], date: f32) -> Rgb {
    keys.windows(2)
        .find(|w| date <= w[1].0)
        .map_or(keys[0].1, |w| mix(w[0].1, w[1].1, (date - w[0].0) / (w[1].0 - w[0].0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_green_in_summer_and_orange_in_autumn() {
        let (summer, autumn) = (leaf(Kind::Deciduous, 0.3, 0.5), leaf(Kind::Deciduous, 0.3, 0.8));
        assert!(summer[1] > summer[0]);
        assert!(autumn[0] > autumn[1]);
    }

    #[test]
    fn the_year_has_no_seam() {
        for kind in [Kind::Deciduous, Kind::Grass, Kind::Evergreen] {
            let (first, last) = (leaf(kind, 0.5, 0.0), leaf(kind, 0.5, 1.0));
            assert!(first.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        assert!((snow_city(0.0) - snow_city(1.0)).abs() < 1e-6);
    }
}
