//! The key to a study: what its questions show, and by which methods.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use callsheet_worker::refusal;
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
    /// That of the other output.
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
    /// To compare two methods; `ours` stands here.
    Ours(Side),
    /// To see whether somebody looks; the right answer.
    Check(Side),
}

/// A question as it is shown to everybody.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Question {
    /// `q001`.
    pub id: String,
    /// Image id of the content.
    pub content: String,
    /// Image id of the style.
    pub style: String,
    /// Letter of the method whose output stands on the left.
    pub left: String,
    /// The same of the right.
    pub right: String,
    /// `"ours": "left"` or `"check": "left"`.
    #[serde(flatten)]
    pub purpose: Purpose,
}

impl Question {
    /// Letter of the method whose output stands there.
    pub(crate) fn letter(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// `key.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Key {
    /// [`KEY_FORMAT`].
    pub format: String,
    /// Digest of all that the page shows.
    pub study: String,
    /// Its heading.
    pub title: String,
    /// Footer: the data, and a note.
    pub note: String,
    /// Letter of the method that stands beside each of the others.
    pub ours: String,
    /// Names by letter.
    pub methods: BTreeMap<String, String>,
    /// In the order of their ids.
    pub questions: Vec<Question>,
}

impl Key {
    /// Reads a key; `path` is where it was found.
    ///
    /// # Errors
    /// When it is none, or contradicts itself.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let wrong = |problem: String| {
            refusal(
                format!("{} is no key to a study: {problem}", path.display()),
                "name the key.json that the stage user_study made beside the page",
            )
        };
        let key: Self = serde_json::from_slice(bytes)
            .map_err(|error| wrong(error.to_string().escape_debug().to_string()))?;
        if key.format != KEY_FORMAT {
            return Err(wrong(format!("its format is {:?}, not {KEY_FORMAT:?}", key.format)));
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
                "{:?} does not show the letter {:?} once, where it says",
                question.id, key.ours
            )));
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = key.questions.iter().find(|question| !ids.insert(&question.id)) {
            return Err(wrong(format!("two questions are called {:?}", twice.id)));
        }
        Ok(key)
    }
}
