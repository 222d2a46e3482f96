//! Claims as they are written down, and what they are of.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::compare_methods::Method;
use crate::compare_methods::file::read;

/// A file of claims.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claims: Vec<Claim>,
}

/// That one method is better than another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// In words.
    pub claim: String,
    /// The method that is said to be better.
    pub better: Side,
    /// The one that is said to be worse.
    pub than: Side,
    /// By how much it may be worse after all.
    #[serde(default)]
    pub slack: Slack,
}

/// A method; without a name the best that was trained so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side {
    method: Option<String>,
    training: String,
}

/// By how much the better one may be worse.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Slack {
    /// In dB.
    pub psnr: f64,
    /// In the distance's units.
    pub distance: f64,
}

impl Claim {
    /// Those of a file.
    ///
    /// # Errors
    /// When it is no file of claims.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>> {
        Ok(read::<File>(path, "test_claims")?.claims)
    }
}

impl Side {
    /// Its measurements; of several methods, those of the one with the best mean of `metric`, of which more is `up`.
    ///
    /// # Errors
    /// When nothing was.
    pub(super) fn find<'m>(&self, methods: &'m [Method], metric: usize, up: bool) -> Result<&'m Method> {
        let meant = Method::find(methods, self.method.as_deref(), &self.training)?;
        let mean = |method: &Method| {
            let means = method.means(metric);
            let mean = means.values().sum::<f64>() / means.len() as f64;
            if up { mean } else { -mean }
        };
        let better = |one: usize, other: usize| {
            if mean(&methods[other]).total_cmp(&mean(&methods[one])).is_lt() { one } else { other }
        };
        Ok(&methods[meant.iter().copied().fold(meant[0], better)])
    }
}
