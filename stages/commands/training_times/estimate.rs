//! Means of repetitions, and their ratio.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Measurement of one repetition, or of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    /// The value itself.
    pub value: f64,
    /// Between which it is, if that is known.
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

/// The geometric mean of repetitions, and its interval of 95 % confidence by how they differ, widened by as much as their
/// values are not known; a single one is taken as it is. At least one, and each a time.
pub(super) fn mean(repetitions: &[Value]) -> Value {
    if let [single] = repetitions {
        return *single;
    }
    let Logs { value, least, most } = Logs::of(repetitions);
    let half = student(value.count - 1.0) * value.error();
    Value { value: value.mean.exp(), ends: Some([(least - half).exp(), (most + half).exp()]) }
}

/// How many times as long the repetitions of `than` took, geometric means beside each other, and the interval of 95 %
/// confidence by how repetitions differ (Welch's, of logarithms), widened by as much as their values are not known. Where one
/// side has a single repetition, it is taken to differ as those of the other do; where both have, nothing tells how they
/// would. None where a value is no time; at least one repetition each.
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

/// Means of logarithms: of the values, and of the least and the most that they may be.
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
    /// Of one value, none is known: 0.
    variance: f64,
    count: f64,
}

impl Moments {
    /// Standard deviation of the mean.
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

/// Deviations that 95 % of Student's t distribution lie within; at least one degree of freedom.
pub(super) fn student(degrees: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees.clamp(1.0, MANY_DEGREES)).expect("in range");
    distribution.inverse_cdf(0.975)
}

/// Degrees of freedom from which the distribution is normal to four digits. Far above, the quantile does not converge.
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
    fn repetitions_are_as_sure_as_they_are_alike() {
        // Logarithms 0, 1 and 2: their deviation is 1, that of their mean 0.577.
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
            "it was between these each time"
        );
    }

    #[test]
    fn a_ratio_is_by_logarithms_so_that_it_turns_round_with_its_sides() {
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
    fn a_single_one_is_taken_to_differ_as_the_repetitions_beside_it_do() {
        let single = [Value { value: 10.0, ends: Some([10.0; 2]) }];
        let [low, high] = ratio(&single, &exact([5.0, 60.0])).and_then(|r| r.ends).expect("ends");
        // Deviation 1.757 of two logarithms, times the root of 1 + 1/2, by 12.7.
        assert!(
            ((high / low).ln() / 2.0 / (12.706 * 1.757 * 1.5f64.sqrt()) - 1.0).abs() < 1e-3,
            "{low} to {high}"
        );
    }

    #[test]
    fn what_is_not_known_of_values_widens_the_interval() {
        let between = |value, low, high| Value { value, ends: Some([low, high]) };
        let (fast, slow) = ([between(2.0, 1.0, 2.0)], [between(6.0, 4.0, 6.0)]);
        assert_eq!(
            ratio(&fast, &slow).and_then(|r| r.ends).map(|ends| ends.map(f64::round)),
            Some([2.0, 6.0])
        );
        let open = ratio(&[between(2.0, 0.0, 2.0)], &slow).and_then(|r| r.ends).expect("ends");
        assert_eq!(open[1], f64::INFINITY, "it may have been there from the start");
        let twice = ratio(&[fast[0]; 2], &[slow[0]; 2]).and_then(|r| r.ends).expect("ends");
        assert_eq!(twice.map(f64::round), [2.0, 6.0], "repetitions that do not differ");
        assert_eq!(ratio(&exact([1.0]), &slow).expect("a ratio").ends, None);
        assert_eq!(ratio(&exact([0.0]), &slow), None, "no time");
    }
}
