//! One texture: folded noise in the colours of a palette.

use rand::Rng;

use crate::lib::noise::fractal;
use crate::lib::random::stream;

/// Dark, middle and light colours, in sRGB.
type Palette = [[f32; 3]; 3];

/// Palettes of the styles, all equally likely: earth, leaves, flame, ice, ink, rose, sand, neon.
const PALETTES: [Palette; 8] = [
    [[40.0, 26.0, 18.0], [134.0, 92.0, 60.0], [214.0, 184.0, 140.0]],
    [[12.0, 34.0, 20.0], [60.0, 122.0, 52.0], [190.0, 214.0, 120.0]],
    [[30.0, 4.0, 6.0], [196.0, 60.0, 20.0], [252.0, 214.0, 110.0]],
    [[10.0, 30.0, 60.0], [96.0, 160.0, 206.0], [236.0, 248.0, 252.0]],
    [[8.0, 8.0, 10.0], [90.0, 92.0, 98.0], [236.0, 236.0, 230.0]],
    [[50.0, 8.0, 36.0], [204.0, 84.0, 130.0], [250.0, 216.0, 220.0]],
    [[96.0, 78.0, 50.0], [200.0, 172.0, 120.0], [244.0, 230.0, 198.0]],
    [[14.0, 4.0, 48.0], [120.0, 20.0, 200.0], [40.0, 240.0, 220.0]],
];
/// Numbers of folds across the height of a frame, for the coarsest and the finest textures.
const FOLDS: (f32, f32) = (2.0, 14.0);
/// Shares of the palette that are used, for the flattest and the richest textures.
const CONTRAST: (f32, f32) = (0.35, 1.0);
const OCTAVES: u32 = 4;

/// Parameters of a frame.
pub(super) struct Texture {
    palette: &'static Palette,
    folds: f32,
    contrast: f32,
    /// Seed of the noise, which is the content.
    noise: u32,
}

impl Texture {
    /// Draws the texture of a frame, which depends only on the two arguments.
    pub(super) fn sample(seed: i64, frame: u64) -> Self {
        let mut random = stream(seed, "texture", frame);
        Self {
            palette: &PALETTES[random.random_range(0..PALETTES.len())],
            folds: random.random_range(FOLDS.0..FOLDS.1),
            contrast: random.random_range(CONTRAST.0..CONTRAST.1),
            noise: random.random(),
        }
    }

    /// Returns the pixels row by row, with 8 bits each of red, green and blue.
    pub(super) fn draw(&self, (width, height): (u32, u32)) -> Vec<u8> {
        let mut pixels = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height {
            for x in 0..width {
                pixels.extend(self.colour(x as f32 / height as f32, y as f32 / height as f32));
            }
        }
        pixels
    }

    /// Returns the colour at a place, in units of the frame's height.
    fn colour(&self, x: f32, y: f32) -> [u8; 3] {
        let noise = |x: f32, y: f32, n: u32| fractal(self.noise.wrapping_add(n), x, y, OCTAVES);
        let (x, y) = (x * self.folds, y * self.folds);
        // Noise at places that are shifted by other noise looks folded like marble.
        let value = noise(x + 3.0 * noise(x, y, 1), y + 3.0 * noise(x, y, 2), 0);
        let value = (0.5 + (value - 0.5) * 2.4 * self.contrast).clamp(0.0, 1.0) * 2.0;
        let (from, share) = (value.floor().min(1.0) as usize, value - value.floor().min(1.0));
        let [low, high] = [self.palette[from], self.palette[from + 1]];
        [0, 1, 2].map(|c| (low[c] + (high[c] - low[c]) * share).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_function_of_seed_and_number_and_no_two_are_alike() {
        let drawn = |seed, frame| Texture::sample(seed, frame).draw((46, 6));
        assert_eq!(drawn(1, 5), drawn(1, 5));
        assert!(drawn(1, 5) != drawn(1, 6) && drawn(1, 5) != drawn(2, 5));
        assert_eq!(drawn(0, 0).len(), 46 * 6 * 3);
    }

    #[test]
    fn colours_are_those_of_the_palette() {
        for frame in 0..20 {
            let texture = Texture::sample(0, frame);
            let ends = |c: usize| {
                let values = texture.palette.map(|colour| colour[c]);
                (values.iter().copied().fold(f32::MAX, f32::min), values.iter().copied().fold(0.0, f32::max))
            };
            for pixel in texture.draw((40, 20)).chunks(3) {
                for (c, value) in pixel.iter().enumerate() {
                    assert!((ends(c).0..=ends(c).1).contains(&f32::from(*value)));
                }
            }
        }
    }
}
