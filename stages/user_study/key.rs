//! Key of a study: the images and methods that its questions show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use serde::{Deserialize, Serialize};

/// Format of a key.
pub(super) const KEY_FORMAT: &str = "callsheet study key 1";

/// Side of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    /// Returns the side of the other output.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// Purpose of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// Comparison of two methods, with the side of `ours`.
    Ours(Side),
    /// Attention check, with the side of the correct answer.
    Check(Side),
}

/// Question as all participants see it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Question {
    /// Id, such as `q001`.
    pub id: String,
    /// Image id of the content.
    pub content: String,
    /// Image id of the style.
    pub style: String,
    /// Letter of the method whose output is on the left.
    pub left: String,
    /// Letter of the method whose output is on the right.
    pub right: String,
    /// Purpose, such as `"ours": "left"` or `"check": "left"`.
    #[serde(flatten)]
    pub purpose: Purpose,
}

impl Question {
    /// Returns the letter of the method whose output is on a side.
    pub(crate) fn letter(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// Contents of `key.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Key {
    /// Format, which is [`KEY_FORMAT`].
    pub format: String,
    /// Digest of everything that the page shows.
    pub study: String,
    /// Heading of the page.
    pub title: String,
    /// Footer of the page, with the data and a note.
    pub note: String,
    /// Letter of the method that is compared with each of the others.
    pub ours: String,
    /// Names of the methods by letter.
    pub methods: BTreeMap<String, String>,
    /// Questions in the order of their ids.
    pub questions: Vec<Question>,
}

impl Key {
    /// Reads a key from the `bytes` of the file at `path`.
    ///
    /// # Errors
    /// Returns an error if the key is malformed, or contradicts itself.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let wrong = |problem: String| {
            user_error(
                format!("`{}` is not a valid key of a study: {problem}", path.display()),
                "name the key.json that the stage user_study created with the page",
            )
        };
        let key: Self = serde_json::from_slice(bytes)
            .map_err(|error| wrong(error.to_string().escape_debug().to_string()))?;
        if key.format != KEY_FORMAT {
            return Err(wrong(format!("unknown format {:?}, expected {KEY_FORMAT:?}", key.format)));
        }
        let letters = key.questions.iter().flat_map(|question| [&question.left, &question.right]);
        if let Some(letter) = letters.chain([&key.ours]).find(|letter| !key.methods.contains_key(*letter)) {
            return Err(wrong(format!("no method has the letter {letter:?}")));
        }
        let is_ours = |question: &Question, side: Side| question.letter(side) == key.ours;
        let stands = |question: &Question| match question.purpose {
            Purpose::Ours(side) => is_ours(question, side) && !is_ours(question, side.other()),
            Purpose::Check(side) => !is_ours(question, side) && !is_ours(question, side.other()),
        };
        if let Some(question) = key.questions.iter().find(|question| !stands(question)) {
            return Err(wrong(format!(
                "{:?} does not show the letter {:?} exactly once, on the declared side",
                question.id, key.ours
            )));
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = key.questions.iter().find(|question| !ids.insert(&question.id)) {
            return Err(wrong(format!("two questions have the id {:?}", twice.id)));
        }
        Ok(key)
    }
}
