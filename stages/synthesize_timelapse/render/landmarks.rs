//! Landmarks that distinguish the eight crops: masts, stadium and ferris wheel.

use super::scene::Scene;
use super::surface::{Kind, Layer, Part, Surface, Texel};
use super::terrain::STREET;
use std::f32::consts::TAU;

/// Builds three red and white radio masts on the hill at the left.
pub(super) fn masts(scene: &mut Scene) {
    let metal = |albedo| Surface::matte(albedo, [0.0, 0.0, 1.0], Layer::FarCity);
    let red = scene.canvas.add(metal([0.55, 0.08, 0.05]));
    let white = scene.canvas.add(metal([0.7, 0.7, 0.7]));
    for (x, top) in [(0.24, 0.30), (0.42, 0.36), (0.55, 0.33)] {
        let base = 0.70;
        scene.canvas.paint([x - 0.02, top, x + 0.02, base], |px, py| {
            let t = (py - top) / (base - top);
            let (off, half) = ((px - x).abs(), 0.0015 + 0.016 * t * t);
            let brace = ((py * 40.0).fract() - 0.5).abs() * 2.0 * half;
            let inside = (off - half).abs() < 0.0013 || (off - brace).abs() < 0.0008 && off < half;
            let band = if (t * 7.0).fract() < 0.5 { red } else { white };
            inside.then(|| Texel::new(band, Part::Wall, 1.0))
        });
        for t in [0.0, 0.35, 0.7] {
            scene.lamp(x, top + t * (base - top), 0.016, [1.1, 0.08, 0.04], Layer::FarCity);
        }
    }
}

/// Builds an open bowl under two arches, floodlit at night.
pub(super) fn stadium(scene: &mut Scene) {
    let (x, half, base) = (6.05, 0.34, STREET);
    let shell = |right: f32| Surface {
        flood: 0.22,
        kind: Kind::Office,
        ..Surface::matte([0.42, 0.40, 0.38], [right, 0.2, 0.75], Layer::NearCity)
    };
    let faces = [scene.canvas.add(shell(-0.6)), scene.canvas.add(shell(0.6))];
    let steel = Surface::matte([0.62, 0.65, 0.66], [0.0, 0.6, 0.8], Layer::NearCity);
    let steel = scene.canvas.add(Surface { flood: 0.45, ..steel });
    scene.canvas.paint([x - half, base - 0.12, x + half, base], |px, py| {
        let across = (px - x) / half;
        let rim = base - 0.085 - 0.028 * across * across;
        let bay = ((px - x) * 38.0).rem_euclid(1.0);
        let deck = ((py - rim) * 34.0).rem_euclid(1.0);
        let side = usize::from(across > 0.0);
        let dice = (across.abs() * 200.0) as u8;
        (py > rim).then(|| {
            if (0.2..0.8).contains(&bay) && (0.35..0.8).contains(&deck) {
                Texel::new(faces[side], Part::Window, 0.7).dice(dice)
            } else {
                Texel::new(faces[side], Part::Wall, 0.95).snow(if deck < 0.1 { 0.5 } else { 0.0 })
            }
        })
    });
    let arch = |lift: f32| {
        move |t: f32| {
            let u = 2.0 * t - 1.0;
            (x + u * half * 1.04, base - 0.07 - lift * (1.0 - u * u))
        }
    };
    for lift in [0.10, 0.125] {
        scene.canvas.curve(60, 0.008, Texel::new(steel, Part::Wall, 1.0).snow(0.4), arch(lift));
    }
    for post in 1..12_u16 {
        let (px, py) = arch(0.10)(f32::from(post) / 12.0);
        scene.canvas.line((px, py), (px, base - 0.09), 0.002, Texel::new(steel, Part::Wall, 0.7));
    }
    for t in [0.25, 0.5, 0.75] {
        let (px, py) = arch(0.125)(t);
        scene.lamp(px, py, 0.05, [0.75, 0.85, 0.95], Layer::NearCity);
    }
}

/// Builds the wheel on its pier, with coloured bulbs along spokes and rim.
pub(super) fn wheel(scene: &mut Scene) {
    let (centre, radius) = ((5.12, 0.685), 0.105);
    let frame =
        |lamp| Surface { lamp, ..Surface::matte([0.70, 0.70, 0.72], [0.0, 0.2, 0.95], Layer::NearCity) };
    let rim = scene.canvas.add(frame([0.25, 0.55, 1.4]));
    let cabin = scene.canvas.add(frame([1.2, 0.35, 0.9]));
    let bulb = |surface| Texel::new(surface, Part::Bulb, 1.0);
    for foot in [-0.055, 0.055] {
        let leg = Texel::new(rim, Part::Wall, 0.9);
        scene.canvas.line(centre, (centre.0 + foot, STREET + 0.02), 0.006, leg);
    }
    for size in [1.0, 0.93] {
        let round = |t: f32| {
            let (s, c) = (t * TAU).sin_cos();
            (centre.0 + radius * size * c, centre.1 + radius * size * s)
        };
        scene.canvas.curve(72, 0.003, bulb(rim), round);
    }
    for spoke in 0..21_u16 {
        let (s, c) = (f32::from(spoke) / 21.0 * TAU).sin_cos();
        let end = (centre.0 + radius * c, centre.1 + radius * s);
        scene.canvas.line(centre, end, 0.0016, bulb(rim));
        scene.canvas.ellipse((end.0, end.1 + 0.004), (0.0055, 0.006), bulb(cabin).snow(0.2));
    }
    scene.lamp(centre.0, centre.1, 0.11, [0.10, 0.16, 0.36], Layer::NearCity);
}
