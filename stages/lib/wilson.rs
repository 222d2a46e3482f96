//! Confidence intervals of shares.

/// Quantile of the normal distribution for 95 % confidence, two-sided.
const Z: f64 = 1.959_963_984_540_054;

/// Ends of Wilson's 95 % confidence interval (Wilson 1927) of the share `successes / trials`. `successes` may
/// be fractional, because a tie counts half. Without trials, the interval is (0, 1).
pub(crate) fn wilson(successes: f64, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let (share, z2) = (successes / n, Z * Z);
    let centre = share + z2 / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let end = |end: f64| (end / (1.0 + z2 / n)).clamp(0.0, 1.0);
    (end(centre - half), end(centre + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_s_intervals_are_those_of_newcombe_s_table() {
        // Newcombe 1998, table I, method 3.
        for (successes, trials, low, high) in [
            (81.0, 263, 0.2553, 0.3662),
            (15.0, 148, 0.0624, 0.1605),
            (0.0, 20, 0.0, 0.1611),
            (1.0, 29, 0.0061, 0.1718),
        ] {
            let (found_low, found_high) = wilson(successes, trials);
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{successes} of {trials}"
            );
        }
        assert_eq!(wilson(0.0, 0), (0.0, 1.0));
        let (low, high) = wilson(4.0, 4);
        assert!(
            (low - 4.0 / (4.0 + Z * Z)).abs() < 1e-12 && high == 1.0,
            "n / (n + z^2) to 1 where all agree"
        );
    }
}
