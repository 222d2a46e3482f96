//! Trees: round deciduous crowns and pointed evergreens, each with a left and a right side.

use super::canvas::ASPECT;
use super::math::{bell, smoothstep};
use super::scene::Scene;
use super::surface::{Kind, Layer, Part, Surface, Texel};
use super::terrain::{STREET, shore};
use crate::lib::noise::noise;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Surfaces of the trees in one layer: [kind][side].
struct Grove([[u16; 2]; 2]);

impl Grove {
    fn new(scene: &mut Scene, layer: Layer) -> Grove {
        let mut side = |kind, right: f32| {
            let flood = 0.04;
            let leaf = Surface::matte([0.1; 3], [right, 0.55, 0.6], layer);
            scene.canvas.add(Surface { kind, flood, ..leaf })
        };
        let mut sides = |kind| [side(kind, -0.58), side(kind, 0.58)];
        Grove([sides(Kind::Evergreen), sides(Kind::Deciduous)])
    }

    /// Plants a tree of height `tall` with its foot at (`x`, `foot`).
    fn plant(&self, scene: &mut Scene, rng: &mut ChaCha8Rng, x: f32, foot: f32, tall: f32) {
        let round = rng.random_bool(0.6);
        let (seed, dice) = (rng.random::<u32>(), rng.random::<u8>());
        let half = tall * if round { 0.46 } else { 0.26 };
        let sides = self.0[usize::from(round)];
        scene.canvas.paint([x - half, foot - tall, x + half, foot], |px, py| {
            let (across, up) = ((px - x) / half, (foot - py) / tall);
            let fuzz = noise(seed, px / tall * 14.0, py / tall * 14.0);
            let lump = noise(seed ^ 1, px / tall * 5.0, py / tall * 5.0);
            let reach = if round {
                across.hypot((up - 0.56) / 0.46) + 0.35 * (lump - 0.5) + 0.2 * (fuzz - 0.5)
            } else {
                across.abs() / (1.02 - up) + 0.5 * (fuzz - 0.5) * (up * 9.0).fract()
            };
            let trunk = up < 0.3 && across.abs() < 0.09;
            if reach > 0.95 && !trunk {
                return None;
            }
            let side = sides[usize::from(across + 0.8 * (lump - 0.5) > 0.0)];
            let shade = 0.42 + 0.30 * up + 0.28 * fuzz;
            let snow = (0.25 + 0.35 * up + 0.55 * (fuzz - 0.3)).clamp(0.0, 1.0);
            Some(Texel::new(side, Part::Leaf, shade).dice(dice).snow(snow))
        });
    }
}

/// Plants trees along the quays and around the foot of the tower.
pub(super) fn shoreline(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    let grove = Grove::new(scene, Layer::NearCity);
    for _ in 0..260 {
        let x = rng.random_range(0.0..ASPECT);
        let park = bell(x, 2.45, 0.28) + bell(x, 1.2, 0.35) + bell(x, 0.35, 0.5);
        let tall = rng.random_range(0.018..0.034) * (1.0 + park.min(1.0));
        if rng.random_bool(f64::from((0.25 + park).min(1.0))) {
            let foot = (STREET + rng.random_range(0.002..0.016)).min(shore(x));
            grove.plant(scene, rng, x, foot, tall);
        }
    }
}

/// Plants the wooded hillside in front on the left, far trees first so that near ones cover them.
pub(super) fn hillside(scene: &mut Scene, rng: &mut ChaCha8Rng) {
    let grove = Grove::new(scene, Layer::Front);
    for step in 0..230 {
        let depth = step as f32 / 230.0;
        let x = rng.random_range(0.55..3.40);
        let foot = 0.83 + 0.23 * depth;
        let tall = rng.random_range(0.035..0.060) * (1.0 + 1.4 * depth);
        // The road and a meadow in front of the tower stay free of trees.
        let road = (super::streets::road(x) - foot + 0.02).abs() < 0.028
            || (foot - tall..foot).contains(&(super::streets::road(x) + 0.005)) && foot < 0.985;
        let meadow = f64::from(0.8 * bell(x, 2.15, 0.25) * smoothstep(1.0, 0.9, depth));
        if foot < shore(x - 0.03) - 0.01
            && foot < shore(x + 0.03) - 0.01
            && !road
            && rng.random_bool(1.0 - meadow)
        {
            grove.plant(scene, rng, x, foot, tall);
        }
    }
}
