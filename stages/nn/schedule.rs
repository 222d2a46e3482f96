//! Learning rate over training, as in StEP's program.

/// Factor on the learning rate after `images` images: 1 until `fixed_kimg` thousand, then falling
/// along `1 - (kimg - fixed) / (total - fixed + 10)`, not to 0.
pub fn learning_rate_factor(images: u64, fixed_kimg: u64, total_kimg: u64) -> f64 {
    let kimg = images / 1000;
    if kimg <= fixed_kimg {
        return 1.0;
    }
    let past = (kimg - fixed_kimg) as f64;
    let span = total_kimg.saturating_sub(fixed_kimg) as f64 + 10.0;
    (1.0 - past / span).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_constant_then_falls_and_does_not_reach_zero() {
        assert_eq!(learning_rate_factor(150_999, 150, 250), 1.0);
        assert_eq!(learning_rate_factor(151_000, 150, 250), 1.0 - 1.0 / 110.0);
        assert!((learning_rate_factor(249_999, 150, 250) - 0.1).abs() < 1e-12);
    }
}
