//! Waterside: a suspension bridge, container cranes and piers.

use super::canvas::ASPECT;
use super::scene::Scene;
use super::surface::{Layer, Part, Surface, Texel};
use super::terrain::{STREET, shore};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Builds a suspension bridge across the sound at the right edge.
pub(super) fn bridge(scene: &mut Scene) {
    let steel = Surface::matte([0.20, 0.30, 0.26], [-0.3, 0.2, 0.93], Layer::FarCity);
    let steel = scene.canvas.add(Surface { flood: 0.25, ..steel });
    let texel = Texel::new(steel, Part::Wall, 1.0);
    let (deck, top) = (0.690, 0.46);
    let pylons = [6.78, 7.42];
    let sag = |x: f32| {
        let t = (x - 7.10) / 0.32;
        if t.abs() <= 1.0 { deck - 0.02 - (deck - 0.02 - top) * t * t } else { top + (t.abs() - 1.0) * 0.284 }
    };
    scene.canvas.curve(120, 0.0035, texel, |t| {
        let x = 6.52 + t * (ASPECT - 6.5);
        (x, sag(x).min(deck))
    });
    for hanger in 0..60_u16 {
        let x = 6.52 + 0.02 * f32::from(hanger);
        scene.canvas.line((x, sag(x).min(deck)), (x, deck), 0.0012, texel);
        if hanger % 4 == 0 {
            scene.lamp(x, deck - 0.006, 0.012, [1.0, 0.72, 0.35], Layer::FarCity);
        }
    }
    scene.canvas.rect(6.2, deck, ASPECT, deck + 0.009, texel.snow(0.25));
    for x in pylons {
        for off in [-0.014, 0.014] {
            scene.canvas.taper(x + off, top - 0.01, 0.80, (0.007, 0.011), texel);
        }
        for y in [top, 0.54, 0.62] {
            scene.canvas.rect(x - 0.014, y, x + 0.014, y + 0.008, texel);
        }
        scene.lamp(x, top - 0.012, 0.018, [1.2, 0.10, 0.05], Layer::FarCity);
    }
}

/// Builds gantry cranes and stacked containers of the port.
pub(super) fn cranes(scene: &mut Scene) {
    let paint = |albedo| Surface::matte(albedo, [-0.4, 0.1, 0.9], Layer::NearCity);
    let orange = scene.canvas.add(paint([0.62, 0.22, 0.06]));
    let texel = Texel::new(orange, Part::Wall, 1.0);
    for x in [6.62, 6.90, 7.18] {
        let (top, foot) = (0.640, STREET + 0.018);
        for leg in [-0.035, 0.035] {
            scene.canvas.line((x + leg, foot), (x + leg * 0.8, top), 0.006, texel);
        }
        scene.canvas.rect(x - 0.11, top, x + 0.08, top + 0.008, texel.snow(0.4));
        scene.canvas.rect(x - 0.035, 0.72, x + 0.035, 0.726, texel);
        scene.canvas.line((x, top - 0.055), (x - 0.10, top), 0.003, texel);
        scene.canvas.line((x, top - 0.055), (x + 0.07, top), 0.003, texel);
        scene.canvas.line((x, top - 0.055), (x, top), 0.006, texel);
        scene.lamp(x, top - 0.055, 0.014, [1.1, 0.10, 0.05], Layer::NearCity);
        scene.lamp(x - 0.05, top + 0.012, 0.040, [0.80, 0.70, 0.45], Layer::NearCity);
    }
    let colours = [[0.45, 0.10, 0.07], [0.08, 0.17, 0.35], [0.10, 0.28, 0.16], [0.50, 0.46, 0.38]];
    let colours = colours.map(|albedo| scene.canvas.add(paint(albedo)));
    for (place, x) in (0..34_u16).map(|k| (k, 6.48 + 0.034 * f32::from(k))) {
        for level in 0..(place * 7 % 5) {
            let y = STREET + 0.016 - 0.013 * f32::from(level);
            let colour = colours[usize::from(place * 5 + level * 3) % 4];
            let boxed = Texel::new(colour, Part::Wall, 0.9).snow(0.15);
            scene.canvas.rect(x, y - 0.012, x + 0.032, y, boxed);
        }
    }
}

/// Builds sheds on piles that extend into the bay.
pub(super) fn piers(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    let faces = [[0.30, 0.10, 0.07], [0.24, 0.27, 0.26], [0.52, 0.50, 0.44]];
    let roof = Surface::matte([0.22, 0.22, 0.23], [0.0, 0.8, 0.6], Layer::NearCity);
    let roof = scene.canvas.add(roof);
    for (k, x) in [3.55, 3.92, 4.28, 4.66, 5.00, 5.45].into_iter().enumerate() {
        let wall = Surface::matte(faces[k % 3], [0.2, 0.0, 0.98], Layer::NearCity);
        let wall = scene.canvas.add(wall);
        let wide = rng.random_range(0.13..0.24);
        let base = shore(x) + 0.022;
        let (top, eave) = (base - 0.050, base - 0.036);
        scene.canvas.taper(
            x + wide / 2.0,
            top,
            eave,
            (wide * 0.55, wide),
            Texel::new(roof, Part::Wall, 1.0).snow(0.85),
        );
        scene.canvas.paint([x, eave, x + wide, base - 0.006], |px, py| {
            let bay = ((px - x) * 55.0).fract();
            let pane = (0.25..0.75).contains(&bay) && (eave + 0.008..eave + 0.020).contains(&py);
            let part = if pane { Part::Window } else { Part::Wall };
            Some(Texel::new(wall, part, 0.9).dice((bay * 90.0) as u8))
        });
        scene.canvas.rect(x - 0.01, base - 0.007, x + wide + 0.01, base, Texel::new(wall, Part::Wall, 0.4));
        for end in [x, x + wide] {
            scene.lamp(end, eave, 0.022, [1.0, 0.68, 0.30], Layer::NearCity);
        }
    }
}
