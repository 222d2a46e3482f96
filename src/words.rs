//! Names and numbers as people read them.

/// `synthesis on space_needle, profile demo`, without what is empty.
pub fn title(pipeline: &str, dataset: &str, profile: &str) -> String {
    let named = [(" on ", dataset), (", profile ", profile)].into_iter().filter(|(_, name)| !name.is_empty());
    named.fold(pipeline.to_owned(), |title, (word, name)| title + word + name)
}

/// Seconds as people read them: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub fn human_seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
