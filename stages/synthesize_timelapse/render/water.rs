//! Water: a mirror image of the picture above with fixed ripples, over a dark body colour.

use super::light::Light;
use super::math::{Rgb, add, mix, mul, scale};
use super::picture::Picture;
use super::scene::Scene;
use super::sky::Sky;
use super::surface::{Layer, Part};
use super::tables::Tables;
use super::terrain::{STREET, far_shore};
use crate::lib::noise::noise;

/// Number of rows of the scene per row of water. The view is from above, so reflections are short.
const STRETCH: f32 = 2.3;
/// Seed of the ripples, which do not change between frames.
const RIPPLES: u32 = 90_210;

/// Adds the share of water to every pixel that shows any.
pub(super) fn reflect(scene: &Scene, light: &Light, tables: &Tables, sky: &Sky, picture: &mut Picture) {
    let canvas = &scene.canvas;
    let body = mul([0.035, 0.090, 0.100], add(light.ambient, scale(light.direct, 0.5)));
    let from = (STREET * canvas.height as f32) as usize;
    for row in from..canvas.height {
        let clear = tables.rows[row].clear[Layer::Front as usize];
        for column in 0..canvas.width {
            let texels = canvas.pixel(column, row);
            let wet = texels.iter().filter(|t| t.part == Part::Water).count();
            if wet == 0 {
                continue;
            }
            let (x, y) = canvas.centre(column, row);
            let out = (y - far_shore(x)).max(0.0);
            let mirrored = mirror(picture, x, y, out);
            let strength = 0.82 - 1.1 * out;
            let colour = add(scale(mirrored, strength), scale(body, 1.6 - strength));
            let colour = mix(sky.haze(x), colour, clear);
            let pixel = &mut picture.pixels[row * canvas.width + column];
            *pixel = add(*pixel, scale(colour, wet as f32 / texels.len() as f32));
        }
    }
}

/// Returns the reflection in the ripples at (`x`, `y`), at distance `out` from the shore.
fn mirror(picture: &Picture, x: f32, y: f32, out: f32) -> Rgb {
    // Near ripples look longer.
    let near = 1.0 / (0.35 + 5.0 * out);
    let wave = noise(RIPPLES, x * 16.0 * near, y * 75.0 * near.sqrt()) - 0.5;
    let chop = noise(RIPPLES + 1, x * 45.0 * near, y * 220.0 * near.sqrt()) - 0.5;
    let sway = (0.004 + 0.09 * out) * (0.6 * wave + 0.6 * chop);
    let reach = STRETCH * out * (1.0 + 0.35 * wave) + 0.05 * chop * (0.2 + 4.0 * out);
    let tap = |k: f32| picture.look(x + sway * 0.5, STREET - 0.004 - (reach * k).max(0.0));
    let sum = add(add(tap(0.82), tap(1.0)), add(tap(1.18), tap(1.4)));
    scale(sum, 0.25)
}
