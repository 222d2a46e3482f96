//! Claims on time.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// One `[[faster]]` table: some trainings are said to take less time than others, which a report tests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Faster {
    /// What is claimed, in a sentence.
    pub claim: String,
    /// A training: a stage, or several of which each goes on from the one before. All instances of a stage, or those of a
    /// pattern (`train@v4-*`), are its repetitions.
    #[schemars(with = "Vec<String>")]
    pub stages: Spanned<Vec<Spanned<String>>>,
    /// Stages before it whose time counts until a quality is reached, though not as steps.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub pretraining: Vec<Spanned<String>>,
    /// The training that it is said to be faster than, named alike.
    #[schemars(with = "Vec<String>")]
    pub than: Spanned<Vec<Spanned<String>>>,
}
