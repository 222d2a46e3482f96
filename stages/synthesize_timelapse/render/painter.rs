//! Painting of surfaces and lamps of moving objects into a frame.

use super::glow::halo;
use super::light::Light;
use super::math::{Rgb, add, mix, mul, scale};
use super::picture::Picture;
use super::scene::Lamp;
use super::sky::Sky;
use super::surface::Layer;
use super::tables::Tables;

/// Frame into which moving objects are painted, with its light.
pub(super) struct Painter<'a> {
    pub light: &'a Light,
    pub tables: &'a Tables,
    pub sky: &'a Sky<'a>,
    pub picture: &'a mut Picture,
}

impl Painter<'_> {
    /// Returns the visible colour of a surface of reflectance `albedo` at a place.
    pub(super) fn lit(&self, albedo: Rgb, x: f32, y: f32, layer: Layer) -> Rgb {
        let row = &self.tables.rows[((y * self.picture.height as f32) as usize).min(self.picture.height - 1)];
        let light = add(self.light.ambient, scale(self.light.direct, 0.55 * row.sunlit));
        mix(self.sky.haze(x), mul(albedo, light), row.clear[layer as usize])
    }

    pub(super) fn rect(&mut self, area: [f32; 4], albedo: Rgb, layer: Layer) {
        let colour = self.lit(albedo, area[0], area[3], layer);
        self.picture.stamp(area, colour, |_, _| true);
    }

    pub(super) fn lamp(&mut self, x: f32, y: f32, radius: f32, colour: Rgb) {
        let lamp = Lamp { x, y, radius, colour, layer: Layer::Front };
        if self.light.night > 0.0 {
            halo(self.picture, &lamp, self.light.factors.haze, self.light.night);
        }
    }
}
