//! What others published of the methods that are measured here.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet::error::list;
use serde::Deserialize;

use super::Method;
use crate::worker::refusal;

/// A file of published figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    published: Vec<Published>,
}

/// Published figures of one method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// As in the table; empty where there is but one.
    #[serde(default)]
    method: String,
    training: String,
    /// In dB, at whatever side it was published for.
    pub psnr: Option<f64>,
    pub distance: Option<Distance>,
    /// Where they stand.
    pub source: String,
}

/// A published distance, and what measured it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distance {
    pub value: f64,
    name: String,
}

impl Published {
    /// Those of a file, one or none of each method.
    ///
    /// # Errors
    /// When it is no such file, or names a method that was not measured, one twice, or another distance.
    pub fn read(path: &Path, methods: &[Method]) -> Result<Vec<Option<Self>>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            let help = "`callsheet stages compare_methods` shows how published figures are written";
            refusal(format!("{}: {error}", path.display()), help)
        })?;
        let mut all: Vec<Option<Self>> = methods.iter().map(|_| None).collect();
        for figures in file.published {
            figures.check(path)?;
            let (name, training) = (&figures.method, &figures.training);
            let meant = |method: &Method| method.name == *name && method.training == training;
            let Some(at) = methods.iter().position(meant) else {
                let known: Vec<String> = methods.iter().map(Method::shown).collect();
                return Err(refusal(
                    format!(
                        "{}: no method `{name}` with training = \"{training}\" was measured",
                        path.display()
                    ),
                    format!("known: {}", list(known.iter().map(String::as_str))),
                ));
            };
            let [measured, _] = &methods[at].tables[0].distance;
            if let Some(Distance { name, .. }) = figures.distance.as_ref().filter(|one| one.name != *measured)
            {
                return Err(refusal(
                    format!(
                        "{}: the published distance is {name}, the one measured {measured}",
                        path.display()
                    ),
                    "they cannot be compared: leave `distance` out, or measure by the same",
                ));
            }
            let shown = methods[at].shown();
            if all[at].replace(figures).is_some() {
                return Err(refusal(
                    format!("{}: figures of ({shown}) stand there twice", path.display()),
                    "leave one of them out",
                ));
            }
        }
        Ok(all)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let values = [self.psnr, self.distance.as_ref().map(|distance| distance.value)];
        if values.iter().flatten().next().is_some() && values.iter().flatten().all(|value| value.is_finite())
        {
            return Ok(());
        }
        Err(refusal(
            format!("{}: `{}` has no figure, or one that is no number", path.display(), self.source),
            "give psnr, distance, or both",
        ))
    }
}
