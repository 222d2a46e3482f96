//! Tower: a saucer on a tripod with a waist, and a spire.

use super::scene::Scene;
use super::surface::{Layer, Part, Surface, Texel};
use super::terrain::STREET;

/// The x of the tower, a third of the picture's width from the left.
pub(super) const X: f32 = 2.55;
/// y of the saucer's rim.
const RIM: f32 = 0.235;

pub(super) fn build(scene: &mut Scene) {
    let white = |right: f32, flood: f32| Surface {
        glass: 0.6,
        flood,
        ..Surface::matte([0.74, 0.73, 0.70], [right, 0.1, 0.70], Layer::NearCity)
    };
    let faces = [scene.canvas.add(white(-0.70, 0.55)), scene.canvas.add(white(0.70, 0.40))];
    let dark = Surface::matte([0.16, 0.17, 0.18], [0.0, -0.4, 0.9], Layer::NearCity);
    let under = scene.canvas.add(Surface { flood: 0.5, ..dark });
    legs(scene, faces);
    saucer(scene, faces, under);
    let wall = |side: usize| Texel::new(faces[side], Part::Wall, 1.0);
    scene.canvas.taper(X, RIM - 0.062, RIM - 0.020, (0.012, 0.040), wall(0));
    scene.canvas.taper(X + 0.006, RIM - 0.058, RIM - 0.020, (0.004, 0.022), wall(1));
    scene.canvas.taper(X, RIM - 0.150, RIM - 0.055, (0.0015, 0.009), wall(0));
    scene.lamp(X, RIM - 0.150, 0.030, [1.6, 0.12, 0.06], Layer::NearCity);
    scene.lamp(X, RIM + 0.004, 0.060, [0.30, 0.26, 0.18], Layer::NearCity);
}

/// Returns half the width of the tripod at `t`, which is 0 under the saucer and 1 on the ground.
fn spread(t: f32) -> f32 {
    let waist = (t - 0.38).abs();
    0.011 + if t < 0.38 { 0.12 } else { 0.105 } * waist.powf(1.55)
}

fn legs(scene: &mut Scene, faces: [u16; 2]) {
    let (top, base) = (RIM + 0.012, STREET);
    scene.canvas.paint([X - 0.08, top, X + 0.08, base], |x, y| {
        let t = (y - top) / (base - top);
        let (off, half) = (x - X, spread(t));
        let leg = 0.0055 + 0.003 * t;
        let (side, shade) = if (off + half).abs() < leg {
            (0, 1.0)
        } else if (off - half).abs() < leg {
            (1, 1.0)
        } else if off.abs() < 0.0055 {
            (usize::from(off > 0.0), 0.75)
        } else if off.abs() < half && (t * 26.0).fract() < 0.12 {
            (0, 0.6)
        } else {
            return None;
        };
        Some(Texel::new(faces[side], Part::Wall, shade))
    });
    // This is the low hall between the legs.
    let hall = Texel::new(faces[0], Part::Wall, 0.85);
    scene.canvas.rect(X - 0.055, 0.645, X + 0.055, 0.658, hall.snow(0.5));
    scene.canvas.rect(X - 0.050, 0.650, X + 0.050, 0.655, Texel::new(faces[1], Part::Window, 0.8));
}

fn saucer(scene: &mut Scene, faces: [u16; 2], under: u16) {
    let bowl = Texel::new(under, Part::Wall, 1.0);
    scene.canvas.taper(X, RIM + 0.004, RIM + 0.034, (0.150, 0.030), bowl);
    scene.canvas.paint([X - 0.10, RIM - 0.022, X + 0.10, RIM + 0.010], |x, y| {
        let (off, down) = ((x - X) / 0.10, (y - RIM) / 0.010);
        let side = usize::from(off > 0.1);
        let roof = down < 0.0 && off.abs() < 0.78 + down * 0.17;
        let disc = off * off + down * down < 1.0;
        let deck = (-1.45..-0.65).contains(&down) && off.abs() < 0.62;
        let seam = ((off * 24.0).rem_euclid(1.0) - 0.5).abs() < 0.40;
        if deck && seam {
            let dice = ((off + 1.0) * 24.0) as u8;
            Some(Texel::new(faces[side], Part::Window, 0.9).dice(dice))
        } else if disc {
            Some(Texel::new(faces[side], Part::Wall, 0.95).snow(0.3))
        } else if roof {
            Some(Texel::new(faces[side], Part::Wall, 0.85).snow(0.9))
        } else {
            None
        }
    });
}
