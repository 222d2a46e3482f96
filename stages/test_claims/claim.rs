//! Claims as they are written down, and what they are of.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet::error::list;
use serde::Deserialize;

use crate::compare_methods::Method;
use crate::worker::refusal;

/// A file of claims.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claims: Vec<Claim>,
}

/// That one method is better than another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
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
pub struct Side {
    method: Option<String>,
    training: String,
}

/// By how much the better one may be worse.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slack {
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
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            let help = "`callsheet stages test_claims` shows how claims are written";
            refusal(format!("{}: {error}", path.display()), help)
        })?;
        Ok(file.claims)
    }
}

impl Side {
    /// What was measured of it; of several, of that with the best mean of `metric`, of which more is `up`.
    ///
    /// # Errors
    /// When nothing was.
    pub fn find<'m>(&self, methods: &'m [Method], metric: usize, up: bool) -> Result<&'m Method> {
        let named = |method: &&Method| self.method.as_ref().is_none_or(|name| *name == method.name);
        let meant = methods.iter().filter(|method| method.training == self.training).filter(named);
        let mean = |method: &Method| {
            let means = method.means(metric);
            let mean = means.values().sum::<f64>() / means.len() as f64;
            if up { mean } else { -mean }
        };
        meant.max_by(|a, b| mean(a).total_cmp(&mean(b))).ok_or_else(|| {
            let name = self.method.as_deref().unwrap_or("of any name");
            let message = format!("no method `{name}` with training = \"{}\" was measured", self.training);
            let known: Vec<String> = methods.iter().map(Method::shown).collect();
            refusal(message, format!("known: {}", list(known.iter().map(String::as_str))))
        })
    }
}
