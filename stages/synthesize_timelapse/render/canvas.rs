//! Surfaces at the samples of the picture: a static buffer from which frames are shaded.

use super::surface::{Surface, Texel};

/// Width over height of the scene; x runs 0..ASPECT and y 0 (top)..1 in units of the height.
pub(super) const ASPECT: f32 = 23.0 / 3.0;
/// The y of the horizon.
pub(super) const HORIZON: f32 = 0.62;

/// Sample positions within a pixel of a small picture; no two share a row or a column.
const FINE: [(f32, f32); 8] = [
    (0.0625, 0.4375),
    (0.1875, 0.8125),
    (0.3125, 0.1875),
    (0.4375, 0.5625),
    (0.5625, 0.9375),
    (0.6875, 0.3125),
    (0.8125, 0.6875),
    (0.9375, 0.0625),
];
/// Sample positions within a pixel of a large picture, where memory matters.
const COARSE: [(f32, f32); 2] = [(0.25, 0.75), (0.75, 0.25)];
/// Largest number of rows of a picture with fine samples.
const FINE_ROWS: usize = 400;

/// Sample buffer and its surfaces.
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub surfaces: Vec<Surface>,
    offsets: &'static [(f32, f32)],
    texels: Vec<Texel>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Canvas {
        let offsets: &[_] = if height <= FINE_ROWS { &FINE } else { &COARSE };
        Canvas {
            width,
            height,
            surfaces: Vec::new(),
            offsets,
            texels: vec![Texel::SKY; width * height * offsets.len()],
        }
    }

    pub(super) fn add(&mut self, surface: Surface) -> u16 {
        self.surfaces.push(surface);
        (self.surfaces.len() - 1) as u16
    }

    /// Returns the samples of a pixel.
    pub(super) fn pixel(&self, column: usize, row: usize) -> &[Texel] {
        let start = (row * self.width + column) * self.offsets.len();
        &self.texels[start..start + self.offsets.len()]
    }

    /// Returns the scene position of a pixel's centre.
    pub(super) fn centre(&self, column: usize, row: usize) -> (f32, f32) {
        let x = (column as f32 + 0.5) / self.width as f32 * ASPECT;
        (x, (row as f32 + 0.5) / self.height as f32)
    }

    /// Paints `texel(x, y)`, unless it is none, over the samples within `area` (x0, y0, x1, y1).
    pub(super) fn paint(&mut self, area: [f32; 4], texel: impl Fn(f32, f32) -> Option<Texel>) {
        let (per_x, per_y) = (self.width as f32 / ASPECT, self.height as f32);
        let range = |from: f32, to: f32, per: f32, count: usize| {
            ((from * per).floor().max(0.0) as usize)..((to * per).ceil().max(0.0) as usize).min(count)
        };
        for row in range(area[1], area[3], per_y, self.height) {
            for column in range(area[0], area[2], per_x, self.width) {
                let start = (row * self.width + column) * self.offsets.len();
                for (k, offset) in self.offsets.iter().enumerate() {
                    let x = (column as f32 + offset.0) / per_x;
                    let y = (row as f32 + offset.1) / per_y;
                    let inside = x >= area[0] && x < area[2] && y >= area[1] && y < area[3];
                    if let Some(t) = inside.then(|| texel(x, y)).flatten() {
                        self.texels[start + k] = t;
                    }
                }
            }
        }
    }
}
