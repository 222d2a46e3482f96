//! Road on the hillside, quay road, and street lamps.

use super::scene::Scene;
use super::surface::{Layer, Part, Surface, Texel};
use super::terrain::{STREET, shore};

/// Ends of the hillside road in x.
pub(super) const ROAD: (f32, f32) = (0.85, 3.15);
/// Ends of the quay road in x, and its y.
pub(super) const QUAY: (f32, f32) = (3.2, 6.4);
pub(super) const QUAY_Y: f32 = STREET + 0.010;
/// Thickness of the hillside road.
const WIDTH: f32 = 0.022;

/// Returns the y of the middle of the hillside road.
pub(super) fn road(x: f32) -> f32 {
    0.905 + 0.022 * (x * 2.2).sin()
}

pub(super) fn lay(scene: &mut Scene) {
    let asphalt = Surface::matte([0.11; 3], [0.0, 1.0, 0.0], Layer::Front);
    let asphalt = scene.canvas.add(Surface { flood: 0.16, ..asphalt });
    scene.canvas.paint([ROAD.0, 0.85, ROAD.1, 1.0], |x, y| {
        let off = y - road(x);
        let dash = off.abs() < 0.0008 && (x * 22.0).fract() < 0.5;
        let shade = if dash { 1.0 } else { 0.62 };
        (off.abs() < WIDTH / 2.0 && y < shore(x) - 0.004)
            .then(|| Texel::new(asphalt, Part::Wall, shade).snow(0.12))
    });
    let post = scene.canvas.add(Surface::matte([0.15; 3], [0.0, 0.0, 1.0], Layer::Front));
    let sodium = [1.1, 0.62, 0.22];
    for k in 0..20_u16 {
        let x = ROAD.0 + 0.05 + 0.11 * f32::from(k);
        let foot = road(x) - WIDTH / 2.0;
        scene.canvas.line((x, foot), (x, foot - 0.034), 0.0022, Texel::new(post, Part::Wall, 1.0));
        scene.lamp(x, foot - 0.034, 0.040, sodium, Layer::Front);
    }
    for k in 0..42_u16 {
        let x = QUAY.0 + 0.01 + 0.078 * f32::from(k);
        scene.lamp(x, QUAY_Y - 0.018, 0.022, sodium, Layer::NearCity);
    }
}
