//! Place of the verdicts: their file, and the tables to whose rows they refer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use callsheet::curation::Curation;
use callsheet::plan::resolve;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::Verdicts;
use crate::app::{App, Workspace};
use crate::artifact::Latest;
use crate::tables::columns;

/// File of verdicts, and the tables to whose rows they refer.
#[derive(PartialEq)]
pub(crate) struct Place {
    /// Path of the file, relative to the project.
    pub file: String,
    /// Absolute path.
    pub path: PathBuf,
    /// Column whose values identify the rows.
    pub key: String,
    /// Type of this column, if a table was computed.
    pub key_kind: Option<String>,
    /// Stage instance and output of each table.
    pub tables: Vec<(String, String)>,
}

/// Place and verdicts that were read last.
#[derive(Default)]
pub(crate) struct OpenVerdicts {
    place: Mutex<Option<Arc<Place>>>,
    verdicts: Mutex<Option<Arc<Verdicts>>>,
}

fn key_kind(app: &App, curation: &Curation) -> Option<String> {
    let latest = Latest::open(app).ok()?;
    let tables = curation.tables().ok()?;
    let mut columns =
        tables.into_iter().filter_map(|(stage, output)| columns(&latest.find(stage, output).ok()?.path).ok());
    columns
        .find_map(|columns| columns.into_iter().find(|column| column.name == curation.column()))
        .map(|column| column.kind)
}

impl OpenVerdicts {
    /// Returns the place that was found last.
    ///
    /// # Errors
    /// See [`Self::found`].
    pub(super) fn place(&self, app: &App) -> Result<Arc<Place>> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        place.map_or_else(|| self.found(app), Ok)
    }

    /// Finds the place in the declarations of the selected pipeline, which may have changed.
    ///
    /// # Errors
    /// Returns an error if the pipeline is invalid, or no stage reads verdicts.
    pub(crate) fn found(&self, app: &App) -> Result<Arc<Place>> {
        let Workspace { project, .. } = app.workspace()?;
        let plan = resolve(&project, &app.request(&project)?)?;
        let curation = Curation::find(&project, &plan)?;
        let tables = curation.tables()?.into_iter();
        let place = Arc::new(Place {
            file: curation.file().to_owned(),
            path: curation.path(),
            key: curation.column().to_owned(),
            key_kind: key_kind(app, &curation),
            tables: tables.map(|(stage, output)| (stage.to_owned(), output.to_owned())).collect(),
        });
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.clone());
        Ok(place)
    }

    /// Returns the verdicts in the file with this digest, which `read` reads if they are not kept.
    pub(super) fn kept(
        &self,
        place: &Arc<Place>,
        digest: Digest,
        read: impl FnOnce() -> Result<Verdicts>,
    ) -> Result<Arc<Verdicts>> {
        let mut kept = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdicts) = kept.as_ref().filter(|kept| kept.digest == digest && kept.place == *place) {
            return Ok(verdicts.clone());
        }
        let verdicts = Arc::new(read()?);
        *kept = Some(verdicts.clone());
        Ok(verdicts)
    }
}
