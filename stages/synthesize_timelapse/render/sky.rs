//! Sky: gradient, glow of the sunset, sun and moon, clouds, and the colour of haze at the horizon.

use super::canvas::{ASPECT, HORIZON};
use super::light::Light;
use super::math::{Rgb, add, bell, mix, scale, smoothstep};
use super::sun::{self, wrap};
use crate::lib::noise::fractal;

/// Angle of view of the panorama in degrees.
const VIEW: f32 = 170.0;
/// Octaves of the cloud noise; the smallest puffs are about a fiftieth of the height.
const OCTAVES: u32 = 5;

/// Disc in the sky, in scene units.
struct Disc {
    x: f32,
    y: f32,
    radius: f32,
    colour: Rgb,
}

/// Sky of one frame.
pub(super) struct Sky<'a> {
    light: &'a Light,
    /// Seed of the cloud pattern, which is not style.
    pattern: u32,
    /// Threshold above which noise is cloud.
    threshold: f32,
    discs: [Disc; 2],
}

impl<'a> Sky<'a> {
    pub(super) fn new(light: &'a Light, pattern: u32) -> Sky<'a> {
        let clear = (1.0 - light.veil).powi(2) * (1.0 - light.factors.haze);
        let moon = sun::moon(&light.sun);
        let low = smoothstep(8.0, 0.0, light.sun.elevation);
        let disc = |s: &sun::Sun, radius, colour| Disc {
            x: ASPECT * (0.5 + s.bearing / VIEW),
            y: HORIZON - s.elevation * ASPECT / VIEW,
            radius,
            colour: scale(colour, clear),
        };
        Sky {
            discs: [
                disc(&light.sun, 0.020, mix([6.0, 5.6, 4.6], [5.0, 2.6, 0.8], low)),
                disc(&moon, 0.013, scale([0.75, 0.75, 0.7], light.night)),
            ],
            light,
            pattern,
            threshold: 0.82 - 0.70 * light.factors.cloud,
        }
    }

    /// Returns the nearness of column `x` to the sun's bearing, 0..1.
    fn side(&self, x: f32) -> f32 {
        let off = wrap((x / ASPECT - 0.5) * VIEW - self.light.sun.bearing);
        bell(off, 0.0, 38.0) * 0.85 + bell(off, 0.0, 90.0) * 0.15
    }

    /// Returns the light of the city on air and clouds at night, which is strongest over downtown.
    fn city_glow(&self, x: f32) -> Rgb {
        let f = &self.light.factors;
        let power = self.light.night * (0.035 + 0.075 * f.cloud + 0.09 * f.haze);
        scale([1.0, 0.66, 0.38], power * (0.45 + 0.9 * bell(x, 4.1, 1.2)))
    }

    /// Returns the colour of haze in column `x`.
    pub(super) fn haze(&self, x: f32) -> Rgb {
        let sunny = scale(self.light.glow, self.side(x) * 0.75);
        add(add(self.light.horizon, sunny), self.city_glow(x))
    }

    /// Returns the colour of the sky at a point above the horizon, in scene units.
    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let light = self.light;
        let rise = (HORIZON - y).max(0.0);
        let low = (-rise * (4.2 - 2.4 * light.factors.haze)).exp();
        let side = self.side(x);
        let sunny = scale(light.glow, side * (-rise * 3.4).exp() * 0.85);
        let city = self.city_glow(x);
        let mut colour = add(mix(light.zenith, light.horizon, low), sunny);
        colour = add(colour, scale(city, low));
        for disc in &self.discs {
            colour = add(colour, disc.at(x, y));
        }
        let cloud = self.cloud(x, rise);
        if cloud.0 > 0.0 {
            let lit = scale(light.direct, 0.34 * (1.0 - cloud.1));
            let base = scale(light.ambient, 1.70 - 0.75 * cloud.1);
            let under = scale(light.glow, 0.62 * side * (0.4 + 0.6 * low));
            let body = add(add(base, lit), add(under, scale(city, 0.9)));
            colour = mix(colour, mix(body, self.haze(x), 0.3 * low), cloud.0);
        }
        let fog = smoothstep(0.15, 0.8, light.factors.haze) * (0.62 + 0.38 * low);
        mix(colour, self.haze(x), fog)
    }

    /// Returns cloud opacity and thickness, each 0..1, at `rise` above the horizon.
    fn cloud(&self, x: f32, rise: f32) -> (f32, f32) {
        if self.light.factors.cloud <= 0.02 {
            return (0.0, 0.0);
        }
        // The logarithm flattens clouds towards the horizon, as distance does.
        let y = (rise + 0.07).ln() * 2.6;
        let n = fractal(self.pattern, x * 2.1, y, OCTAVES);
        let n = 0.5 + (n - 0.5) * 1.5;
        let edge = n - self.threshold;
        (smoothstep(-0.02, 0.22, edge), smoothstep(0.05, 0.50, edge))
    }
}

impl Disc {
    /// Returns the light of a sharp disc in a soft halo.
    fn at(&self, x: f32, y: f32) -> Rgb {
        let far = (x - self.x).hypot(y - self.y) / self.radius;
        if far > 12.0 {
            return [0.0; 3];
        }
        let halo = 0.10 * (-far * 0.45).exp() * (1.0 - far / 12.0);
        scale(self.colour, smoothstep(1.06, 0.94, far) + halo)
    }
}
