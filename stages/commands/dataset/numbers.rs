//! Gaps in the numbers of the images of a folder, which are the frames of one film.

use std::collections::BTreeMap;

use crate::lib::names::{last_number, natural};

/// Smallest number of images from which a step of their numbers is derived.
const FEWEST: usize = 3;

/// A jump of the numbers: the image after it, and a description.
pub(super) type Gap = (String, String);

/// Returns the jumps of the numbers in the names of images, folder by folder. Names whose numbers follow no step,
/// such as times, have none.
pub(super) fn gaps<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Gap> {
    let mut series: BTreeMap<(&str, &str), Vec<(u64, &str)>> = BTreeMap::new();
    for name in names {
        if let Some((before, number, after)) = last_number(name) {
            // Files of a series may have several formats.
            let after = after.rsplit_once('.').map_or(after, |(after, _)| after);
            series.entry((before, after)).or_default().push((number, name));
        }
    }
    series.into_values().flat_map(of_series).collect()
}

fn of_series(mut images: Vec<(u64, &str)>) -> Vec<Gap> {
    images.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| natural(x, y)));
    let step = |pair: &[(u64, &str)]| pair[1].0 - pair[0].0;
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    images.windows(2).map(step).for_each(|step| *counts.entry(step).or_default() += 1);
    let Some((usual, count)) = counts.into_iter().max_by_key(|(step, count)| (*count, u64::MAX - step))
    else {
        return Vec::new();
    };
    if images.len() < FEWEST || count * 2 < images.len() - 1 {
        return Vec::new();
    }
    let gap = |pair: &[(u64, &str)]| match step(pair) {
        found if found == usual => None,
        0 => Some((pair[1].1.to_owned(), format!("it has the number {} like `{}`", pair[1].0, pair[0].1))),
        _ => {
            let detail = format!("the numbers jump from {} (`{}`) to {}", pair[0].0, pair[0].1, pair[1].0);
            Some((pair[1].1.to_owned(), detail))
        }
    };
    images.windows(2).filter_map(gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<Gap> {
        gaps(names.iter().copied())
    }

    #[test]
    fn jumps_and_repeated_numbers_are_found_in_each_folder() {
        let found =
            of(&["a/1.jpg", "a/2.jpg", "a/3.jpg", "a/03.png", "a/7.jpg", "b/10.jpg", "b/20.jpg", "b/30.jpg"]);
        assert_eq!(
            found,
            [
                ("a/03.png".to_owned(), "it has the number 3 like `a/3.jpg`".to_owned()),
                ("a/7.jpg".to_owned(), "the numbers jump from 3 (`a/03.png`) to 7".to_owned()),
            ]
        );
    }

    #[test]
    fn times_and_names_without_numbers_have_no_gaps() {
        assert!(of(&["101530.jpg", "101612.jpg", "110004.jpg", "120001.jpg"]).is_empty());
        assert!(of(&["a.jpg", "b.jpg", "1.jpg", "9.jpg"]).is_empty() && of(&[]).is_empty());
    }
}
