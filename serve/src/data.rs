//! Data of tables for the scripts of pages: rows, histograms and thumbnails of a selection.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use callsheet::declare::ArtifactKind;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::artifact::{Artifact, Latest, outdated};
use crate::histogram::{Histogram, histograms};
use crate::images::answer;
use crate::points::{mask, points};
use crate::rows::{WINDOW, rows};
use crate::select::{Selection, quoted, words};
use crate::tables::{Table, columns, common_key};
use crate::thumbnails::pack;
use crate::verdicts::read_or_none;
use crate::view::View;

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
    /// Other tables whose columns are added, e.g. `clusters.table`.
    #[serde(default)]
    with: String,
    /// Columns of a scatter plot.
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    colour: String,
    /// True if the page shows verdicts.
    #[serde(default)]
    verdicts: bool,
    /// Version of the verdicts with which the page selected the rows first.
    #[serde(default)]
    selected_with: String,
    /// Rows whose thumbnails are requested.
    #[serde(default)]
    rows: String,
    /// Position of the first row among the selected ones, from 0.
    #[serde(default)]
    at: u32,
}

/// Answer with the histograms of a table.
#[derive(Serialize)]
struct Histograms {
    columns: Vec<Histogram>,
}

/// Another table whose columns can be added.
#[derive(Serialize)]
struct Other {
    name: String,
    /// The name as it is written in addresses.
    term: String,
    columns: Vec<String>,
}

/// Tables that an address names: one, and others whose columns are added.
///
/// # Errors
/// Returns an error if a table is unknown or cannot be read, or has no key in common with the first one.
pub(crate) fn view(app: &App, (stage, output): (&str, &str), with: &str) -> Result<View> {
    let latest = Latest::open(app)?;
    let table = open(app, &latest.find(stage, output)?)?;
    let mut names = words(with);
    let all = names.len();
    names.retain({
        let mut seen = HashSet::from([format!("{stage}.{output}")]);
        move |name| seen.insert(name.clone())
    });
    if names.len() < all {
        let message = format!("the address names a table twice: `{stage}.{output}` with `{with}`");
        return Err(Error::user_error(Code::InvalidValue, message, "name each table once"));
    }
    let other = |name: String| Ok((name.clone(), open(app, &latest.named(&name)?)?));
    View::new(table, names.into_iter().map(other).collect::<Result<_>>()?)
}

/// Answers with the tables whose columns can be added to a table.
///
/// # Errors
/// Returns an error if the table is unknown or cannot be read.
pub(crate) fn others(app: &App, (stage, output): (&str, &str)) -> Result<Response> {
    let latest = Latest::open(app)?;
    let table = open(app, &latest.find(stage, output)?)?;
    let other = |(of, output_of): (&str, &str)| {
        let artifact = latest.find(of, output_of).ok().filter(|_| (of, output_of) != (stage, output))?;
        let columns = columns(&artifact.path).ok()?;
        let key = common_key(&table.columns, &columns)?;
        let columns = columns.into_iter().map(|column| column.name).filter(|name| *name != key);
        Some(Other { term: quoted(&artifact.name()), name: artifact.name(), columns: columns.collect() })
    };
    Ok(json(&latest.tables().into_iter().filter_map(other).collect::<Vec<_>>()))
}

fn open(app: &App, artifact: &Artifact) -> Result<Arc<Table>> {
    if artifact.object.kind == ArtifactKind::Table {
        return artifact.table(app);
    }
    let message = format!("`{}` is not a table", artifact.name());
    Err(Error::user_error(Code::Unsupported, message, "name an output of kind \"table\""))
}

impl RowsRequest {
    fn open(&self, app: &App, artifact: (&str, &str)) -> Result<(View, Selection)> {
        let mut view = view(app, artifact, &self.with)?;
        if self.verdicts {
            view = view.with_verdicts(read_or_none(app)?);
        }
        if view.version() != self.v {
            return Err(outdated(&format!("{}.{}", artifact.0, artifact.1)));
        }
        Ok((view, Selection::parse(&self.conditions, &self.sort, &self.selected_with)?))
    }

    /// Answers with a part of the selected rows.
    ///
    /// # Errors
    /// Returns an error if the table or a column is unknown, or a condition is malformed.
    pub(crate) fn rows(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (view, selection) = self.open(app, artifact)?;
        Ok(json(&rows(&view, &selection, self.at)?))
    }

    /// Answers with the histograms of all columns.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn histograms(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (view, selection) = self.open(app, artifact)?;
        Ok(json(&Histograms { columns: histograms(&view, &selection)? }))
    }

    /// Answers with the thumbnails of rows, which are counted from 0 in the table.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn thumbnails(&self, app: &App, artifact: (&str, &str), column: &str) -> Result<Response> {
        let (view, _) = self.open(app, artifact)?;
        let rows: std::result::Result<Vec<u32>, _> = self.rows.split(',').map(str::parse).collect();
        let Some(rows) = rows.ok().filter(|rows| rows.len() <= WINDOW as usize) else {
            let message = format!("`{}` is not a list of rows", self.rows);
            let help = format!("write the numbers of at most {WINDOW} rows, with commas between them");
            return Err(Error::user_error(Code::InvalidValue, message, help));
        };
        Ok(bytes(pack(&app.thumbnails, &view, column, &rows)?, KEPT))
    }

    /// Answers with the points of a scatter plot.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn points(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (view, _) = self.open(app, artifact)?;
        Ok(bytes(points(&view, &self.x, &self.y, &self.colour)?, "no-store"))
    }

    /// Answers with the selected rows as bits.
    ///
    /// # Errors
    /// See [`Self::rows`].
    pub(crate) fn mask(&self, app: &App, artifact: (&str, &str)) -> Result<Response> {
        let (view, selection) = self.open(app, artifact)?;
        Ok(bytes(mask(&view, &selection)?, "no-store"))
    }

    /// Answers with the whole image of a row, which is counted from 0 in the table.
    ///
    /// # Errors
    /// Returns an error if the table, the column or the row is unknown, or the part of the file with the image is damaged.
    pub(crate) fn image(
        &self,
        app: &App,
        artifact: (&str, &str),
        column: &str,
        row: u32,
    ) -> Result<Response> {
        let (view, _) = self.open(app, artifact)?;
        Ok(answer(view.images(column)?.get(row)?.unwrap_or_default()))
    }
}

fn bytes(bytes: Vec<u8>, cache: &'static str) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, cache)], bytes).into_response()
}

/// Answer in JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("texts and numbers");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
