//! Static scene and its lamps.

use super::canvas::{ASPECT, Canvas};
use super::math::Rgb;
use super::surface::{Layer, Part};

/// Lamp whose halo is added to the picture at night.
#[derive(Clone, Copy)]
pub(super) struct Lamp {
    pub x: f32,
    pub y: f32,
    /// Reach of the halo in clean air, in units of the height.
    pub radius: f32,
    pub colour: Rgb,
    pub layer: Layer,
}

/// Sample buffer with the lamps of the scene.
pub(super) struct Scene {
    pub canvas: Canvas,
    pub lamps: Vec<Lamp>,
}

impl Scene {
    /// Removes lamps that a nearer surface covers, so that they have no halo.
    pub(super) fn drop_hidden_lamps(&mut self) {
        let canvas = &self.canvas;
        self.lamps.retain(|lamp| {
            let column = (lamp.x / ASPECT * canvas.width as f32) as usize;
            let row = (lamp.y * canvas.height as f32) as usize;
            let texels = canvas.pixel(column.min(canvas.width - 1), row.min(canvas.height - 1));
            texels.iter().any(|t| match t.part {
                Part::Sky | Part::Water => true,
                _ => canvas.surfaces[usize::from(t.surface)].layer as usize <= lamp.layer as usize,
            })
        });
    }

    pub(super) fn lamp(&mut self, x: f32, y: f32, radius: f32, colour: Rgb, layer: Layer) {
        self.lamps.push(Lamp { x, y, radius, colour, layer });
    }
}
