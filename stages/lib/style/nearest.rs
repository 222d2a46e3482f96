//! Nearest and farthest images of an image, in an order that does not depend on rounding.

use std::collections::BTreeSet;

/// Number of neighbours to keep for each image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NeighbourCounts {
    /// Number of nearest images.
    pub near: usize,
    /// Number of farthest images.
    pub far: usize,
}

/// Largest relative error of a distance that is accepted.
const PRECISE: f64 = 1e-6;

/// Returns the images other than `image` whose distance is not known precisely enough, among those whose
/// distance decides which images are kept, or is in the result. `row` has each distance and its largest
/// possible error.
pub(crate) fn doubtful(
    image: usize,
    row: &[(f64, f64)],
    eligible: impl Fn(usize) -> bool,
    wanted: NeighbourCounts,
) -> BTreeSet<usize> {
    let others = || (0..row.len()).filter(|other| *other != image);
    // Whatever the errors are, at least `wanted.near` images are no farther than this.
    let mut highest: Vec<f64> = others().filter(|o| eligible(*o)).map(|o| row[o].0 + row[o].1).collect();
    let near_reach = nth(&mut highest, wanted.near, f64::INFINITY);
    let mut lowest: Vec<f64> = others().map(|o| row[o].1 - row[o].0).collect();
    let far_reach = -nth(&mut lowest, wanted.far, f64::INFINITY);
    let near = others().filter(|o| eligible(*o) && row[*o].0 - row[*o].1 <= near_reach);
    let far = others().filter(|o| row[*o].0 + row[*o].1 >= far_reach);
    let candidates: BTreeSet<usize> = near.chain(far).collect();
    let mut by_lowest: Vec<usize> = candidates.iter().copied().collect();
    by_lowest.sort_by(|a, b| (row[*a].0 - row[*a].1).total_cmp(&(row[*b].0 - row[*b].1)));
    let mut found = BTreeSet::new();
    // The earlier image that may be the farthest. An image that may be nearer than it is possibly out of
    // order.
    let mut reaching: Option<usize> = None;
    for other in by_lowest {
        let high = |image: usize| row[image].0 + row[image].1;
        if let Some(before) = reaching.filter(|before| high(*before) >= row[other].0 - row[other].1) {
            found.extend([before, other]);
        }
        if reaching.is_none_or(|before| high(before) < high(other)) {
            reaching = Some(other);
        }
    }
    found.extend(candidates.into_iter().filter(|o| row[*o].1 > PRECISE * row[*o].0));
    found
}

/// Returns the `n`-th smallest value (from 1), or `otherwise` if there are fewer.
fn nth(values: &mut [f64], n: usize, otherwise: f64) -> f64 {
    if n == 0 || n > values.len() {
        return otherwise;
    }
    *values.select_nth_unstable_by(n - 1, f64::total_cmp).1
}

/// Returns the positions of the nearest eligible images, and of the farthest of all images that are farther
/// than those. The nearest and the farthest come first. Images at equal distance are ordered by position.
pub(crate) fn neighbours(
    image: usize,
    row: &[f64],
    eligible: impl Fn(usize) -> bool,
    wanted: NeighbourCounts,
) -> (Vec<usize>, Vec<usize>) {
    let mut others: Vec<usize> = (0..row.len()).filter(|other| *other != image).collect();
    others.sort_unstable_by(|x, y| row[*x].total_cmp(&row[*y]).then(x.cmp(y)));
    let near: Vec<usize> = others.iter().copied().filter(|o| eligible(*o)).take(wanted.near).collect();
    let reach = near.last().map_or(f64::INFINITY, |last| row[*last]);
    let far = others.iter().rev().copied().take_while(|other| row[*other] > reach).take(wanted.far);
    (near, far.collect())
}

/// Returns near images as StEP's program draws them. It sorts all images by distance, including the image
/// itself, and swaps `near` eligible ones to the front. It then leaves out the first place, and uses the
/// place after the last of them instead, where there is an image that is not eligible.
pub(crate) fn official_near(
    image: usize,
    row: &[f64],
    eligible: impl Fn(usize) -> bool,
    near: usize,
) -> Vec<usize> {
    let mut all: Vec<usize> = (0..row.len()).collect();
    // The image itself comes first, also before images that are equal to it.
    all.sort_unstable_by(|x, y| {
        row[*x].total_cmp(&row[*y]).then_with(|| (*x != image, x).cmp(&(*y != image, y)))
    });
    let mut next = 0;
    for place in 0..near {
        while next < all.len() && (all[next] == image || !eligible(all[next])) {
            next += 1;
        }
        if next == all.len() {
            return Vec::new();
        }
        all.swap(place, next);
        next += 1;
    }
    all.into_iter().skip(1).take(near).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(near: usize, far: usize) -> NeighbourCounts {
        NeighbourCounts { near, far }
    }

    #[test]
    fn far_images_are_farther_than_all_near_images() {
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(neighbours(0, &row, |_| true, both(2, 2)), (vec![1, 2], vec![5, 4]));
        assert_eq!(neighbours(0, &row, |_| true, both(3, 9)), (vec![1, 2, 3], vec![5, 4]));
        // Other crops are at even positions. The second nearest of them is far from image 0.
        assert_eq!(neighbours(0, &row, |other| other % 2 == 0, both(2, 9)), (vec![2, 4], vec![5]));
        assert_eq!(neighbours(0, &[0.0, 1.0, 1.0], |_| true, both(1, 1)), (vec![1], vec![]));
    }

    #[test]
    fn the_authors_order_leaves_the_nearest_out_and_ends_with_one_of_the_same_crop() {
        // Images at even positions have the crop of image 0.
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let other_crop = |other: usize| other % 2 == 1;
        assert_eq!(official_near(0, &row, other_crop, 2), [3, 2]);
        assert_eq!(official_near(0, &row, other_crop, 1), [0]);
        assert!(official_near(0, &row, other_crop, 4).is_empty());
    }

    #[test]
    fn only_distances_that_rounding_could_reorder_are_doubtful() {
        let exact = |values: &[f64]| values.iter().map(|v| (*v, 1e-9)).collect::<Vec<_>>();
        let row = exact(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(doubtful(0, &row, |_| true, both(2, 2)).is_empty());
        let close = exact(&[0.0, 1.0, 2.0, 2.0 + 1e-9, 4.0, 5.0]);
        assert_eq!(doubtful(0, &close, |_| true, both(2, 2)), BTreeSet::from([2, 3]));
        // Images 2 and 3 are not among those that are kept.
        assert!(doubtful(0, &close, |_| true, both(1, 2)).iter().all(|other| *other > 3));
        let vague = [(0.0, 0.0), (1.0, 0.1), (2.0, 1e-9), (9.0, 1e-9)];
        assert_eq!(doubtful(0, &vague, |_| true, both(1, 1)), BTreeSet::from([1]));
    }
}
