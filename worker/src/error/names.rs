//! Names and lines in messages: the nearest name, and lists and lines of limited length.

use std::fmt::Display;

/// Longest line of a message, in characters.
pub(super) const LONGEST_LINE: usize = 400;

/// Returns a text with its long lines cut.
pub(super) fn clipped(text: &str) -> String {
    let clip = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    text.split('\n').map(clip).collect::<Vec<_>>().join("\n")
}

/// Help for an unknown name: ``did you mean `x`? (known: a, b, x)``.
pub fn suggest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = list(known.iter().copied());
    match nearest(wanted, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? (known: {list})"),
        None if known.is_empty() => "there are none to choose from".to_owned(),
        None => format!("use one of: {list}"),
    }
}

/// Lists names: `a, b, x`, `none`, or the first of them and the number of the others.
pub fn list<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(LISTED).map(|name| name.to_string()).collect();
    match (shown.len(), names.count()) {
        (0, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Largest number of names in a list.
const LISTED: usize = 40;

/// Returns the known name that is most similar to `wanted`, if one is similar enough to be a likely slip.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name));
    let likely = scored.filter(|(likeness, _)| *likeness > 0.5);
    likely.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
