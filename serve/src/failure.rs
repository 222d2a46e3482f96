//! Pages of errors.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use callsheet_worker::code::Code;
use callsheet_worker::error::Error;
use maud::html;

use crate::pages::page;

/// An error, its reason and its remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: String,
    help: String,
}

impl Failure {
    /// Answer with a status.
    pub(crate) fn new(status: StatusCode, message: String, help: String) -> Self {
        Self { status, message, help }
    }

    /// Answer to a request for something that does not exist.
    pub(crate) fn not_found(message: String, help: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, message, help }
    }

    /// Answer to a request that an error of the program ends.
    pub(crate) fn failed(message: String) -> Self {
        let help = "the terminal of the server shows the reason; please report it".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message, help }
    }

    /// Answer to a script, which shows the message and the help.
    pub(crate) fn into_json(self) -> Response {
        let text = serde_json::json!({ "message": self.message, "help": self.help }).to_string();
        (self.status, [(CONTENT_TYPE, "application/json")], text).into_response()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Code::UnknownName => StatusCode::NOT_FOUND,
            Code::InvalidValue | Code::Unsupported | Code::MissingArgument => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
        Self { status, message: error.to_string(), help }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, message, help } = self;
        let title = if status == StatusCode::NOT_FOUND { "Not found" } else { "Error" };
        let body = html! {
            h1 { (title) }
            p.wrong role="alert" { (message) }
            @if !help.is_empty() { p { (help) } }
        };
        (status, Html(page(title, &body).into_string())).into_response()
    }
}
