//! Addresses of the server. Requests contain names, never paths.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use callsheet_worker::error::Result;
use maud::Markup;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::data::RowsRequest;
use crate::failure::Failure;
use crate::guard::{OPEN, guard, open};
use crate::images::{Version, file_image};
use crate::live::{SincePosition, changes_since, events, log_since, whole_log};
use crate::run_stage::RunStage;
use crate::samples::picture;
use crate::verdicts::{Changes, list_verdicts, next_run, since_commit};
use crate::{assets, pages};

/// Largest body of a request, in bytes: a thousand verdicts and those before them.
const LARGEST_BODY: usize = 16 << 20;

/// All addresses, behind the guard.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let mut routes = Router::new();
    if app.writes {
        routes = routes
            .route("/verdicts", post(change).layer(DefaultBodyLimit::max(LARGEST_BODY)))
            .route("/next-run", post(of_project(|app| next_run(app, true))));
    }
    routes
        .route("/", get(overview))
        .route("/verdicts", get(of_project(list_verdicts)))
        .route("/verdicts/since-commit", get(of_project(since_commit)))
        .route("/next-run", get(of_project(|app| next_run(app, false))))
        .route(OPEN, get(open))
        .route("/run/{run}", get(run))
        .route("/run/{run}/events", get(events))
        .route("/run/{run}/changes", get(changes))
        .route("/run/{run}/stage/{stage}", get(stage))
        .route("/run/{run}/stage/{stage}/log", get(log))
        .route("/run/{run}/stage/{stage}/sample/{file}", get(sample))
        .route("/data/{stage}/{output}", get(data))
        .route("/data/{stage}/{output}/others", get(others))
        .route("/data/{stage}/{output}/rows", of_table(RowsRequest::rows))
        .route("/data/{stage}/{output}/histograms", of_table(RowsRequest::histograms))
        .route("/data/{stage}/{output}/points", of_table(RowsRequest::points))
        .route("/data/{stage}/{output}/mask", of_table(RowsRequest::mask))
        .route("/data/{stage}/{output}/thumbnails/{column}", get(thumbnails))
        .route("/data/{stage}/{output}/image/{column}/{row}", get(cell))
        .route("/data/{stage}/{output}/file", get(picture_file))
        .route("/assets/{*name}", get(assets::asset))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Handler that answers a script about the project.
fn of_project(answer: fn(&App) -> Result<Response>) -> impl Fn(State<Arc<App>>) -> Answer + Clone {
    move |State(app)| Box::pin(for_script(move || answer(&app)))
}

/// Part of a request for a table that a script requests.
type TablePart = fn(&RowsRequest, &App, (&str, &str)) -> Result<Response>;

/// Address that answers a script about a table.
fn of_table(part: TablePart) -> MethodRouter<Arc<App>> {
    get(
        async move |State(app): State<Arc<App>>,
                    Path((stage, output)): Path<(String, String)>,
                    Query(request): Query<RowsRequest>| {
            for_script(move || part(&request, &app, (&stage, &output))).await
        },
    )
}

async fn overview(State(app): State<Arc<App>>) -> Response {
    html(move || pages::overview(&app)).await
}

async fn run(State(app): State<Arc<App>>, Path(run): Path<String>) -> Response {
    html(move || pages::run(&app, &run)).await
}

async fn changes(
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Query(SincePosition { since }): Query<SincePosition>,
) -> Response {
    blocking(move || changes_since(&app, &run, since).map(IntoResponse::into_response)).await
}

async fn stage(State(app): State<Arc<App>>, Path((run, stage)): Path<(String, String)>) -> Response {
    html(move || pages::stage(&app, &run, &stage)).await
}

/// Part of a log that is requested.
#[derive(Deserialize)]
struct Since {
    /// Position up to which the page has the log; the whole log is sent if it is missing.
    since: Option<String>,
}

async fn log(
    State(app): State<Arc<App>>,
    Path((run, stage)): Path<(String, String)>,
    Query(Since { since }): Query<Since>,
) -> Response {
    let answer = move || match since {
        Some(since) => log_since(&app, &run, &stage, &since).map(IntoResponse::into_response),
        None => whole_log(&app, &run, &stage).map(IntoResponse::into_response),
    };
    blocking(answer).await
}

async fn sample(
    State(app): State<Arc<App>>,
    Path((run, stage, file)): Path<(String, String, String)>,
) -> Response {
    let answer = move || {
        let store = app.workspace()?.store;
        let RunStage { folder, id, .. } = RunStage::find(&store, &run, &stage)?;
        let bytes = picture(&folder, &stage, &file)?;
        if id != run {
            return Ok(([(CONTENT_TYPE, "image/png")], bytes).into_response());
        }
        // The address contains the id of the run, whose pictures never change.
        Ok(([(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "private, max-age=86400")], bytes).into_response())
    };
    blocking(answer).await
}

/// Other tables that an address names.
#[derive(Deserialize)]
struct With {
    #[serde(default)]
    with: String,
}

async fn data(
    State(app): State<Arc<App>>,
    Path((stage, output)): Path<(String, String)>,
    Query(With { with }): Query<With>,
) -> Response {
    html(move || pages::data(&app, &stage, &output, &with)).await
}

async fn others(State(app): State<Arc<App>>, Path((stage, output)): Path<(String, String)>) -> Response {
    for_script(move || crate::data::others(&app, (&stage, &output))).await
}

async fn thumbnails(
    State(app): State<Arc<App>>,
    Path((stage, output, column)): Path<(String, String, String)>,
    Query(request): Query<RowsRequest>,
) -> Response {
    for_script(move || request.thumbnails(&app, (&stage, &output), &column)).await
}

async fn change(State(app): State<Arc<App>>, body: Bytes) -> Response {
    for_script(move || Changes::parse(&body)?.write(&app)).await
}

async fn cell(
    State(app): State<Arc<App>>,
    Path((stage, output, column, row)): Path<(String, String, String, u32)>,
    Query(request): Query<RowsRequest>,
) -> Response {
    blocking(move || request.image(&app, (&stage, &output), &column, row)).await
}

async fn picture_file(
    State(app): State<Arc<App>>,
    Path((stage, output)): Path<(String, String)>,
    Query(version): Query<Version>,
) -> Response {
    blocking(move || file_image(&app, &stage, &output, &version)).await
}

async fn unknown() -> Failure {
    Failure::not_found("the server has no such page".to_owned(), "the overview links to all pages".to_owned())
}

async fn html(page: impl FnOnce() -> Result<Markup> + Send + 'static) -> Response {
    blocking(move || page().map(|page| Html(page.into_string()).into_response())).await
}

/// Runs code of the engine, which reads files, on a thread that may wait. A failure becomes a page.
async fn blocking(answer: impl FnOnce() -> Result<Response> + Send + 'static) -> Response {
    waited(answer).await.into_response()
}

/// As [`blocking`], but a failure becomes JSON.
async fn for_script(answer: impl FnOnce() -> Result<Response> + Send + 'static) -> Response {
    waited(answer).await.unwrap_or_else(Failure::into_json)
}

async fn waited(
    answer: impl FnOnce() -> Result<Response> + Send + 'static,
) -> std::result::Result<Response, Failure> {
    match spawn_blocking(answer).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::failed("the page could not be made".to_owned())),
    }
}
