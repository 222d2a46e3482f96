//! Training and validation.

/// The split of a frame, by a hash of its id: adding frames moves none.
pub fn split(frame_id: &str, val_fraction: f64) -> &'static str {
    let hash = blake3::hash(frame_id.as_bytes());
    let (head, _) = hash.as_bytes().split_at(8);
    let draw = head.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) as f64 / 2f64.powi(64);
    if draw < val_fraction { "val" } else { "train" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_depends_on_the_frame_alone_and_hits_its_share() {
        let ids: Vec<String> = (0..10_000).map(|i| format!("a.mp4#{i:06}")).collect();
        let val = ids.iter().filter(|id| split(id, 0.2) == "val").count();
        assert!((1_850..2_150).contains(&val), "{val} of 10,000");
        assert!(ids.iter().all(|id| split(id, 0.0) == "train" && split(id, 1.0) == "val"));
    }
}
