//! Light of a frame: colours of sun, ambient light and sky from the style factors.

use super::factors::Factors;
use super::math::{Rgb, luminance, mix, mul, scale, smoothstep};
use super::sun::{self, Sun};

/// Colours at one height of the sun under a clear sky.
#[derive(Clone, Copy)]
struct Key {
    /// Degrees over the horizon.
    elevation: f32,
    zenith: Rgb,
    horizon: Rgb,
    /// Light added to the horizon on the sun's side.
    glow: Rgb,
    sun: Rgb,
    ambient: Rgb,
}

const fn key(elevation: f32, zenith: Rgb, horizon: Rgb, glow: Rgb, sun: Rgb, ambient: Rgb) -> Key {
    Key { elevation, zenith, horizon, glow, sun, ambient }
}

/// Colours at increasing heights of the sun. As in a camera, exposure follows the light: night is dim, not
/// black.
#[rustfmt::skip]
const KEYS: [Key; 8] = [
    key(-18.0, [0.006, 0.009, 0.024], [0.016, 0.020, 0.042], [0.00, 0.00, 0.00], [0.00, 0.00, 0.00], [0.018, 0.023, 0.045]),
    key(-9.0, [0.012, 0.024, 0.080], [0.045, 0.060, 0.130], [0.16, 0.06, 0.03], [0.00, 0.00, 0.00], [0.035, 0.045, 0.090]),
    key(-4.0, [0.040, 0.070, 0.210], [0.150, 0.150, 0.270], [0.80, 0.28, 0.10], [0.00, 0.00, 0.00], [0.090, 0.100, 0.190]),
    key(0.0, [0.090, 0.140, 0.340], [0.320, 0.260, 0.340], [1.30, 0.52, 0.15], [0.40, 0.13, 0.04], [0.190, 0.190, 0.290]),
    key(5.0, [0.110, 0.210, 0.480], [0.440, 0.420, 0.470], [1.05, 0.60, 0.24], [1.25, 0.66, 0.28], [0.260, 0.280, 0.370]),
    key(15.0, [0.110, 0.260, 0.600], [0.440, 0.560, 0.720], [0.40, 0.34, 0.24], [1.55, 1.25, 0.86], [0.310, 0.370, 0.480]),
    key(35.0, [0.090, 0.250, 0.640], [0.420, 0.600, 0.820], [0.20, 0.18, 0.14], [1.75, 1.58, 1.30], [0.350, 0.410, 0.520]),
    key(66.0, [0.070, 0.230, 0.640], [0.420, 0.620, 0.860], [0.15, 0.14, 0.12], [1.90, 1.78, 1.55], [0.370, 0.440, 0.550]),
];

/// Properties of the light that are common to all pixels of a frame.
pub(super) struct Light {
    pub sun: Sun,
    pub factors: Factors,
    pub zenith: Rgb,
    pub horizon: Rgb,
    pub glow: Rgb,
    /// Direct light on a surface that faces its source.
    pub direct: Rgb,
    /// Unit vector to the source of `direct`: the sun, or the moon at night.
    pub source: [f32; 3],
    pub ambient: Rgb,
    /// Visibility of lamps, 0 by day to 1 at night.
    pub night: f32,
    /// Share of sun, moon and blue sky that clouds hide, 0 (clear) to 1.
    pub veil: f32,
}

impl Light {
    pub(super) fn new(factors: &Factors) -> Light {
        let sun = sun::position(factors.time_of_day, factors.season);
        let clear = at(sun.elevation);
        let veil = smoothstep(0.2, 0.95, factors.cloud);
        let winter = 0.5 + 0.5 * (factors.season * std::f32::consts::TAU).cos();
        // Low winter sun through cold clean air is bluer; summer dust is warmer.
        let season = mix([1.05, 1.0, 0.90], [0.95, 1.0, 1.08], winter);
        let grey = |c: Rgb, k: f32| scale([0.96, 1.0, 1.05], luminance(c) * k);
        let dim = (1.0 - 0.95 * veil) * (1.0 - 0.6 * factors.haze);
        let moonlit = scale([0.030, 0.040, 0.065], smoothstep(-4.0, -12.0, sun.elevation));
        let (direct, source) = if sun.elevation > -5.0 {
            (mul(clear.sun, season), sun.direction)
        } else {
            (moonlit, sun::moon(&sun).direction)
        };
        let darker = 1.0 - 0.12 * veil;
        Light {
            zenith: mix(clear.zenith, grey(clear.horizon, 0.72), veil * 0.95),
            horizon: mix(clear.horizon, grey(clear.horizon, 0.90), veil.max(factors.haze.sqrt() * 0.95)),
            glow: scale(clear.glow, (1.0 - 0.9 * veil) * (1.0 - 0.5 * factors.haze)),
            direct: scale(direct, dim),
            source,
            ambient: scale(mix(clear.ambient, grey(clear.ambient, 1.05), veil), darker),
            night: smoothstep(5.0 + 3.0 * veil, -5.0, sun.elevation),
            veil,
            sun,
            factors: *factors,
        }
    }
}

/// Interpolates the colours of a clear sky linearly between the keys, at a height of the sun.
fn at(elevation: f32) -> Key {
    let after = KEYS.iter().position(|k| k.elevation > elevation).unwrap_or(KEYS.len() - 1).max(1);
    let (a, b) = (KEYS[after - 1], KEYS[after]);
    let t = ((elevation - a.elevation) / (b.elevation - a.elevation)).clamp(0.0, 1.0);
    Key {
        elevation,
        zenith: mix(a.zenith, b.zenith, t),
        horizon: mix(a.horizon, b.horizon, t),
        glow: mix(a.glow, b.glow, t),
        sun: mix(a.sun, b.sun, t),
        ambient: mix(a.ambient, b.ambient, t),
    }
}
