//! The static scene: everything painted back to front from a scene seed.

use super::canvas::{ASPECT, Canvas};
use super::factors::stream;
use super::math::Rgb;
use super::surface::{Layer, Part};
use super::{city, harbour, landmarks, plants, streets, terrain, tower};

/// A light whose halo is added to the picture by night.
#[derive(Clone, Copy)]
pub struct Lamp {
    pub x: f32,
    pub y: f32,
    /// Reach of the halo in clean air, in units of the height.
    pub radius: f32,
    pub colour: Rgb,
    pub layer: Layer,
}

/// The sample buffer with its lamps.
pub struct Scene {
    pub canvas: Canvas,
    pub lamps: Vec<Lamp>,
}

impl Scene {
    pub fn new(seed: u64, width: usize, height: usize) -> Scene {
        let mut scene = Scene { canvas: Canvas::new(width, height), lamps: Vec::new() };
        // One stream per part: a change to one leaves the others as they are.
        let rng = |part| stream(seed, 0, part);
        let relief = (seed ^ (seed >> 32)) as u32;
        terrain::mountains(&mut scene, relief);
        terrain::hills(&mut scene, relief);
        city::far(&mut scene, &mut rng(101));
        harbour::bridge(&mut scene);
        landmarks::masts(&mut scene);
        city::middle(&mut scene, &mut rng(102));
        tower::build(&mut scene);
        city::near(&mut scene, &mut rng(103));
        landmarks::stadium(&mut scene);
        terrain::ground(&mut scene, relief);
        plants::shoreline(&mut scene, &mut rng(104));
        harbour::cranes(&mut scene);
        landmarks::wheel(&mut scene);
        terrain::water(&mut scene);
        harbour::piers(&mut scene, &mut rng(105));
        streets::lay(&mut scene);
        plants::hillside(&mut scene, &mut rng(106));
        scene.drop_hidden_lamps();
        scene
    }

    /// A lamp that something nearer covers throws no halo.
    fn drop_hidden_lamps(&mut self) {
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

    pub fn lamp(&mut self, x: f32, y: f32, radius: f32, colour: Rgb, layer: Layer) {
        self.lamps.push(Lamp { x, y, radius, colour, layer });
    }
}
