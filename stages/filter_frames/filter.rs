//! Filters, and their strengths.

use image::RgbImage;
use rand::Rng as _;
use serde::Deserialize;

use crate::lib::random::stream;

/// Brightness of fog in grey levels.
const FOG: f32 = 215.0;

/// Factors of a night's tint on R, G and B.
const TINT: [f32; 3] = [0.8, 0.9, 1.2];

/// Largest noise of a night in grey levels.
const NOISE: f32 = 6.0;

/// View of a frame.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Filter {
    Day,
    Fog,
    Night,
}

impl Filter {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Fog => "fog",
            Self::Night => "night",
        }
    }

    /// Smallest and largest strength.
    fn strengths(self) -> [f64; 2] {
        match self {
            Self::Day => [0.9, 1.1],
            Self::Fog => [0.35, 0.65],
            Self::Night => [0.15, 0.35],
        }
    }
}

/// A filter that a frame got.
pub(super) struct Applied {
    pub filter: Filter,
    /// Strength in the unit of the filter.
    pub strength: f64,
}

impl Applied {
    /// Draws one of `filters`, which are not empty, for the frame `id`.
    pub(super) fn draw(filters: &[Filter], seed: i64, id: &str) -> Self {
        let mut rng = stream(seed, &format!("filter {id}"), 0);
        let filter = filters[rng.random_range(0..filters.len())];
        let [least, most] = filter.strengths();
        Self { filter, strength: rng.random_range(least..most) }
    }

    /// Picture of the frame `id` with this filter.
    pub(super) fn to(&self, mut picture: RgbImage, seed: i64, id: &str) -> RgbImage {
        let strength = self.strength as f32;
        let mut rng = stream(seed, &format!("noise {id}"), 0);
        for pixel in picture.pixels_mut() {
            for (value, tint) in pixel.0.iter_mut().zip(TINT) {
                let old = f32::from(*value);
                let new = match self.filter {
                    Filter::Day => old * strength,
                    Filter::Fog => old * (1.0 - strength) + FOG * strength,
                    Filter::Night => old * strength * tint + rng.random_range(-NOISE..NOISE),
                };
                *value = new.round().clamp(0.0, 255.0) as u8;
            }
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn shown(filter: Filter, strength: f64) -> [u8; 3] {
        let picture = RgbImage::from_pixel(1, 1, Rgb([100, 200, 240]));
        Applied { filter, strength }.to(picture, 0, "a").get_pixel(0, 0).0
    }

    #[test]
    fn filters_change_what_their_names_say() {
        assert_eq!(shown(Filter::Day, 1.1), [110, 220, 255]);
        assert_eq!(shown(Filter::Fog, 0.5), [158, 208, 228]);
        let night = shown(Filter::Night, 0.25);
        assert!(
            night.iter().zip([20, 45, 72]).all(|(found, wanted)| found.abs_diff(wanted) <= 7),
            "{night:?}"
        );
    }

    #[test]
    fn a_frame_s_filter_depends_on_its_name_and_the_seed_alone() {
        let all = [Filter::Day, Filter::Fog, Filter::Night];
        let of = |seed| -> Vec<(&str, f64)> {
            let drawn = (0..300).map(|id| Applied::draw(&all, seed, &id.to_string()));
            drawn.map(|applied| (applied.filter.name(), applied.strength)).collect()
        };
        let drawn = of(0);
        assert_eq!(drawn, of(0));
        assert_ne!(drawn, of(1));
        for filter in all {
            let count = drawn.iter().filter(|(name, _)| *name == filter.name()).count();
            assert!((70..130).contains(&count), "{count} of 300 frames are shown as by {}", filter.name());
        }
    }
}
