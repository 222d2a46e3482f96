//! Bins of equal width with round ends.

/// Largest number of bins.
const MOST: usize = 24;

/// Bins of equal width. A value at the end of a bin belongs to the next one, and the outer bins have all values beyond them.
#[derive(Debug)]
pub(super) struct Bins {
    /// Ends of the bins, one more than there are bins.
    ends: Vec<f64>,
}

impl Bins {
    /// Returns bins for values from `least` to `most`, which are finite. Bins of whole numbers have whole ends.
    pub(super) fn new(least: f64, most: f64, whole: bool) -> Self {
        let step = Step::at_least(most / (MOST - 2) as f64 - least / (MOST - 2) as f64, whole);
        let first = (least / step.times(1.0)).floor();
        // Numbers may not have enough digits for ends that differ by a step.
        if !(step.times(1.0) > 0.0 && first.abs() < 1e15 && step.times(first).is_finite()) {
            return Self { ends: vec![least, most] };
        }
        let ends = (0..=MOST).map(|bin| step.times(first + bin as f64));
        let last = ends.clone().position(|end| end > most).unwrap_or(MOST);
        Self { ends: ends.take(last + 1).collect() }
    }

    /// Number of bins.
    pub(super) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// Texts of the ends.
    pub(super) fn texts(&self) -> Vec<String> {
        self.ends.iter().map(f64::to_string).collect()
    }

    /// Rounds the ends to the numbers that a column of 32-bit floats has in their place.
    pub(super) fn rounded_to_single(mut self) -> Self {
        self.ends.iter_mut().for_each(|end| *end = f64::from(*end as f32));
        self
    }

    /// Returns the bin of a value.
    pub(super) fn of(&self, value: f64) -> usize {
        let (first, width) = (self.ends[0], self.ends[1] - self.ends[0]);
        let last = self.len() - 1;
        let mut bin = (((value - first) / width) as usize).min(last);
        while bin > 0 && value < self.ends[bin] {
            bin -= 1;
        }
        while bin < last && value >= self.ends[bin + 1] {
            bin += 1;
        }
        bin
    }
}

/// Width of a bin: one, two or five times a power of ten.
struct Step {
    factor: f64,
    exponent: i32,
}

impl Step {
    fn at_least(width: f64, whole: bool) -> Self {
        if whole && width <= 1.0 {
            return Self { factor: 1.0, exponent: 0 };
        }
        // The width of equal numbers is zero, whose logarithm is infinite.
        let exponent = width.log10().floor().max(f64::from(f64::MIN_10_EXP)) as i32;
        let part = width / 10f64.powi(exponent);
        let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| *factor >= part).unwrap_or(10.0);
        Self { factor, exponent }
    }

    /// Multiple of the width. Division by a power of ten is exact where a product with its inverse is not: 3 / 10 is 0.3.
    fn times(&self, count: f64) -> f64 {
        let count = count * self.factor;
        if self.exponent < 0 { count / 10f64.powi(-self.exponent) } else { count * 10f64.powi(self.exponent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(least: f64, most: f64, whole: bool) -> Vec<String> {
        Bins::new(least, most, whole).texts()
    }

    #[test]
    fn ends_are_round() {
        assert_eq!(ends(0.0, 1.0, false)[..4], ["0", "0.05", "0.1", "0.15"]);
        assert_eq!(ends(0.0, 11.0, true), (0..=12).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(ends(-3.0, 720.0, true)[..3], ["-50", "0", "50"]);
        assert_eq!(ends(5.0, 5.0, true), ["5", "6"]);
        assert_eq!(ends(5.5, 5.5, false), ["5.5", "5.5"]);
    }

    #[test]
    fn bins_contain_all_values_of_any_size() {
        for (least, most) in [
            (0.0, 1.0),
            (-1e300, 1e300),
            (-f64::MAX, f64::MAX),
            (1e15, 1e15 + 1.0),
            (1e-320, 1e-310),
            (0.1, 0.3),
            (-7.3, -7.2),
            (0.0, 0.0),
            (f64::MAX, f64::MAX),
        ] {
            for whole in [false, true] {
                let bins = Bins::new(least, most, whole);
                assert!((1..=MOST).contains(&bins.len()), "{least} {most}: {bins:?}");
                for part in 0..=100 {
                    let value = least + (most / 100.0 - least / 100.0) * f64::from(part);
                    let bin = bins.of(value);
                    assert!(bin == 0 || value >= bins.ends[bin], "{value}: {bins:?}");
                    assert!(bin + 1 == bins.len() || value < bins.ends[bin + 1], "{value}: {bins:?}");
                }
                assert_eq!(bins.of(f64::INFINITY), bins.len() - 1);
                assert_eq!(bins.of(f64::NEG_INFINITY), 0);
            }
        }
    }
}
