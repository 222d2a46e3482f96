//! Parts of triplets.

/// Positions of the anchors (part 0), positives or negatives of some triplets.
pub(super) fn of_part(triplets: &[[i64; 3]], rows: &[i64], part: usize) -> Vec<i64> {
    rows.iter().map(|row| triplets[*row as usize][part]).collect()
}
