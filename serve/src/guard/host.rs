//! Names under which the server answers. A page whose name was made to resolve to this machine sends its own name.

use std::net::IpAddr;

use axum::extract::Request;

use super::request::{header, refused};
use crate::app::App;
use crate::failure::Failure;

/// Refuses a request for another name than `localhost`, an IP address, or the name of this machine if the server listens on
/// all addresses. An IP address cannot be made to resolve elsewhere. The port does not matter, because a tunnel can have
/// another one.
pub(super) fn check(app: &App, request: &Request) -> Result<(), Failure> {
    let host = header(request, "host");
    if request.headers().get_all("host").iter().count() == 1 && is_known(host, &app.host) {
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
    let ip = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ip.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || !own.is_empty() && name.eq_ignore_ascii_case(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_known() {
        for host in [
            "127.0.0.1:4270",
            "localhost",
            "LOCALHOST:8000",
            "[::1]:4270",
            "[::1]",
            "10.0.0.7:4270",
            "MyHost:1",
        ] {
            assert!(is_known(host, "myhost"), "{host}");
        }
        let evil = [
            "",
            ":80",
            "evil.example",
            "evil.example:4270",
            "127.0.0.1.evil.example",
            "localhost:4270:1",
            "myhost.evil",
        ];
        for host in evil {
            assert!(!is_known(host, "myhost") && !is_known(host, ""), "{host}");
        }
    }
}
