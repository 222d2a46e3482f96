//! Linear RGB arithmetic, smooth steps and hashed value noise.

/// Linear-light red, green and blue; 1 is a bright white, and highlights may exceed it.
pub(super) type Rgb = [f32; 3];

pub(super) fn add(a: Rgb, b: Rgb) -> Rgb {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn mul(a: Rgb, b: Rgb) -> Rgb {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

pub(super) fn scale(a: Rgb, k: f32) -> Rgb {
    [a[0] * k, a[1] * k, a[2] * k]
}

/// Interpolates linearly: `a` at `t` = 0, `b` at `t` = 1.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    add(scale(a, 1.0 - t), scale(b, t))
}

/// Rec. 709 luminance of a linear colour.
pub(super) fn luminance(c: Rgb) -> f32 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

pub(super) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Returns 0 at `from`, 1 at `to`, and a smooth transition in between; `from` may exceed `to`.
pub(super) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Bell of height 1 and standard deviation `width` around `centre`.
pub(super) fn bell(x: f32, centre: f32, width: f32) -> f32 {
    let d = (x - centre) / width;
    (-0.5 * d * d).exp()
}

/// Hashes a seed and a lattice point.
pub(super) fn hash(seed: u32, x: i32, y: i32) -> u32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// Returns the `hash` as a number in 0..1.
pub(super) fn chance(seed: u32, x: i32, y: i32) -> f32 {
    (hash(seed, x, y) >> 8) as f32 / 16_777_216.0
}

/// Value noise in 0..1 with lattice spacing 1.
pub(super) fn noise(seed: u32, x: f32, y: f32) -> f32 {
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

    #[test]
    fn smoothstep_runs_either_way() {
        assert!(smoothstep(0.0, 1.0, 0.9) > 0.9);
        assert!(smoothstep(1.0, 0.0, 0.9) < 0.1);
    }
}
