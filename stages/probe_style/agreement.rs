//! Agreement of two labellings of the same images, from counts of pairs of labels.

use std::collections::BTreeMap;

/// Contingency table: counts of each label of one kind with each label of the other, in their order.
pub(crate) fn contingency<A: Ord, B: Ord>(labels: &[(A, B)]) -> Vec<Vec<usize>> {
    let mut columns: BTreeMap<&B, usize> = labels.iter().map(|(_, other)| (other, 0)).collect();
    columns.values_mut().enumerate().for_each(|(n, place)| *place = n);
    let mut counts: BTreeMap<&A, Vec<usize>> = BTreeMap::new();
    for (one, other) in labels {
        counts.entry(one).or_insert_with(|| vec![0; columns.len()])[columns[other]] += 1;
    }
    counts.into_values().collect()
}

/// Mutual information of two labels, normalized to 0..1 by the mean of their entropies, from a contingency
/// table. It is 1 if no label varies.
pub(crate) fn normalized_mutual_information(counts: &[Vec<usize>]) -> f64 {
    let (rows, columns) = margins(counts);
    let total = rows.iter().sum::<usize>() as f64;
    let each = entropy(rows.iter(), total) + entropy(columns.iter(), total);
    let shared = 2.0 * (1.0 - entropy(counts.iter().flatten(), total) / each);
    if each == 0.0 { 1.0 } else { shared.clamp(0.0, 1.0) }
}

/// Rand index of two labels, adjusted for chance (Hubert and Arabie 1985): 1 if they agree, 0 for random
/// labels, and at least -0.5.
pub(crate) fn adjusted_rand_index(counts: &[Vec<usize>]) -> f64 {
    let (rows, columns) = margins(counts);
    let (both, one, other) =
        (couples(counts.iter().flatten()), couples(rows.iter()), couples(columns.iter()));
    if both == one && both == other {
        return 1.0; // both partitions are equal
    }
    let expected = one * other / couples([rows.iter().sum()].iter());
    (both - expected) / ((one + other) / 2.0 - expected)
}

/// Returns the counts of each label.
fn margins(counts: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let width = counts.first().map_or(0, Vec::len);
    let columns = (0..width).map(|column| counts.iter().map(|row| row[column]).sum()).collect();
    (counts.iter().map(|row| row.iter().sum()).collect(), columns)
}

/// Returns the number of pairs of images that have a label in common.
fn couples<'a>(counts: impl Iterator<Item = &'a usize>) -> f64 {
    counts.map(|count| *count as f64).map(|count| count * (count - 1.0) / 2.0).sum()
}

fn entropy<'a>(counts: impl Iterator<Item = &'a usize>, total: f64) -> f64 {
    let shares = counts.filter(|count| **count > 0).map(|count| *count as f64 / total);
    shares.map(|share| -share * share.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-12, "{found}, not {wanted}");
    }

    fn counts(rows: &[&[usize]]) -> Vec<Vec<usize>> {
        rows.iter().map(|row| row.to_vec()).collect()
    }

    #[test]
    fn contingency_tables_have_labels_in_sorted_order() {
        let labels = [("b", 7), ("a", 3), ("b", 7), ("b", 3)];
        assert_eq!(contingency(&labels), [[1, 0], [1, 2]]);
        assert!(contingency::<&str, i32>(&[]).is_empty());
    }

    #[test]
    fn mutual_information_is_that_of_scikit_learn() {
        near(normalized_mutual_information(&counts(&[&[0, 5], &[3, 0]])), 1.0);
        near(normalized_mutual_information(&counts(&[&[2, 2], &[2, 2]])), 0.0);
        near(normalized_mutual_information(&counts(&[&[4]])), 1.0);
        // These labels are independent, and the value would be below 0 by rounding.
        let one: Vec<usize> = [6, 2, 4, 5, 4, 3, 9, 2].to_vec();
        let rows: Vec<Vec<usize>> =
            one.iter().map(|a| [3, 8, 4, 1, 4, 9, 9, 8].map(|b| a * b).to_vec()).collect();
        assert!((0.0..1e-12).contains(&normalized_mutual_information(&rows)));
        // normalized_mutual_info_score([0,0,0,1,1,2], [0,0,1,1,1,1])
        near(normalized_mutual_information(&counts(&[&[2, 1], &[0, 2], &[0, 1]])), 0.386_253_442_857_130_2);
    }

    #[test]
    fn the_rand_index_is_that_of_scikit_learn() {
        near(adjusted_rand_index(&counts(&[&[0, 5], &[3, 0]])), 1.0);
        near(adjusted_rand_index(&counts(&[&[4]])), 1.0);
        near(adjusted_rand_index(&counts(&[&[1, 0], &[0, 1]])), 1.0);
        // adjusted_rand_score([0,0,0,0], [0,1,2,3]), and of [0,0,1,1] with [0,1,0,1] and with [0,0,1,2]
        near(adjusted_rand_index(&counts(&[&[1, 1, 1, 1]])), 0.0);
        near(adjusted_rand_index(&counts(&[&[1, 1], &[1, 1]])), -0.5);
        near(adjusted_rand_index(&counts(&[&[2, 0, 0], &[0, 1, 1]])), 4.0 / 7.0);
        // adjusted_rand_score([0,0,0,1,1,2], [0,0,1,1,1,1])
        near(adjusted_rand_index(&counts(&[&[2, 1], &[0, 2], &[0, 1]])), 4.0 / 109.0);
    }
}
