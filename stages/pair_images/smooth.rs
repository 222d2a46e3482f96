//! Temporal smoothing.

use image::RgbImage;

/// Returns the median of each channel of each pixel over pictures of one size. For an even number of
/// pictures, it is the lower of the two middle values.
pub(super) fn median(pictures: &[&RgbImage]) -> RgbImage {
    let mut result = pictures[0].clone();
    let mut values = vec![0u8; pictures.len()];
    let middle = (pictures.len() - 1) / 2;
    for (position, out) in result.iter_mut().enumerate() {
        for (value, picture) in values.iter_mut().zip(pictures) {
            *value = picture.as_raw()[position];
        }
        *out = *values.select_nth_unstable(middle).1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_objects_disappear() {
        let with = |value: u8| RgbImage::from_pixel(1, 1, image::Rgb([value, 9, 9]));
        let (sky, bird) = (with(200), with(3));
        assert_eq!(median(&[&sky, &bird, &sky]), sky);
        assert_eq!(median(&[&bird, &sky]), bird);
    }
}
