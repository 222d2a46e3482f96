//! Verdicts of the selected pipeline, from their file.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use callsheet::curation::Curation;
use callsheet::plan::resolve;
use callsheet_worker::curation;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use super::list::Verdicts;
use super::place::Place;
use crate::app::{App, Workspace};
use crate::artifact::Latest;
use crate::tables::columns;

/// Reads the verdicts at the place that the selected pipeline declares now.
///
/// # Errors
/// Returns an error if no stage reads verdicts, or the file cannot be read or is malformed.
pub(crate) fn read_now(app: &App) -> Result<Arc<Verdicts>> {
    read_at(app, find(app)?)
}

/// Reads the verdicts at the place that was found last. If the file cannot be read, there are no verdicts, and their problem is the reason.
///
/// # Errors
/// Returns an error if no stage reads verdicts.
pub(crate) fn read_or_none(app: &App) -> Result<Arc<Verdicts>> {
    let place = place(app)?;
    read_at(app, place.clone()).or_else(|error| {
        let mut none = Verdicts::new(place, Digest::from(blake3::hash(&[])), Vec::new());
        none.problem = Some(error.to_string());
        Ok(Arc::new(none))
    })
}

/// Finds the place in the declarations of the selected pipeline, which may have changed.
///
/// # Errors
/// Returns an error if the pipeline is invalid, or no stage reads verdicts.
fn find(app: &App) -> Result<Arc<Place>> {
    let Workspace { project, .. } = app.workspace()?;
    let plan = resolve(&project, &app.request(&project)?)?;
    place_of(app, &Curation::find(&project, &plan)?)
}

/// Keeps the place of verdicts.
///
/// # Errors
/// Returns an error if an input with verdicts is not wired to an output of a stage.
pub(super) fn place_of(app: &App, curation: &Curation) -> Result<Arc<Place>> {
    let tables = curation.tables()?.into_iter();
    Ok(app.verdicts.keep(Place {
        file: curation.file().to_owned(),
        path: curation.path(),
        key: curation.column().to_owned(),
        key_kind: key_kind(app, curation),
        tables: tables.map(|(stage, output)| (stage.to_owned(), output.to_owned())).collect(),
    }))
}

fn place(app: &App) -> Result<Arc<Place>> {
    app.verdicts.place().map_or_else(|| find(app), Ok)
}

fn read_at(app: &App, place: Arc<Place>) -> Result<Arc<Verdicts>> {
    let bytes = match fs::read(&place.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        bytes => bytes.io_context("cannot read", &place.path)?,
    };
    let digest = Digest::from(blake3::hash(&bytes));
    app.verdicts.verdicts(&place, digest, || {
        // A file that does not exist has no verdicts.
        let lines = if bytes.is_empty() { Vec::new() } else { curation::read(&place.path)? };
        Ok(Verdicts::new(place.clone(), digest, lines))
    })
}

fn key_kind(app: &App, curation: &Curation) -> Option<String> {
    let latest = Latest::open(app).ok()?;
    let tables = curation.tables().ok()?.into_iter();
    let mut tables =
        tables.filter_map(|(stage, output)| columns(&latest.find(stage, output).ok()?.path).ok());
    let key =
        tables.find_map(|columns| columns.into_iter().find(|column| column.name == curation.column()))?;
    Some(key.kind)
}
