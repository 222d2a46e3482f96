//! Guard of the server: the conditions that every request must satisfy, and the headers of every answer.
//!
//! A page of another site can make a browser send requests to this server, and can let its own name resolve to this
//! machine (DNS rebinding). Each condition alone stops one kind of attack; a request must satisfy all of them.

mod headers;
mod host;
mod origin;
mod request;
mod session;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::failure::Failure;

pub(crate) use session::{OPEN, open};

/// Refuses a request that does not come from a browser of this server's user; adds headers to every answer.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let checked = host::check(&app, &request)
        .and_then(|()| origin::check(&request))
        .and_then(|()| session::check(&app, &request));
    let mut response = match checked {
        Ok(()) => explained(next.run(request).await),
        Err(refused) => refused.into_response(),
    };
    headers::add(&mut response);
    response
}

/// Replaces the short text about an address that no handler accepts by a page.
fn explained(response: Response) -> Response {
    let message = match response.status() {
        StatusCode::BAD_REQUEST => "the address has a value that is not valid",
        StatusCode::METHOD_NOT_ALLOWED => "this address cannot be changed",
        StatusCode::PAYLOAD_TOO_LARGE => "the request is too large",
        _ => return response,
    };
    let help = "the overview links to all pages".to_owned();
    Failure::new(response.status(), message.to_owned(), help).into_response()
}
