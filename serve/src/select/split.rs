//! Texts whose parts may be in double quotes.

/// Characters that have a meaning in conditions.
const SPECIAL: &[char] = &[',', ':', '|', '&', '*', '"'];

/// Part of a text between separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub text: String,
    /// True if the text was in quotes, so that its characters have no meaning.
    pub quoted: bool,
    /// True if any characters may precede and follow the text: it has a `*` at its beginning and end.
    pub open: [bool; 2],
}

/// Splits a text at a character that is outside of quotes, at most into `most` parts.
pub(super) fn split(text: &str, separator: char, most: usize) -> Vec<&str> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, found) in text.char_indices() {
        inside ^= found == '"';
        if found == separator && !inside && parts.len() + 1 < most {
            parts.push(&text[start..at]);
            start = at + found.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns a part without a `*` at its ends and without its quotes, in which two of them stand for one, or without spaces
/// around it.
pub(super) fn unquoted(text: &str) -> Part {
    let text = text.trim();
    let (start, text) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
    let (end, text) = text.strip_suffix('*').map_or((false, text), |rest| (true, rest));
    let open = [start, end];
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => Part { text: inner.replace("\"\"", "\""), quoted: true, open },
        None => Part { text: text.to_owned(), quoted: false, open },
    }
}

/// Returns the text as a part of a condition, in quotes if it needs them.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains(SPECIAL) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotes_do_not_split() {
        assert_eq!(split("a:1,\"b,c\":2", ',', usize::MAX), ["a:1", "\"b,c\":2"]);
        assert_eq!(split("a:1:2", ':', 2), ["a", "1:2"]);
        assert_eq!(split("", ',', usize::MAX), [""]);
        assert_eq!(split("\"a,b", ',', usize::MAX), ["\"a,b"], "quotes that are not closed");
    }

    #[test]
    fn a_quoted_text_is_the_text_again() {
        for text in ["train", "a, b", "", "\"", "\"\"a\"", " a", "a:b|c*", "ü"] {
            assert_eq!(unquoted(&quoted(text)).text, text);
        }
        assert_eq!(unquoted("*\"a, b\"*"), Part { text: "a, b".into(), quoted: true, open: [true, true] });
        assert_eq!(quoted("train"), "train");
        assert_eq!(unquoted(" a* "), Part { text: "a".into(), quoted: false, open: [false, true] });
    }
}
