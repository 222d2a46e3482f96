//! Titles of runs.

/// Returns a title such as `train on mine, profile small`, without the parts that are empty.
pub fn title(pipeline: &str, dataset: &str, profile: &str) -> String {
    let named = [(" on ", dataset), (", profile ", profile)].into_iter().filter(|(_, name)| !name.is_empty());
    named.fold(pipeline.to_owned(), |title, (word, name)| title + word + name)
}
