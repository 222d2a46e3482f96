//! Painting of the static scene from its seed, back to front.

use super::canvas::Canvas;
use super::factors::frame_stream;
use super::scene::Scene;
use super::{city, harbour, landmarks, plants, streets, terrain, tower};

/// Paints the scene of a seed.
pub(super) fn paint(seed: u64, width: usize, height: usize) -> Scene {
    let mut scene = Scene { canvas: Canvas::new(width, height), lamps: Vec::new() };
    // Each part has its own stream, so that a change to one part does not affect the others.
    let rng = |part| frame_stream(seed, 0, part);
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
