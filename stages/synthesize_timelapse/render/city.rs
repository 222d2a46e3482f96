//! City blocks at three depths. The limits of height form downtown and leave space for landmarks.

use super::building::{Material, Plot, WARM, build};
use super::canvas::ASPECT;
use super::math::{Rgb, bell, smoothstep};
use super::scene::Scene;
use super::surface::{Kind, Layer};
use super::terrain::STREET;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const COOL: Rgb = [0.62, 0.66, 0.62];

#[rustfmt::skip]
const MATERIALS: [Material; 7] = [
    glass([0.10, 0.15, 0.19], 0.95, (0.0125, 0.0135)),
    glass([0.17, 0.17, 0.16], 0.70, (0.0105, 0.0145)),
    glass([0.06, 0.08, 0.10], 0.85, (0.0150, 0.0120)),
    masonry([0.45, 0.42, 0.37], Kind::Office, WARM, (0.0110, 0.0140), (0.50, 0.55)),
    masonry([0.36, 0.16, 0.10], Kind::Home, WARM, (0.0115, 0.0155), (0.45, 0.55)),
    masonry([0.58, 0.55, 0.50], Kind::Home, WARM, (0.0130, 0.0150), (0.60, 0.45)),
    masonry([0.30, 0.24, 0.18], Kind::Home, WARM, (0.0105, 0.0150), (0.42, 0.60)),
];

const fn glass(albedo: Rgb, glass: f32, cell: (f32, f32)) -> Material {
    Material { albedo, kind: Kind::Office, glass, lamp: COOL, cell, pane: (0.84, 0.70) }
}

const fn masonry(albedo: Rgb, kind: Kind, lamp: Rgb, cell: (f32, f32), pane: (f32, f32)) -> Material {
    Material { albedo, kind, glass: 0.35, lamp, cell, pane }
}

/// Returns the height of downtown at `x`, 0..1.
fn downtown(x: f32) -> f32 {
    (bell(x, 4.05, 0.48) + 0.45 * bell(x, 3.15, 0.22)).min(1.0)
}

/// Returns the height that buildings may have at `x`, 0..1: low near the lake, the tower, the stadium and the
/// port.
fn room(x: f32) -> f32 {
    let lake = smoothstep(0.55, 1.2, x);
    let tower = 1.0 - 0.65 * bell(x, 2.55, 0.22);
    let port = smoothstep(6.15, 5.4, x);
    lake * tower * port
}

pub(super) fn far(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    row(scene, rng, Layer::FarCity, 0.735, (0.05, 0.11), |x| {
        (0.04 + 0.10 * room(x)) * smoothstep(7.0, 6.2, x) + 0.26 * downtown(x)
    });
}

pub(super) fn middle(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    row(scene, rng, Layer::MidCity, 0.775, (0.07, 0.14), |x| {
        0.03 + 0.13 * room(x) + 0.44 * downtown(x) * room(x)
    });
}

pub(super) fn near(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    row(scene, rng, Layer::NearCity, STREET, (0.06, 0.16), |x| 0.025 + 0.085 * room(x) + 0.10 * downtown(x));
}

/// Builds a row of buildings along the picture. `height` is the largest height at x, and `widths` a range.
fn row(
    scene: &mut Scene,
    rng: &mut ChaCha8Rng,
    layer: Layer,
    base: f32,
    widths: (f32, f32),
    height: impl Fn(f32) -> f32,
) {
    let mut x = -0.05;
    while x < ASPECT {
        let width = rng.random_range(widths.0..widths.1);
        let tall = height(x + width / 2.0) * rng.random_range(0.45..1.05_f32);
        if tall < 0.02 {
            x += width;
            continue;
        }
        // Towers are of glass or stone, and low blocks mostly of brick and concrete.
        let pick = if tall > 0.17 { rng.random_range(0..4) } else { rng.random_range(1..7) };
        let cabin = Material { cell: (0.009, 0.013), ..MATERIALS[pick] };
        let material = if tall < 0.05 { &cabin } else { &MATERIALS[pick] };
        build(scene, rng, Plot { x, width, top: base - tall, base, layer }, material);
        x += width + rng.random_range(-0.01..0.035);
    }
}
