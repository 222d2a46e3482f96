//! Smooth noise on a plane, which depends only on a seed and a place.

/// Hashes a seed and a lattice point.
pub(crate) fn hash(seed: u32, x: i32, y: i32) -> u32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// Returns the `hash` as a number in 0..1.
pub(crate) fn chance(seed: u32, x: i32, y: i32) -> f32 {
    (hash(seed, x, y) >> 8) as f32 / 16_777_216.0
}

/// Value noise in 0..1 with lattice spacing 1.
pub(crate) fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let (u, v) = (x - fx, y - fy);
    let (u, v) = (u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v));
    let top = chance(seed, ix, iy) * (1.0 - u) + chance(seed, ix + 1, iy) * u;
    let low = chance(seed, ix, iy + 1) * (1.0 - u) + chance(seed, ix + 1, iy + 1) * u;
    top * (1.0 - v) + low * v
}

/// Sum of `octaves` noises of halving size and weight, in 0..1 around 0.5.
pub(crate) fn fractal(seed: u32, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut size) = (0.0, 0.5, 0.0, 1.0);
    for octave in 0..octaves {
        sum += weight * noise(seed.wrapping_add(octave * 7919), x * size, y * size);
        total += weight;
        weight *= 0.5;
        size *= 2.03;
    }
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_continuous_and_stays_in_zero_to_one() {
        for step in 0..2000 {
            let x = step as f32 * 0.01 - 5.0;
            let (here, next) = (noise(3, x, 0.3), noise(3, x + 0.001, 0.3));
            assert!((0.0..=1.0).contains(&here));
            assert!((here - next).abs() < 0.01);
        }
    }
}
