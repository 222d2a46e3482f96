//! Synthetic stand-in for a timelapse of the Seattle skyline.
//!
//! The scene is fixed by its seed; a frame shows it under style factors (hour, cloud cover, haze,
//! season). Two things in a frame are not style and change with (seed, index): the pattern of the
//! clouds and the parts that move. Coordinates are in units of the height: x runs 0..23/3, y 0..1.

mod boats;
mod building;
mod canvas;
mod city;
mod factors;
mod glow;
mod harbour;
mod hours;
mod landmarks;
mod light;
mod math;
mod movers;
mod paint;
mod painter;
mod picture;
mod plants;
mod scene;
mod season;
mod shade;
mod shapes;
mod sky;
mod streets;
mod sun;
mod surface;
mod tables;
mod terrain;
#[cfg(test)]
mod tests;
mod tower;
mod water;

pub(super) use factors::{Factors, Mode, sample};

use rand::Rng;

/// Scene that is laid out for one size of picture. Its frames may be rendered in parallel.
pub(super) struct Renderer {
    scene: scene::Scene,
}

impl Renderer {
    /// Lays out the scene. This takes about 50 bytes of memory per pixel for up to 400 rows, and 12 for more.
    ///
    /// The scene always fills the picture; it is designed for widths of 23/3 of the height.
    #[must_use]
    pub(super) fn new(scene_seed: u64, width: u32, height: u32) -> Renderer {
        Renderer { scene: paint::paint(scene_seed, width as usize, height as usize) }
    }

    /// Renders frame `index` under `factors` to RGB bytes, row-major. The result depends only on the seeds
    /// and arguments.
    #[must_use]
    pub(super) fn frame(&self, seed: u64, index: u64, factors: &Factors) -> Vec<u8> {
        let scene = &self.scene;
        let pattern = factors::frame_stream(seed, index, 2).random();
        let light = light::Light::new(factors);
        let tables = tables::Tables::new(scene, &light);
        let sky = sky::Sky::new(&light, pattern);
        let mut picture = picture::Picture::new(scene.canvas.width, scene.canvas.height);
        shade::shade(scene, &tables, &sky, &mut picture);
        glow::lamps(scene, &light, &tables, &mut picture);
        water::reflect(scene, &light, &tables, &sky, &mut picture);
        movers::draw(movers::motion(seed, index), &light, &tables, &sky, &mut picture);
        picture.to_rgb8()
    }
}
