//! Claims as files declare them, and the methods that they compare.

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

/// Claim that one method is better than another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// Sentence that states the claim.
    pub claim: String,
    /// The method that is claimed to be better.
    pub better: Side,
    /// The method that is claimed to be worse.
    pub than: Side,
    /// Tolerance within which the better method may be worse.
    #[serde(default)]
    pub slack: Slack,
}

/// A method; without a name, the best method with this training.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { method = \"..\", training = \"..\" }")]
pub(super) struct Side {
    method: Option<String>,
    training: String,
}

/// Tolerance within which the better method may be worse.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Slack {
    /// Tolerance of PSNR in dB.
    pub psnr: f64,
    /// Tolerance of the distance, in its units.
    pub distance: f64,
}

impl Claim {
    /// Reads the claims of a file.
    ///
    /// # Errors
    /// Returns an error if the file is not a valid file of claims.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>> {
        Ok(read::<File>(path, "test_claims")?.claims)
    }
}

impl Side {
    /// Returns the method; of several, the one with the best mean of `metric`. `up` is true if larger values
    /// are better.
    ///
    /// # Errors
    /// Returns an error if no such method was measured.
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
