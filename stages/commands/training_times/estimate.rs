//! Means of repetitions, and their ratio.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Measurement of one repetition or of several, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    /// Measured value.
    pub value: f64,
    /// Ends of the interval that contains the value, if they are known.
    pub ends: Option<[f64; 2]>,
}

impl Value {
    fn least(&self) -> f64 {
        self.ends.map_or(self.value, |[least, _]| least)
    }

    fn most(&self) -> f64 {
        self.ends.map_or(self.value, |[_, most]| most)
    }
}

/// Returns the geometric mean of repetitions. Its 95 % confidence interval comes from the differences between
/// repetitions and is widened by the uncertainty of their values. A single repetition is returned as it is.
/// There must be at least one repetition, and each value must be a positive time.
pub(super) fn mean(repetitions: &[Value]) -> Value {
    if let [single] = repetitions {
        return *single;
    }
    let Logs { value, least, most } = Logs::of(repetitions);
    let half = student(value.count - 1.0) * value.error();
    Value { value: value.mean.exp(), ends: Some([(least - half).exp(), (most + half).exp()]) }
}

/// Returns the geometric mean time of `than` divided by that of `faster`. Its 95 % confidence interval comes
/// from the differences between repetitions (Welch's interval of logarithms) and is widened by the
/// uncertainty of their values. A single repetition is assumed to vary as much as the repetitions of the
/// other side. If both sides have only one, their variation is not known and is left out. Returns none if a
/// value is not a positive time. Each side must have at least one repetition.
pub(super) fn ratio(faster: &[Value], than: &[Value]) -> Option<Value> {
    let mut all = faster.iter().chain(than);
    if all.any(|one| !(one.value.is_finite() && one.value > 0.0)) {
        return None;
    }
    let sides = [Logs::of(faster), Logs::of(than)];
    let [Logs { value: own, .. }, Logs { value: others, .. }] = &sides;
    let value = (others.mean - own.mean).exp();
    let ends_known = [faster, than].iter().all(|side| side.len() > 1 || side[0].ends.is_some());
    let half = match (own.count > 1.0, others.count > 1.0) {
        (true, true) => {
            let errors = [own, others].map(|side| (side.error().powi(2), side.count - 1.0));
            let error: f64 = errors.iter().map(|(error, _)| error).sum();
            let degrees =
                error.powi(2) / errors.iter().map(|(error, degrees)| error.powi(2) / degrees).sum::<f64>();
            if error > 0.0 { student(degrees) * error.sqrt() } else { 0.0 }
        }
        (false, false) => 0.0,
        (several, _) => {
            let known = if several { own } else { others };
            student(known.count - 1.0) * (known.variance * (1.0 + 1.0 / known.count)).sqrt()
        }
    };
    let (least, most) = (sides[1].least - sides[0].most, sides[1].most - sides[0].least);
    Some(Value { value, ends: ends_known.then(|| [(least - half).exp(), (most + half).exp()]) })
}

/// Moments of the logarithms of values, and means of the logarithms of their lower and upper ends.
struct Logs {
    value: Moments,
    least: f64,
    most: f64,
}

impl Logs {
    fn of(side: &[Value]) -> Self {
        let of = |of: fn(&Value) -> f64| Moments::of(side.iter().map(|one| of(one).ln()));
        Self { value: of(|one| one.value), least: of(Value::least).mean, most: of(Value::most).mean }
    }
}

struct Moments {
    mean: f64,
    /// Sample variance; 0 for a single value.
    variance: f64,
    count: f64,
}

impl Moments {
    /// Standard error of the mean.
    fn error(&self) -> f64 {
        (self.variance / self.count).sqrt()
    }

    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self { mean, variance: if count > 1.0 { squares / (count - 1.0) } else { 0.0 }, count }
    }
}

/// Two-sided 95 % quantile of Student's t distribution; fewer than one degree of freedom count as one.
pub(super) fn student(degrees: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees.clamp(1.0, MANY_DEGREES)).expect("in range");
    distribution.inverse_cdf(0.975)
}

/// Degrees of freedom from which the distribution is normal to four digits. Far above, the computation of the
/// quantile does not converge.
const MANY_DEGREES: f64 = 1e4;

#[cfg(test)]
mod tests {
    use super::*;

    fn exact<const N: usize>(values: [f64; N]) -> [Value; N] {
        values.map(|value| Value { value, ends: None })
    }

    #[test]
    fn student_s_quantiles_are_those_of_tables() {
        for (degrees, wanted) in [
            (1.0, 12.7062),
            (2.0, 4.3027),
            (4.0, 2.7764),
            (10.0, 2.2281),
            (30.0, 2.0423),
            (f64::INFINITY, 1.95996),
        ] {
            assert!((student(degrees) / wanted - 1.0).abs() < 2e-4, "{degrees}: {}", student(degrees));
        }
    }

    #[test]
    fn the_interval_depends_on_the_spread_of_repetitions() {
        // The logarithms are 0, 1 and 2: their standard deviation is 1, and the standard error of their mean
        // 0.577.
        let Value { value, ends } = mean(&exact([1.0, 1f64.exp(), 2f64.exp()]));
        let [low, high] = ends.expect("an interval").map(f64::ln);
        let half = student(2.0) / 3f64.sqrt();
        assert!(
            (value.ln() - 1.0).abs() < 1e-9
                && (high - 1.0 - half).abs() < 1e-9
                && (1.0 - low - half).abs() < 1e-9
        );
        let single = Value { value: 3.0, ends: Some([2.0, 5.0]) };
        assert_eq!(mean(&[single]), single);
        let same = mean(&[single; 3]);
        assert_eq!(
            same.ends.map(|ends| ends.map(f64::round)),
            Some([2.0, 5.0]),
            "each repetition was in this interval"
        );
    }

    #[test]
    fn a_ratio_uses_logarithms_so_that_swapped_sides_invert_it() {
        let (fast, slow) = (exact([1.0, 1.1, 1.3]), exact([2.0, 2.5]));
        let there = ratio(&fast, &slow).expect("a ratio");
        let back = ratio(&slow, &fast).expect("a ratio");
        let ([low, high], [back_low, back_high]) = (there.ends.expect("ends"), back.ends.expect("ends"));
        assert!((there.value * back.value - 1.0).abs() < 1e-12);
        assert!((low * back_high - 1.0).abs() < 1e-12 && (high * back_low - 1.0).abs() < 1e-12);
        // Variances 0.0176 / 3 and 0.0249 / 2 of the means of logarithms, 1.95 degrees of freedom.
        assert!(
            ((high / low).ln() / 2.0 / (student(1.9502) * 0.135_38) - 1.0).abs() < 1e-3,
            "{low} to {high}"
        );
    }

    #[test]
    fn repetitions_that_differ_more_than_their_sides_decide_nothing() {
        let [low, high] =
            ratio(&exact([10.0, 10.0, 100.0]), &exact([50.0; 3])).and_then(|r| r.ends).expect("ends");
        assert!(low < 1.0 && high > 1.0, "{low} to {high}");
    }

    #[test]
    fn a_single_repetition_is_assumed_to_vary_like_the_other_side() {
        let single = [Value { value: 10.0, ends: Some([10.0; 2]) }];
        let [low, high] = ratio(&single, &exact([5.0, 60.0])).and_then(|r| r.ends).expect("ends");
        // Standard deviation 1.757 of two logarithms, times the root of 1 + 1/2, times the quantile 12.7.
        assert!(
            ((high / low).ln() / 2.0 / (12.706 * 1.757 * 1.5f64.sqrt()) - 1.0).abs() < 1e-3,
            "{low} to {high}"
        );
    }

    #[test]
    fn uncertainty_of_values_widens_the_interval() {
        let between = |value, low, high| Value { value, ends: Some([low, high]) };
        let (fast, slow) = ([between(2.0, 1.0, 2.0)], [between(6.0, 4.0, 6.0)]);
        assert_eq!(
            ratio(&fast, &slow).and_then(|r| r.ends).map(|ends| ends.map(f64::round)),
            Some([2.0, 6.0])
        );
        let open = ratio(&[between(2.0, 0.0, 2.0)], &slow).and_then(|r| r.ends).expect("ends");
        assert_eq!(open[1], f64::INFINITY, "the goal may have been reached at the start");
        let twice = ratio(&[fast[0]; 2], &[slow[0]; 2]).and_then(|r| r.ends).expect("ends");
        assert_eq!(twice.map(f64::round), [2.0, 6.0], "repetitions that do not differ");
        assert_eq!(ratio(&exact([1.0]), &slow).expect("a ratio").ends, None);
        assert_eq!(ratio(&exact([0.0]), &slow), None, "0 is not a valid time");
    }
}
