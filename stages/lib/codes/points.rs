//! Points in a space of few dimensions.

/// Points, stored one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points {
    width: usize,
    values: Vec<f64>,
}

impl Points {
    /// Creates points of `width` finite values each.
    pub(crate) fn new(width: usize, values: Vec<f64>) -> Self {
        Self { width: width.max(1), values }
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Number of dimensions.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Values of one point.
    pub(crate) fn row(&self, point: usize) -> &[f64] {
        &self.values[point * self.width..(point + 1) * self.width]
    }

    /// Values of all points, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// Returns some of the points, in the order of `rows`.
    pub(crate) fn choose(&self, rows: &[usize]) -> Self {
        Self { width: self.width, values: rows.iter().flat_map(|row| self.row(*row)).copied().collect() }
    }

    /// Mean of the points.
    pub(crate) fn mean(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        self.rows().for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value));
        sums.into_iter().map(|sum| sum / self.len() as f64).collect()
    }

    /// Returns the `count` points nearest to `point` with their distances, among those for which `may`
    /// returns true. The nearest comes first. Points at equal distance are in the order of the table.
    pub(crate) fn nearest(
        &self,
        point: usize,
        count: usize,
        may: impl Fn(usize) -> bool,
    ) -> Vec<(usize, f64)> {
        let from = self.row(point);
        let squared =
            |other: usize| from.iter().zip(self.row(other)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let others = (0..self.len()).filter(|other| may(*other)).map(|other| (other, squared(other)));
        smallest(others.collect(), count)
            .into_iter()
            .map(|(other, squared)| (other, squared.sqrt()))
            .collect()
    }
}

/// Returns the `count` pairs with the smallest distances, the smallest first. Pairs of equal distance are in the
/// order of their first number.
pub(crate) fn smallest(mut all: Vec<(usize, f64)>, count: usize) -> Vec<(usize, f64)> {
    let order = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0));
    if count < all.len() {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_of_equally_near_ones_the_first_of_the_table() {
        let points = Points::new(2, vec![0.0, 0.0, 3.0, 4.0, 0.0, 1.0, -1.0, 0.0, 9.0, 9.0]);
        assert_eq!(points.nearest(0, 3, |other| other != 0), [(2, 1.0), (3, 1.0), (1, 5.0)]);
        assert_eq!(points.nearest(0, 1, |other| other > 2), [(3, 1.0)]);
        assert_eq!(points.nearest(4, 9, |other| other == 1), [(1, 61f64.sqrt())]);
        assert!(points.nearest(0, 2, |_| false).is_empty());
    }

    #[test]
    fn a_choice_keeps_its_order_and_the_mean_is_of_each_dimension() {
        let points = Points::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 9.0]);
        assert_eq!(points.choose(&[2, 0]), Points::new(2, vec![5.0, 9.0, 1.0, 2.0]));
        assert_eq!((points.len(), points.width(), points.mean()), (3, 2, vec![3.0, 5.0]));
    }
}
