//! Linear-light picture, and its conversion to display bytes.

use super::canvas::ASPECT;
use super::math::{Rgb, mix};

/// Linear light that maps to full white; brighter is clipped.
const WHITE: f32 = 4.0;
/// Strength of the film-like shoulder.
const EXPOSURE: f32 = 1.45;
const STEPS: usize = 8192;

pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<Rgb>,
}

impl Picture {
    pub(super) fn new(width: usize, height: usize) -> Picture {
        Picture { width, height, pixels: vec![[0.0; 3]; width * height] }
    }

    /// Returns the pixel at a scene position, clamped to the picture.
    pub(super) fn look(&self, x: f32, y: f32) -> Rgb {
        let column = ((x / ASPECT * self.width as f32).max(0.0) as usize).min(self.width - 1);
        let row = ((y * self.height as f32).max(0.0) as usize).min(self.height - 1);
        self.pixels[row * self.width + column]
    }

    /// Returns the columns and rows of pixels that a scene rectangle touches.
    pub(super) fn span(&self, area: [f32; 4]) -> [std::ops::Range<usize>; 2] {
        let (per_x, per_y) = (self.width as f32 / ASPECT, self.height as f32);
        let range = |from: f32, to: f32, per: f32, count: usize| {
            let end = ((to * per).ceil().max(0.0) as usize).min(count);
            ((from * per).floor().max(0.0) as usize).min(end)..end
        };
        [range(area[0], area[2], per_x, self.width), range(area[1], area[3], per_y, self.height)]
    }

    /// Blends `colour` over the part of `area` (x0, y0, x1, y1) that is `inside`, antialiased.
    pub(super) fn stamp(&mut self, area: [f32; 4], colour: Rgb, inside: impl Fn(f32, f32) -> bool) {
        const SIDE: u8 = 4;
        let [columns, rows] = self.span(area);
        let (per_x, per_y) = (self.width as f32 / ASPECT, self.height as f32);
        for row in rows {
            for column in columns.clone() {
                let hits = (0..SIDE * SIDE).filter(|k| {
                    let (i, j) = (f32::from(k % SIDE) + 0.5, f32::from(k / SIDE) + 0.5);
                    let x = (column as f32 + i / f32::from(SIDE)) / per_x;
                    let y = (row as f32 + j / f32::from(SIDE)) / per_y;
                    x >= area[0] && x < area[2] && y >= area[1] && y < area[3] && inside(x, y)
                });
                let cover = hits.count() as f32 / f32::from(SIDE * SIDE);
                let pixel = &mut self.pixels[row * self.width + column];
                *pixel = mix(*pixel, colour, cover);
            }
        }
    }

    /// Converts the picture to sRGB bytes, row-major.
    pub(super) fn to_rgb8(&self) -> Vec<u8> {
        // The table is indexed by the square root of the light, so that dark tones get enough steps.
        let table: Vec<u8> = (0..STEPS)
            .map(|k| {
                let root = k as f32 / (STEPS - 1) as f32;
                let shown = 1.0 - (-EXPOSURE * WHITE * root * root).exp();
                let coded =
                    if shown < 0.003_130_8 { 12.92 * shown } else { 1.055 * shown.powf(1.0 / 2.4) - 0.055 };
                (coded * 255.0 + 0.5) as u8
            })
            .collect();
        let code = |v: f32| table[((v.max(0.0) / WHITE).sqrt().min(1.0) * (STEPS - 1) as f32) as usize];
        self.pixels.iter().flat_map(|p| p.map(code)).collect()
    }
}
