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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothstep_runs_either_way() {
        assert!(smoothstep(0.0, 1.0, 0.9) > 0.9);
        assert!(smoothstep(1.0, 0.0, 0.9) < 0.1);
    }
}
