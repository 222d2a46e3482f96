//! Published figures of the methods that are measured here.

use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::user_error;
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
    /// Name of the method as in the table; empty if there is only one.
    #[serde(default)]
    method: String,
    training: String,
    /// PSNR in dB, at the image side of the publication.
    pub psnr: Option<f64>,
    pub distance: Option<Distance>,
    /// Source of the figures.
    pub source: String,
}

/// A published distance, and the name of the measure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Distance {
    pub value: f64,
    name: String,
}

impl Published {
    /// Reads the published figures from a file, at most one entry for each method.
    ///
    /// # Errors
    /// Returns an error if the file is invalid, or names a method that was not measured, a method twice, or
    /// another distance than the measured one.
    pub(super) fn read(path: &Path, methods: &[Method]) -> Result<Vec<Option<Self>>> {
        let file: File = file::read(path, "compare_methods")?;
        let mut all: Vec<Option<Self>> = methods.iter().map(|_| None).collect();
        for figures in file.published {
            figures.check(path)?;
            let found = Method::find(methods, Some(&figures.method), &figures.training);
            let at = found.with_context(|| format!("`{}`", path.display()))?[0];
            let [measured, _] = &methods[at].tables[0].distance;
            if let Some(Distance { name, .. }) = figures.distance.as_ref().filter(|one| one.name != *measured)
            {
                return Err(user_error(
                    format!(
                        "`{}`: the published distance is {name}, the measured one is {measured}",
                        path.display()
                    ),
                    "leave `distance` out, or measure with the published distance",
                ));
            }
            let shown = methods[at].shown();
            if all[at].replace(figures).is_some() {
                return Err(user_error(
                    format!("`{}`: figures of ({shown}) are given twice", path.display()),
                    "remove one of these entries",
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
        Err(user_error(
            format!(
                "`{}`: `{}` has no figure, or one that is not a finite number",
                path.display(),
                self.source
            ),
            "give psnr, distance, or both",
        ))
    }
}
