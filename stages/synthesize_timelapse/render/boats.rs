//! Ferries, sailing boats and motor boats, which are a part of the movers.

use super::painter::Painter;
use super::surface::Layer::Front;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Draws one boat somewhere on the bay or the lake; nearer boats are larger.
pub(super) fn sail(rng: &mut ChaCha8Rng, painter: &mut Painter) {
    let lake = rng.random_bool(0.2);
    let x = rng.random_range(if lake { 0.03..0.45 } else { 3.5..7.4 });
    let y: f32 = rng.random_range(0.0..0.09) + if lake { 0.885 } else { 0.868 };
    let size = 0.6 + (y - 0.86) * 7.0;
    match rng.random_range(0..3) {
        0 if !lake => ferry(painter, x, y, size),
        1 => sailing_boat(painter, x, y, size),
        _ => motor_boat(painter, x, y, size),
    }
}

fn ferry(painter: &mut Painter, x: f32, y: f32, size: f32) {
    let (long, tall) = (0.105 * size, 0.0085 * size);
    // (left, right) in lengths, (top, bottom) in decks over the waterline, reflectance.
    let parts = [
        ((0.04, 0.96), (0.0, -1.0), [0.10, 0.13, 0.13]),
        ((0.00, 1.00), (1.0, 0.0), [0.10, 0.22, 0.18]),
        ((0.04, 0.96), (2.4, 1.0), [0.75; 3]),
        ((0.10, 0.90), (1.9, 1.5), [0.08; 3]),
        ((0.40, 0.60), (3.4, 2.4), [0.70; 3]),
    ];
    for ((left, right), (top, bottom), albedo) in parts {
        let (x0, x1) = (x + left * long, x + right * long);
        painter.rect([x0, y - top * tall, x1, y - bottom * tall], albedo, Front);
    }
    for k in 0..9_u8 {
        let along = long * (0.1 + 0.1 * f32::from(k));
        painter.lamp(x + along, y - 1.7 * tall, 0.007 * size, [1.0, 0.85, 0.55]);
    }
}

fn sailing_boat(painter: &mut Painter, x: f32, y: f32, size: f32) {
    let (long, tall) = (0.030 * size, 0.050 * size);
    let sail = painter.lit([0.78, 0.77, 0.74], x, y, Front);
    let area = [x + 0.1 * long, y - tall, x + long, y - 0.08 * tall];
    painter.picture.stamp(area, sail, |px, py| {
        let (along, up) = ((px - x) / long, (y - py) / tall);
        let jib = along < 0.45 && along > 0.15 + 0.27 * up;
        jib || along > 0.5 && along < 1.0 - 0.5 * up
    });
    let hull = [x, y - 0.08 * tall, x + long, y + 0.05 * tall];
    painter.rect(hull, [0.4, 0.42, 0.45], Front);
    painter.lamp(x + 0.48 * long, y - tall, 0.006, [0.8, 0.8, 0.75]);
}

fn motor_boat(painter: &mut Painter, x: f32, y: f32, size: f32) {
    let (long, tall) = (0.034 * size, 0.007 * size);
    painter.rect([x, y - tall, x + long, y], [0.65, 0.66, 0.68], Front);
    let cabin = [x + 0.35 * long, y - 1.9 * tall, x + 0.7 * long, y - tall];
    painter.rect(cabin, [0.5, 0.52, 0.55], Front);
    let wake = [x + long, y - 0.1 * tall, x + 2.2 * long, y + 0.15 * tall];
    painter.rect(wake, [0.55, 0.6, 0.6], Front);
    painter.lamp(x, y - 1.5 * tall, 0.012, [0.9, 0.9, 0.8]);
}
