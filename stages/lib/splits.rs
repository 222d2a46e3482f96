//! Splits of images into training and validation, and the choice of images for style features. Both use
//! hashes of names, so that new images change few of the assignments.

use std::collections::HashSet;

use rand::RngCore;

use crate::lib::random::stream;

/// Split of a name, `train` or `val`, by a hash of the name.
pub(crate) fn drawn(name: &str, val_fraction: f64) -> &'static str {
    let hash = blake3::hash(name.as_bytes());
    let (head, _) = hash.as_bytes().split_at(8);
    let draw = head.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) as f64 / 2f64.powi(64);
    if draw < val_fraction { "val" } else { "train" }
}

/// Chooses at most `most` ids by a hash of each.
pub(crate) fn choose<'a>(ids: impl Iterator<Item = &'a str>, most: usize, seed: i64) -> HashSet<&'a str> {
    let mut drawn: Vec<(u64, &str)> = ids.map(|id| (stream(seed, id, 0).next_u64(), id)).collect();
    drawn.sort_unstable();
    drawn.into_iter().take(most).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_depends_on_the_name_alone_and_hits_its_share() {
        let ids: Vec<String> = (0..10_000).map(|i| format!("a.mp4#{i:06}")).collect();
        let val = ids.iter().filter(|id| drawn(id, 0.2) == "val").count();
        assert!((1_850..2_150).contains(&val), "{val} of 10,000");
        assert!(ids.iter().all(|id| drawn(id, 0.0) == "train" && drawn(id, 1.0) == "val"));
    }

    #[test]
    fn new_names_displace_few_of_those_chosen() {
        let ids: Vec<String> = (0..110).map(|i| format!("{i}.jpg")).collect();
        let before = choose(ids[..100].iter().map(String::as_str), 50, 0);
        let after = choose(ids.iter().map(String::as_str), 50, 0);
        assert_eq!((before.len(), after.len()), (50, 50));
        assert!(before.intersection(&after).count() >= 40);
    }
}
