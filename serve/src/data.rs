//! Data of tables for the scripts of pages: rows, histograms and thumbnails of a selection.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use callsheet_worker::error::Result;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::artifact::Artifact;
use crate::histogram::{Histogram, histograms};
use crate::rows;
use crate::select::Selection;
use crate::tables::Table;
use crate::thumbnails::pack;

/// The answer to an address with the version of a table never changes.
const KEPT: &str = "private, max-age=86400, immutable";

/// Rows of a table that a script requests.
#[derive(Deserialize)]
pub(crate) struct RowsRequest {
    /// Version of the table that the page shows.
    #[serde(default)]
    v: String,
    /// Conditions on the rows, e.g. `psnr:..20,cluster:3`.
    #[serde(default, rename = "where")]
    conditions: String,
    /// Column by which the rows are sorted; with `-`, the largest value comes first.
    #[serde(default)]
    sort: String,
    /// Position of the first row among the selected ones, from 0.
    #[serde(default)]
    at: u32,
}

/// Answer with the histograms of a table.
#[derive(Serialize)]
struct Histograms {
    columns: Vec<Histogram>,
}

impl RowsRequest {
    fn open(&self, app: &App, (stage, output): (&str, &str)) -> Result<(Arc<Table>, Selection)> {
        let artifact = Artifact::find(app, stage, output)?;
        artifact.check_version(&self.v)?;
        Ok((app.tables.get(&artifact)?, Selection::parse(&self.conditions, &self.sort)?))
    }

    /// Answers with a part of the selected rows.
    ///
    /// # Errors
    /// Returns an error if the table or a column is unknown, or a condition is malformed.
    pub(crate) fn rows(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (table, selection) = self.open(app, artifact)?;
        Ok(json(&rows::rows(&table, &selection, self.at)?))
    }

    /// Answers with the histograms of all columns.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn histograms(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (table, selection) = self.open(app, artifact)?;
        Ok(json(&Histograms { columns: histograms(&table, &selection)? }))
    }

    /// Answers with the thumbnails of a part of the selected rows.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn thumbnails(&self, app: &App, artifact: (&str, &str), column: &str) -> Result<Response> {
        let (table, selection) = self.open(app, artifact)?;
        let pack = pack(&app.thumbnails, &table, column, &selection, self.at)?;
        Ok(([(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, KEPT)], pack).into_response())
    }
}

/// Answer in JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("texts and numbers");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
