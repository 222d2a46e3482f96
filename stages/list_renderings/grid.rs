//! Places of crops in a content image, and their split.

use crate::lib::splits::drawn;

/// Size and distance of crops, and their split.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Side of a crop in pixels; 0 stands for one crop, the central square.
    pub crop: u32,
    /// Distance of neighbouring crops.
    pub step: u32,
    /// Side of the regions that belong to one split; 0 if all of the image belongs to one.
    pub region: u32,
    pub val_fraction: f64,
}

/// A square of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Square {
    /// Number in the grid.
    pub number: u32,
    pub x: u32,
    pub y: u32,
    pub size: u32,
    /// Name of the region of its left upper corner; empty without regions.
    pub region: String,
    pub split: &'static str,
}

impl Grid {
    /// Squares of an image, by rows. Squares that are not inside one region are left out.
    pub(super) fn squares(&self, content: &str, (width, height): (u32, u32)) -> Vec<Square> {
        let whole = width.min(height);
        let size = if self.crop == 0 { whole } else { self.crop };
        let step = if self.step == 0 { size } else { self.step };
        let axis = |length: u32| {
            let count = if self.crop == 0 { 1 } else { (length + step).saturating_sub(size) / step };
            // The grid is in the middle.
            let margin = length.saturating_sub(count.saturating_sub(1) * step + size) / 2;
            (0..count).map(move |at| (margin, at * step))
        };
        let columns = axis(width).count() as u32;
        let places = (0..)
            .zip(axis(height))
            .flat_map(|(row, y)| (0..).zip(axis(width)).map(move |(at, x)| (row * columns + at, x, y)));
        let square = |(number, x, y): (u32, (u32, u32), (u32, u32))| {
            let (region, split) = self.split(content, (x.1, y.1), size)?;
            Some(Square { number, x: x.0 + x.1, y: y.0 + y.1, size, region, split })
        };
        places.filter_map(square).collect()
    }

    /// Region and split of a square; `None` if it is not inside one region. Regions begin where the grid does.
    fn split(&self, content: &str, (x, y): (u32, u32), size: u32) -> Option<(String, &'static str)> {
        if self.region == 0 {
            return Some((String::new(), drawn(content, self.val_fraction)));
        }
        let of = |from: u32| {
            let region = from / self.region;
            ((from + size - 1) / self.region == region).then_some(region)
        };
        let name = format!("region{:02}_{:02}", of(y)?, of(x)?);
        let split = drawn(&name, self.val_fraction);
        Some((name, split))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { crop: 8, step: 0, region: 16, val_fraction: 0.3 };

    fn overlap(a: &Square, b: &Square) -> bool {
        a.x < b.x + b.size && b.x < a.x + a.size && a.y < b.y + b.size && b.y < a.y + a.size
    }

    #[test]
    fn no_square_of_validation_overlaps_one_of_training() {
        for (step, size) in
            [(0, (200, 100)), (0, (203, 101)), (3, (200, 100)), (4, (203, 107)), (5, (200, 100))]
        {
            let squares = Grid { step, ..GRID }.squares("", size);
            let (val, train): (Vec<&Square>, Vec<&Square>) = squares.iter().partition(|s| s.split == "val");
            assert!(val.len() > 10 && train.len() > 10, "{} and {}", val.len(), train.len());
            assert!(val.iter().all(|a| train.iter().all(|b| !overlap(a, b))), "step {step}");
            let apart = |a: &Square, b: &Square| a.region == b.region || !overlap(a, b);
            assert!(squares.iter().all(|a| squares.iter().all(|b| apart(a, b))), "regions, step {step}");
        }
    }

    #[test]
    fn a_grid_is_in_the_middle_and_numbers_its_squares_by_rows() {
        let squares = Grid { region: 0, ..GRID }.squares("a", (27, 18));
        let places: Vec<(u32, u32, u32)> = squares.iter().map(|s| (s.number, s.x, s.y)).collect();
        assert_eq!(places, [(0, 1, 1), (1, 9, 1), (2, 17, 1), (3, 1, 9), (4, 9, 9), (5, 17, 9)]);
    }

    #[test]
    fn without_a_size_the_central_square_is_the_only_one() {
        let squares = Grid { crop: 0, region: 0, ..GRID }.squares("a", (30, 20));
        assert_eq!(squares.iter().map(|s| (s.x, s.y, s.size)).collect::<Vec<_>>(), [(5, 0, 20)]);
    }

    #[test]
    fn an_image_smaller_than_a_square_has_none() {
        assert_eq!(GRID.squares("a", (7, 30)), []);
    }
}
