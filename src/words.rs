//! Titles of runs.

/// `train on mine, profile small`, without what is empty.
pub fn title(pipeline: &str, dataset: &str, profile: &str) -> String {
    let named = [(" on ", dataset), (", profile ", profile)].into_iter().filter(|(_, name)| !name.is_empty());
    named.fold(pipeline.to_owned(), |title, (word, name)| title + word + name)
}
