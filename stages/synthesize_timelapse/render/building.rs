//! Building: two faces of a corner view, in tiers, with a grid of windows.

use super::math::{Rgb, mix};
use super::scene::Scene;
use super::surface::{Kind, Layer, Part, Surface, Texel};
use crate::lib::noise::{chance, hash};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Light of homes and older offices.
pub(super) const WARM: Rgb = [0.90, 0.56, 0.24];

/// Material of a facade.
#[derive(Clone, Copy)]
pub(super) struct Material {
    pub albedo: Rgb,
    pub kind: Kind,
    /// Mirror strength of the panes, 0..1.
    pub glass: f32,
    /// Colour of lit windows.
    pub lamp: Rgb,
    /// Size of a window cell, in units of the picture's height.
    pub cell: (f32, f32),
    /// Share of the cell that is glass, across and down.
    pub pane: (f32, f32),
}

/// Place of a building; `top` and `base` are y.
#[derive(Clone, Copy)]
pub(super) struct Plot {
    pub x: f32,
    pub width: f32,
    pub top: f32,
    pub base: f32,
    pub layer: Layer,
}

/// Builds tiers from the ground up; each is narrower than the one below.
pub(super) fn build(scene: &mut Scene, rng: &mut ChaCha8Rng, plot: Plot, material: &Material) {
    let corner = rng.random_range(0.25..0.75);
    let tall = plot.base - plot.top;
    let tiers = if tall > 0.16 { rng.random_range(1..4) } else { 1 };
    let seed = rng.random();
    let tint = rng.random_range(0.85..1.15);
    let warmth = rng.random_range(0.0..0.6);
    let face = |right: f32| Surface {
        albedo: material.albedo.map(|v| v * tint),
        kind: material.kind,
        glass: material.glass,
        lamp: mix(material.lamp, WARM, warmth),
        ..Surface::matte([0.0; 3], [right, 0.0, 0.71], plot.layer)
    };
    let faces = [scene.canvas.add(face(-0.71)), scene.canvas.add(face(0.71))];
    let (mut width, mut base) = (plot.width, plot.base);
    for tier in 0..tiers {
        let top = if tier + 1 == tiers { plot.top } else { base - tall * (0.72 - 0.17 * tier as f32) };
        let top = top.clamp(plot.top, base);
        let x = plot.x + (plot.width - width) / 2.0;
        let part = Plot { x, width, top, base: plot.base.min(base + 0.002), ..plot };
        tier_faces(scene, part, material, faces, corner, seed);
        base = top;
        width *= 0.74;
    }
    crown(scene, rng, plot, faces, width / 0.74);
}

fn tier_faces(scene: &mut Scene, plot: Plot, material: &Material, faces: [u16; 2], corner: f32, seed: u32) {
    let split = plot.x + plot.width * corner;
    let far = [0.72, 0.86, 1.0][(plot.layer as usize).clamp(3, 5) - 3];
    let (cell, pane) = ((material.cell.0 * far, material.cell.1 * far), material.pane);
    scene.canvas.paint([plot.x, plot.top, plot.x + plot.width, plot.base], |x, y| {
        let side = usize::from(x > split);
        let start = [plot.x, split][side];
        let (across, down) = ((x - start) / cell.0, (y - plot.top - 0.005) / cell.1);
        let (column, row) = (across.floor() as i32, down.floor() as i32);
        let dark = 0.72 + 0.28 * ((plot.base - y) / 0.12).min(1.0);
        let inside = (across - across.floor() - 0.5).abs() < pane.0 / 2.0
            && (down - down.floor() - 0.5).abs() < pane.1 / 2.0
            && y > plot.top + 0.005;
        let key = seed ^ side as u32;
        Some(if inside {
            // The windows of a floor are often lit or dark together.
            let alone = (hash(key, column, row) >> 24) as u8;
            let floor = (hash(seed, 77, row) >> 24) as u8;
            let dice = if chance(key, row, column) < 0.85 { alone } else { floor };
            let shade = 0.72 + 0.28 * chance(key ^ 8, column, row);
            Texel::new(faces[side], Part::Window, shade * dark).dice(dice)
        } else {
            let ledge = if y < plot.top + 0.004 { 0.95 } else { 0.0 };
            Texel::new(faces[side], Part::Wall, dark).snow(ledge)
        })
    });
}

/// Plant room, pyramid or antenna on the roof.
fn crown(scene: &mut Scene, rng: &mut ChaCha8Rng, plot: Plot, faces: [u16; 2], width: f32) {
    let x = plot.x + plot.width / 2.0;
    let wall = |side: usize| Texel::new(faces[side], Part::Wall, 0.8);
    let tall = plot.base - plot.top;
    match rng.random_range(0..5) {
        0 | 1 => {
            let half = width * 0.25;
            let top = plot.top - 0.010;
            scene.canvas.rect(x - half, top, x, plot.top, wall(0).snow(0.3));
            scene.canvas.rect(x, top, x + half, plot.top, wall(1).snow(0.3));
        }
        2 if tall > 0.14 => {
            let top = plot.top - width * 0.55;
            scene.canvas.taper(x, top, plot.top, (0.0, width), wall(0).snow(0.5));
            let half = width / 2.0;
            scene.canvas.paint([x, top, x + half, plot.top], |px, py| {
                ((px - x) / half < (py - top) / (plot.top - top)).then(|| wall(1).snow(0.45))
            });
        }
        3 if tall > 0.20 => {
            let top = plot.top - 0.06;
            scene.canvas.taper(x, top, plot.top, (0.002, 0.005), wall(0));
            scene.lamp(x, top, 0.012, [1.0, 0.08, 0.05], plot.layer);
        }
        _ => {}
    }
}
