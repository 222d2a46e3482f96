//! Published figures of the methods that are measured here.

use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::refusal;
use serde::Deserialize;

use super::{Method, file};

/// A file of published figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    published: Vec<Published>,
}

/// Published figures of one method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    /// As in the table; empty where there is but one.
    #[serde(default)]
    method: String,
    training: String,
    /// In dB, at whatever side it was published for.
    pub psnr: Option<f64>,
    pub distance: Option<Distance>,
    /// Source of the figures.
    pub source: String,
}

/// A published distance, and what measured it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Distance {
    pub value: f64,
    name: String,
}

impl Published {
    /// Those of a file, one or none of each method.
    ///
    /// # Errors
    /// When it is no such file, or names a method that was not measured, one twice, or another distance.
    pub(super) fn read(path: &Path, methods: &[Method]) -> Result<Vec<Option<Self>>> {
        let file: File = file::read(path, "compare_methods")?;
        let mut all: Vec<Option<Self>> = methods.iter().map(|_| None).collect();
        for figures in file.published {
            figures.check(path)?;
            let found = Method::find(methods, Some(&figures.method), &figures.training);
            let at = found.with_context(|| path.display().to_string())?[0];
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
