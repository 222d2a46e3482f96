//! Names of files: their natural order, and copies that other programs hide among them.

use std::cmp::Ordering;
use std::path::Path;

use callsheet_worker::Job;

/// Folder in which macOS puts metadata when it writes a ZIP archive.
const MACOS: &str = "__MACOSX";

/// Natural order of names: numbers are compared by value, so that `img2` precedes `img10`. Names that differ
/// only in leading zeros are in the order of their bytes.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let ((text_a, number_a, rest_a), (text_b, number_b, rest_b)) = (split(left), split(right));
        let by_value = || {
            let [a, b] = [number_a, number_b].map(|number| number.trim_start_matches('0'));
            a.len().cmp(&b.len()).then(a.cmp(b))
        };
        // A text is compared together with the presence of a number after it: `a` < `a1` < `ab`.
        let order = text_a.cmp(text_b).then(number_a.is_empty().cmp(&number_b.is_empty()).reverse());
        let order = order.then_with(by_value);
        if order != Ordering::Equal || number_a.is_empty() {
            return order.then(a.cmp(b));
        }
        (left, right) = (rest_a, rest_b);
    }
}

/// Text before the first number of a name, the digits of this number, and the rest.
fn split(name: &str) -> (&str, &str, &str) {
    let start = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (text, rest) = name.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    (text, number, rest)
}

/// Text before the last number of a file's name, the number, and the text after it. `None` if the name has no
/// number below 2^63.
pub(crate) fn last_number(name: &str) -> Option<(&str, u64, &str)> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = stem[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + stem[at..].chars().next().map_or(1, char::len_utf8));
    let number = stem[start..end].parse().ok().filter(|number| *number < 1 << 63)?;
    Some((&name[..start], number, &name[end..]))
}

/// Returns true if a part of a relative path is hidden or belongs to the metadata of an archive, such as
/// `.ipynb_checkpoints/1.jpg`, `._1.jpg` and `__MACOSX/1.jpg`.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().as_encoded_bytes();
        part == MACOS.as_bytes() || (part.starts_with(b".") && part != b"." && part != b"..")
    })
}

/// Warns of the number of hidden copies among raw files, which are left out.
pub(crate) fn warn_of_hidden(job: &Job, names: &[String]) {
    let hidden: Vec<&String> = names.iter().filter(|name| is_hidden(Path::new(name))).collect();
    if let Some(first) = hidden.first() {
        let count = hidden.len();
        job.warn(format!("hidden copies and metadata of archives were left out: {count}, such as `{first}`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_by_their_value() {
        let ordered = [
            "a",
            "a1b2",
            "a1b10",
            "a2",
            "a10",
            "a99999999999999999999999",
            "ab",
            "img1.jpg",
            "img2.jpg",
            "img10.jpg",
            "img10b.jpg",
        ];
        let mut sorted = ordered;
        sorted.reverse();
        sorted.sort_by(|a, b| natural(a, b));
        assert_eq!(sorted, ordered);
        let mut zeros = ["img1", "img01", "img2", "img001"];
        zeros.sort_by(|a, b| natural(a, b));
        assert_eq!(zeros, ["img001", "img01", "img1", "img2"]);
        assert_eq!(natural("x", "x"), Ordering::Equal);
    }

    #[test]
    fn the_last_number_of_a_name_counts_its_images() {
        assert_eq!(last_number("a/2024/img_007b.jpg"), Some(("a/2024/img_", 7, "b.jpg")));
        assert_eq!(last_number("é9.png"), Some(("é", 9, ".png")));
        assert_eq!(last_number("12.mp4"), Some(("", 12, ".mp4")));
        assert_eq!(last_number("none.jp2"), None);
        assert_eq!(last_number("99999999999999999999.jpg"), None);
    }

    #[test]
    fn copies_and_metadata_of_archives_are_hidden() {
        for name in [".ipynb_checkpoints/1.jpg", "a/._1.jpg", "__MACOSX/a/1.jpg", ".1.jpg"] {
            assert!(is_hidden(Path::new(name)), "{name}");
        }
        assert!(!is_hidden(Path::new("a/1.x.jpg")) && !is_hidden(Path::new("./a.jpg")));
    }
}
