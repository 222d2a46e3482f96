//! Means of repetitions, and their ratio.

/// What was measured of one repetition, or of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
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

/// The mean of repetitions, and its interval of 95 % confidence by how they differ; a single one is taken as it is. At
/// least one.
pub fn mean(repetitions: &[Value]) -> Value {
    if let [single] = repetitions {
        return *single;
    }
    let Moments { mean, variance, count } = Moments::of(repetitions.iter().map(|one| one.value));
    let half = student(count - 1.0) * (variance / count).sqrt();
    Value { value: mean, ends: Some([(mean - half).max(0.0), mean + half]) }
}

/// How many times as long the repetitions of `than` took, geometric means beside each other. Of several repetitions of
/// both with the interval of 95 % confidence (Welch's, of logarithms), widened by as much as their values are not known; of a
/// single one with what is known of the values alone. None where a value is no time; at least one repetition each.
pub fn ratio(faster: &[Value], than: &[Value]) -> Option<Value> {
    let sides = [faster, than];
    if sides.iter().copied().flatten().any(|one| !(one.value.is_finite() && one.value > 0.0)) {
        return None;
    }
    let logs = |side: &[Value], of: fn(&Value) -> f64| Moments::of(side.iter().map(|one| of(one).ln()));
    let [faster, than] = sides.map(|side| logs(side, |one| one.value));
    let value = (than.mean - faster.mean).exp();
    // The least and the most that it can be by what is known of each repetition.
    let end = |of_faster: fn(&Value) -> f64, of_than: fn(&Value) -> f64| {
        logs(sides[1], of_than).mean - logs(sides[0], of_faster).mean
    };
    let (least, most) = (end(Value::most, Value::least), end(Value::least, Value::most));
    if faster.count < 2.0 || than.count < 2.0 {
        let known = sides.iter().filter(|side| side.len() == 1).all(|side| side[0].ends.is_some());
        return Some(Value { value, ends: known.then(|| [least.exp(), most.exp()]) });
    }
    let errors = [&faster, &than].map(|side| side.variance / side.count);
    let error: f64 = errors.iter().sum();
    let degrees =
        error.powi(2) / (errors[0].powi(2) / (faster.count - 1.0) + errors[1].powi(2) / (than.count - 1.0));
    let half = if error > 0.0 { student(degrees) * error.sqrt() } else { 0.0 };
    Some(Value { value, ends: Some([(least - half).exp(), (most + half).exp()]) })
}

struct Moments {
    mean: f64,
    /// Of one value, none is known: 0.
    variance: f64,
    count: f64,
}

impl Moments {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self { mean, variance: if count > 1.0 { squares / (count - 1.0) } else { 0.0 }, count }
    }
}

/// Deviations that 95 % of Student's t distribution lie within; of degrees of freedom that are no whole number, with the one
/// below. Exact up to three, then to 2 % (Abramowitz and Stegun 1964, 26.7.5).
pub fn student(degrees: f64) -> f64 {
    const FEW: [f64; 3] = [12.706, 4.303, 3.182];
    let degrees = degrees.floor().max(1.0);
    if let Some(exact) = FEW.get(degrees as usize - 1) {
        return *exact;
    }
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / degrees + second / degrees.powi(2) + third / degrees.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact<const N: usize>(values: [f64; N]) -> [Value; N] {
        values.map(|value| Value { value, ends: None })
    }

    #[test]
    fn student_s_quantiles_are_those_of_tables() {
        for (degrees, wanted) in
            [(1.0, 12.706), (2.9, 4.303), (4.0, 2.776), (10.0, 2.228), (30.0, 2.042), (1e9, 1.96)]
        {
            assert!((student(degrees) / wanted - 1.0).abs() < 0.01, "{degrees}: {}", student(degrees));
        }
    }

    #[test]
    fn repetitions_are_as_sure_as_they_are_alike() {
        // Deviation 1, so that of the mean of three is 0.577.
        let Value { value, ends } = mean(&exact([9.0, 10.0, 11.0]));
        let [low, high] = ends.expect("an interval");
        assert!(value == 10.0 && (high - 10.0 - 4.303 / 3f64.sqrt()).abs() < 1e-3 && (10.0 - low) < 2.49);
        let single = Value { value: 3.0, ends: Some([2.0, 5.0]) };
        assert_eq!(mean(&[single]), single);
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
        assert!(((high / low).ln() / 2.0 / (12.706 * 0.135_38) - 1.0).abs() < 1e-3, "{low} to {high}");
    }

    #[test]
    fn repetitions_that_differ_more_than_their_sides_decide_nothing() {
        let [low, high] =
            ratio(&exact([10.0, 10.0, 100.0]), &exact([50.0; 3])).and_then(|r| r.ends).expect("ends");
        assert!(low < 1.0 && high > 1.0, "{low} to {high}");
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
