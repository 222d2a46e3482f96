//! Halos of lamps at night. Haze widens them, and the air in between dims them.

use super::light::Light;
use super::math::{add, scale};
use super::picture::Picture;
use super::scene::{Lamp, Scene};
use super::tables::Tables;

/// Adds the halo of every lamp of the scene.
pub(super) fn lamps(scene: &Scene, light: &Light, tables: &Tables, picture: &mut Picture) {
    if light.night <= 0.0 {
        return;
    }
    for lamp in &scene.lamps {
        let row = ((lamp.y * picture.height as f32) as usize).min(picture.height - 1);
        let clear = tables.rows[row].clear[lamp.layer as usize];
        halo(picture, lamp, light.factors.haze, light.night * clear.sqrt());
    }
}

/// Adds a bright core in a soft disc; `power` is in 0..1.
pub(super) fn halo(picture: &mut Picture, lamp: &Lamp, haze: f32, power: f32) {
    let reach = lamp.radius * (1.0 + 1.2 * haze);
    let [columns, rows] = picture.span([lamp.x - reach, lamp.y - reach, lamp.x + reach, lamp.y + reach]);
    let per = picture.height as f32;
    // A core smaller than a pixel would vanish or flicker with the size of the picture.
    let core = (reach * 0.10).max(0.35 / per);
    for row in rows {
        for column in columns.clone() {
            let dx = (column as f32 + 0.5) / picture.width as f32 * super::canvas::ASPECT - lamp.x;
            let far = dx.hypot((row as f32 + 0.5) / per - lamp.y);
            if far < reach {
                let soft = (1.0 - far / reach).powi(2) * (0.28 + 0.25 * haze);
                let peak = 1.3 * (-(far / core).powi(2)).exp();
                let at = row * picture.width + column;
                let light = scale(lamp.colour, power * (soft + peak));
                picture.pixels[at] = add(picture.pixels[at], light);
            }
        }
    }
}
