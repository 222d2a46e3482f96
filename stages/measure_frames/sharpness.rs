//! Sharpness: the variance of the Laplacian of luma (Pech-Pacheco et al. 2000).

use image::GrayImage;

use super::boxes::box_means;

/// Length in pixels to which the shorter side is reduced; smaller pictures are not enlarged.
const SIDE: u32 = 512;

/// Variance of the response to the kernel `[0 1 0; 1 -4 1; 0 1 0]` over the positions where it fits, in
/// squared grey levels; 0 if there are none.
pub(super) fn sharpness(luma: &GrayImage) -> f64 {
    let (width, height) = working_size(luma.dimensions());
    let (columns, rows) = (width as usize, height as usize);
    if columns < 3 || rows < 3 {
        return 0.0;
    }
    let plane = box_means(luma, (width, height));
    let (mut sum, mut squares) = (0.0, 0.0);
    for row in 1..rows - 1 {
        let line = |row: usize| &plane[row * columns..][..columns];
        let (above, middle, below) = (line(row - 1), line(row), line(row + 1));
        for x in 1..columns - 1 {
            let around = above[x] + below[x] + middle[x - 1] + middle[x + 1];
            let response = f64::from(around - 4.0 * middle[x]);
            sum += response;
            squares += response * response;
        }
    }
    let count = ((columns - 2) * (rows - 2)) as f64;
    (squares / count - (sum / count).powi(2)).max(0.0)
}

fn working_size((width, height): (u32, u32)) -> (u32, u32) {
    let shorter = width.min(height);
    if shorter <= SIDE {
        return (width, height);
    }
    let scaled = |length: u32| (f64::from(length) * f64::from(SIDE) / f64::from(shorter)).round() as u32;
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use image::{Luma, imageops};

    use super::*;

    #[test]
    fn one_bright_pixel_gives_the_response_of_the_kernel() {
        // Nine positions: -40 at the pixel, 10 at its four neighbours, 0 in the corners.
        let spot = GrayImage::from_fn(5, 5, |x, y| Luma([if (x, y) == (2, 2) { 10 } else { 0 }]));
        assert_eq!(sharpness(&spot), (40.0 * 40.0 + 4.0 * 100.0) / 9.0);
        assert_eq!(sharpness(&GrayImage::from_fn(9, 9, |x, y| Luma([(3 * x + 5 * y) as u8]))), 0.0);
        assert_eq!(sharpness(&GrayImage::new(2, 9)), 0.0);
    }

    #[test]
    fn a_blurred_picture_is_less_sharp() {
        let sharp =
            GrayImage::from_fn(64, 64, |x, y| Luma([if (x / 4 + y / 4) % 2 == 0 { 40 } else { 200 }]));
        assert!(sharpness(&imageops::blur(&sharp, 2.0)) < 0.1 * sharpness(&sharp));
    }

    #[test]
    fn sharpness_is_comparable_between_resolutions() {
        assert_eq!(working_size((8280, 1080)), (3925, 512));
        assert_eq!(working_size((1080, 1920)), (512, 910));
        assert_eq!(working_size((640, 360)), (640, 360));
        let small = GrayImage::from_fn(600, 512, |x, y| Luma([(x * 7 + y * y * 3) as u8]));
        let large = GrayImage::from_fn(1200, 1024, |x, y| *small.get_pixel(x / 2, y / 2));
        assert_eq!(sharpness(&large), sharpness(&small));
    }
}
