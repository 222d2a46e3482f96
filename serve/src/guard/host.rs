//! Names under which the server answers. A page whose name was made to resolve to this machine sends its own name.

use axum::extract::Request;

use super::{header, refused};
use crate::app::App;
use crate::failure::Failure;

/// Names of this machine's loopback interface.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Refuses a request for another name than those of the loopback interface and the address on which the server listens.
/// The port does not matter, because a tunnel can have another one.
pub(super) fn check(app: &App, request: &Request) -> Result<(), Failure> {
    let host = header(request, "host");
    if is_known(host, &app.host) {
        return Ok(());
    }
    Err(refused(
        &format!("the server does not answer to the name {host:?}"),
        "open the address that `callsheet serve` prints",
    ))
}

fn is_known(host: &str, own: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    LOOPBACK.contains(&name) || name == own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_known() {
        for host in ["127.0.0.1:4270", "localhost", "localhost:8000", "[::1]:4270", "[::1]", "10.0.0.7:4270"]
        {
            assert!(is_known(host, "10.0.0.7"), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:4270",
            "127.0.0.1.evil.example",
            "localhost:4270:1",
            "10.0.0.8",
            ":80",
        ] {
            assert!(!is_known(host, "10.0.0.7"), "{host}");
        }
    }
}
