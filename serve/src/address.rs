//! Addresses of pages. Names can contain any character, so each is encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that are encoded in names.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');

/// Address that consists of words and names, e.g. `/run/<id>/stage/<stage>`.
pub(crate) fn address(segments: &[&str]) -> String {
    segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, ENCODED))).collect()
}

/// Query of an address with these words; those that are empty are left out.
pub(crate) fn query(words: &[(&str, &str)]) -> String {
    let words: Vec<&(&str, &str)> = words.iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("?{}", serde_urlencoded::to_string(words).expect("texts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_any_characters_stay_one_segment() {
        assert_eq!(address(&["run", "2026-11-29T10"]), "/run/2026-11-29T10");
        assert_eq!(
            address(&["data", "each@50%2F x", "a/b?#\"é"]),
            "/data/each@50%252F%20x/a%2Fb%3F%23%22%C3%A9"
        );
    }
}
