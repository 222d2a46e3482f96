//! Splits of images into training and validation, and the choice of images for style features. Both use
//! hashes of names, so that new images change few of the assignments.

use std::collections::HashSet;

use anyhow::Result;
use callsheet_worker::user_error;
use rand::RngCore;

use crate::lib::random::stream;

/// Names of folders, in lower case, and the split of the images in them.
const FOLDERS: [(&str, &str); 7] = [
    ("train", "train"),
    ("training", "train"),
    ("val", "val"),
    ("valid", "val"),
    ("validation", "val"),
    ("test", "test"),
    ("testing", "test"),
];

/// Folders of datasets without pairs (CycleGAN), in lower case: a split and the letter of one of two sets.
const UNPAIRED: [&str; 6] = ["traina", "trainb", "vala", "valb", "testa", "testb"];

/// Split that the folders of a path determine, regardless of case: `train`, `val` or `test`. The outermost
/// matching folder counts, because an archive may wrap all of them in another folder.
pub(crate) fn of_folder(path: &str) -> Option<&'static str> {
    let split = |part: String| FOLDERS.iter().find(|(folder, _)| *folder == part).map(|(_, split)| *split);
    folders(path).find_map(split)
}

/// Returns true if a folder of the path is one of a dataset without pairs, such as CycleGAN's `trainA`.
pub(crate) fn is_unpaired(path: &str) -> bool {
    folders(path).any(|part| UNPAIRED.contains(&part.as_str()))
}

fn folders(path: &str) -> impl Iterator<Item = String> {
    let (folders, _) = path.rsplit_once('/').unwrap_or_default();
    folders.split('/').map(str::to_lowercase)
}

/// Split of a name, `train` or `val`, by a hash of the name.
pub(crate) fn drawn(name: &str, val_fraction: f64) -> &'static str {
    let hash = blake3::hash(name.as_bytes());
    let (head, _) = hash.as_bytes().split_at(8);
    let draw = head.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) as f64 / 2f64.powi(64);
    if draw < val_fraction { "val" } else { "train" }
}

/// Checks that both splits have images.
///
/// # Errors
/// Returns an error with this help if one has none.
pub(crate) fn check_both(splits: &[&str], help: &str) -> Result<()> {
    match ["train", "val"].into_iter().find(|wanted| !splits.contains(wanted)) {
        None => Ok(()),
        Some(wanted) => Err(user_error(
            format!("no image is in the split `{wanted}`; number of images: {}", splits.len()),
            help,
        )),
    }
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
    fn folders_determine_a_split_regardless_of_case() {
        for (path, split) in [
            ("Train/1.jpg", Some("train")),
            ("all/VAL/train/1.jpg", Some("val")),
            ("Validation/1.jpg", Some("val")),
            ("testing/1.jpg", Some("test")),
            ("trainA/1.jpg", None),
            ("train.jpg", None),
            ("more/train", None),
        ] {
            assert_eq!(of_folder(path), split, "{path}");
        }
        assert!(is_unpaired("x/TrainA/1.jpg") && is_unpaired("testb/1.jpg") && !is_unpaired("train/A/1.jpg"));
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
