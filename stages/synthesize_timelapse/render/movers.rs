//! Moving objects that are not style: boats, traffic, birds and a plane, drawn by (seed, frame index).

use super::boats;
use super::factors::frame_stream;
use super::light::Light;
use super::painter::Painter;
use super::picture::Picture;
use super::sky::Sky;
use super::streets::{QUAY, QUAY_Y, ROAD, road};
use super::surface::Layer;
use super::tables::Tables;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(super) fn draw(mut rng: ChaCha8Rng, light: &Light, tables: &Tables, sky: &Sky, picture: &mut Picture) {
    let mut painter = Painter { light, tables, sky, picture };
    traffic(&mut rng, &mut painter);
    for _ in 0..rng.random_range(2..6) {
        boats::sail(&mut rng, &mut painter);
    }
    birds(&mut rng, &mut painter);
}

/// Returns the stream of random numbers for the moving objects of a frame.
pub(super) fn motion(seed: u64, index: u64) -> ChaCha8Rng {
    frame_stream(seed, index, 1)
}

fn traffic(rng: &mut ChaCha8Rng, painter: &mut Painter) {
    for k in 0..44 {
        let near = k % 2 == 0;
        let (x, size, layer) = if near {
            (rng.random_range(ROAD.0 + 0.1..ROAD.1 - 0.1), 0.013, Layer::Front)
        } else {
            (rng.random_range(QUAY.0..QUAY.1), 0.008, Layer::NearCity)
        };
        let right = rng.random_bool(0.5);
        let lane = if right { 0.003 } else { -0.003 };
        let y = if near { road(x) + 1.4 * lane } else { QUAY_Y + 0.5 * lane };
        let paint = [[0.6; 3], [0.08; 3], [0.35, 0.05, 0.04], [0.10, 0.16, 0.35], [0.3; 3]];
        let paint = paint[rng.random_range(0..paint.len())];
        let tall = size * 0.42;
        painter.rect([x, y - tall * 0.6, x + size, y], paint, layer);
        painter.rect([x + size * 0.2, y - tall, x + size * 0.75, y - tall * 0.6], paint, layer);
        let (front, back) = if right { (x + size, x) } else { (x, x + size) };
        painter.lamp(front, y - tall * 0.4, size * 0.9, [0.95, 0.92, 0.75]);
        painter.lamp(back, y - tall * 0.4, size * 0.6, [0.9, 0.06, 0.03]);
    }
}

/// Draws a loose flock of birds, and sometimes an airliner high up.
fn birds(rng: &mut ChaCha8Rng, painter: &mut Painter) {
    let (x, y) = (rng.random_range(0.4..7.2), rng.random_range(0.15..0.45));
    for _ in 0..rng.random_range(0..8) {
        let (bx, by) = (x + rng.random_range(-0.2..0.2), y + rng.random_range(-0.06..0.06));
        let (span, flap) = (rng.random_range(0.006..0.010_f32), rng.random_range(-0.7..0.7_f32));
        let colour = painter.lit([0.10; 3], bx, by, Layer::NearCity);
        painter.picture.stamp([bx - span, by - span, bx + span, by + span], colour, |px, py| {
            let bend = (px - bx).abs() / span;
            (py - by + flap * span * bend * (1.6 - bend)).abs() < 0.14 * span * (1.15 - bend)
        });
    }
    if rng.random_bool(0.35) {
        let (px, py) = (rng.random_range(0.5..7.0), rng.random_range(0.05..0.25));
        painter.rect([px, py, px + 0.020, py + 0.0022], [0.8; 3], Layer::FarCity);
        painter.rect([px + 0.008, py - 0.002, px + 0.011, py + 0.005], [0.6; 3], Layer::FarCity);
        painter.lamp(px, py, 0.008, [1.0, 0.5, 0.4]);
    }
}
