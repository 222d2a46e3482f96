//! Mountains, hills, ground and water.

use super::canvas::{ASPECT, HORIZON};
use super::math::{bell, smoothstep};
use super::scene::Scene;
use super::surface::{Kind, Layer, Part, Surface, Texel};
use crate::lib::noise::{fractal, noise};

const UP: [f32; 3] = [0.0, 1.0, 0.0];
/// y of the streets at the foot of the near city.
pub(super) const STREET: f32 = 0.80;
/// y of the far shores of the two waters.
const BAY: f32 = 0.822;
const LAKE: f32 = 0.855;

/// Returns the y of the waterline at `x`, which is below the picture (over 1) where there is land.
pub(super) fn shore(x: f32) -> f32 {
    let bay = BAY + 0.4 * smoothstep(3.30, 2.95, x);
    let lake = LAKE + 0.4 * smoothstep(0.62, 0.98, x);
    bay.min(lake)
}

/// Returns the y of the far shore of the water at `x`, where its reflections start.
pub(super) fn far_shore(x: f32) -> f32 {
    if x < 2.0 { LAKE } else { BAY }
}

/// Returns the y of the top of the far mountains: a range on the left, and a single volcano right of
/// downtown.
fn peaks(seed: u32, x: f32) -> f32 {
    let range = 0.075 * bell(x, 0.9, 1.3) * (0.5 + fractal(seed, x * 5.0, 0.5, 5));
    let across = (x - 5.35).abs();
    let cone = 0.235 * (-across * 1.9).exp() * (1.0 - 0.35 * smoothstep(0.10, 0.0, across));
    let rough = 0.035 * (fractal(seed ^ 5, x * 7.0, 1.5, 5) - 0.5);
    HORIZON - 0.02 - range.max(cone) - rough
}

pub(super) fn mountains(scene: &mut Scene, seed: u32) {
    let slope = |right: f32| Surface {
        alpine: true,
        ..Surface::matte([0.15, 0.15, 0.17], [right, 0.5, 0.6], Layer::Mountain)
    };
    let left = scene.canvas.add(slope(-0.62));
    let right = scene.canvas.add(slope(0.62));
    scene.canvas.paint([0.0, 0.25, ASPECT, HORIZON + 0.05], |x, y| {
        let top = peaks(seed, x);
        // Ridges run down the slope, and the relief determines the side that the rock faces.
        let relief = fractal(seed ^ 9, x * 15.0 + (y - top) * 6.0, y * 6.0, 5);
        let surface = if relief + 1.4 * (x - 5.35).clamp(-0.2, 0.2) < 0.5 { left } else { right };
        let rough = fractal(seed.wrapping_add(11), x * 40.0, y * 50.0, 3);
        let height = (HORIZON - y) / 0.24 + 0.35 * (rough - 0.5);
        (y > top).then(|| Texel::new(surface, Part::Wall, 0.7 + 0.3 * rough).snow(height.clamp(0.0, 1.0)))
    });
}

pub(super) fn hills(scene: &mut Scene, seed: u32) {
    let layers = [(Layer::Ridge, 0.035, 1.7, 0.004), (Layer::Hill, 0.045, 1.1, -0.022)];
    for (k, (layer, tall, pace, lift)) in layers.into_iter().enumerate() {
        let plant = |kind| Surface { kind, ..Surface::matte([0.1; 3], [0.0, 0.8, 0.6], layer) };
        let dark = scene.canvas.add(plant(Kind::Evergreen));
        let leafy = scene.canvas.add(plant(Kind::Deciduous));
        let seed = seed ^ (k as u32 + 20);
        scene.canvas.paint([0.0, 0.45, ASPECT, STREET], |x, y| {
            let rise = tall * fractal(seed, x * pace, 3.5, 4) + 0.02 * bell(x, 0.45, 0.5);
            let fuzz = 0.004 * noise(seed, x * 150.0, 0.5);
            let wood = fractal(seed ^ 3, x * 14.0, y * 60.0, 3);
            (y > HORIZON - rise - lift - fuzz).then(|| {
                let surface = if wood < 0.58 { dark } else { leafy };
                let dice = (noise(seed, x * 60.0, y * 120.0) * 255.0) as u8;
                Texel::new(surface, Part::Leaf, 0.55 + 0.6 * wood.min(0.75)).dice(dice).snow(0.85 * wood)
            })
        });
    }
}

/// Paints streets, quays and the grassy hillside in front of the city.
pub(super) fn ground(scene: &mut Scene, seed: u32) {
    let paved = scene.canvas.add(Surface { flood: 0.10, ..Surface::matte([0.20; 3], UP, Layer::NearCity) });
    let lawn = Surface { kind: Kind::Grass, ..Surface::matte([0.1; 3], UP, Layer::Front) };
    let lawn = scene.canvas.add(lawn);
    scene.canvas.paint([0.0, STREET - 0.012, ASPECT, 1.0], |x, y| {
        let grain = fractal(seed ^ 31, x * 30.0, y * 80.0, 3);
        let meadow = STREET + 0.012 + 0.02 * (noise(seed.wrapping_add(33), x * 2.0, 0.5) - 0.5);
        let bare = 0.25 + 0.75 * grain;
        Some(if y < meadow || x > 3.35 {
            Texel::new(paved, Part::Wall, 0.7 + 0.3 * grain).snow(bare * 0.6)
        } else {
            Texel::new(lawn, Part::Leaf, 0.6 + 0.4 * grain).dice((grain * 255.0) as u8).snow(bare)
        })
    });
}

pub(super) fn water(scene: &mut Scene) {
    let texel = Texel::new(0, Part::Water, 1.0);
    scene.canvas.paint([0.0, STREET, ASPECT, 1.0], |x, y| (y > shore(x)).then_some(texel));
}
