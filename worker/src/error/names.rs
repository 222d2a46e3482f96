//! Names and lines in messages: the nearest name, lists and lines that a reader still reads.

/// Characters of a line that a reader still reads.
pub(super) const LONGEST_LINE: usize = 400;

/// A text without the rest of its long lines.
pub(super) fn clipped(text: &str) -> String {
    let clip = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    text.split('\n').map(clip).collect::<Vec<_>>().join("\n")
}

/// `did you mean "x"? (known: a, b, x)`, for a name that does not exist.
pub fn suggest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let list = list(known.iter().copied());
    match nearest(wanted, known) {
        Some(name) => format!("did you mean `{name}`? (known: {list})"),
        None => format!("known: {list}"),
    }
}

/// `a, b, x`, or so many that a reader still reads them.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<&str> = names.by_ref().take(LISTED).collect();
    match (shown.len(), names.count()) {
        (0, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names that a list shows.
const LISTED: usize = 40;

/// The known name that `wanted` is most likely a slip for, if there is one.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name));
    let likely = scored.filter(|(likeness, _)| *likeness > 0.5);
    likely.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
