//! Start and end of the server.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use callsheet::declare::Project;
use callsheet::plan::{Request, resolve};
use callsheet::store::Store;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::{print_text, say};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, seconds_now};
use crate::args::Serve;
use crate::guard::OPEN;
use crate::routes::routes;
use crate::secret::Secret;
use crate::tables::OpenTables;
use crate::thumbnails::ThumbnailCache;
use crate::verdicts::KeptVerdicts;

/// Port of the server, if it is free.
const PORT: u16 = 4270;

/// Name of the file with the secret, and of the folder with the address of each server.
const SECRET: &str = "secret";
const SERVERS: &str = "servers";

/// Name of the folder with thumbnails.
const THUMBNAILS: &str = "thumbnails";

/// Serves the pages of a project until the program is stopped, or prints a new link to the running server.
///
/// # Errors
/// Returns an error outside of a project, if no pipeline is selected, or if the port is taken.
pub(crate) fn serve(command: &Serve) -> Result<()> {
    let project = Project::find()?;
    let folder = Store::of(&project)?.serve_folder();
    if command.link {
        return print_new_links(&folder);
    }
    // The demonstration has one pipeline, whatever the environment names.
    let names = [&command.pipeline, &command.dataset, &command.profile]
        .map(|name| name.clone().filter(|_| !command.demo));
    let request = Request::new(&project, names.clone(), Vec::new())?;
    if !project.pipeline_names().contains(&request.target.pipeline) {
        // A pipeline with an error is served: its page shows the error, and recovers.
        resolve(&project, &request)?;
    }
    let secret = fs::create_dir_all(folder.join(SERVERS))
        .io_context("cannot create", &folder)
        .and_then(|()| Secret::open(&folder.join(SECRET)));
    let secret = match secret {
        Ok(secret) => secret,
        Err(error) => {
            say(&format!("warning: {error}; browsers need a new link after each start of the server"));
            Secret::new()?
        }
    };
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    runtime.io_context("cannot start", "the server")?.block_on(async {
        let listener = listen(command).await?;
        let address = listener.local_addr().io_context("cannot listen on", command.bind.to_string())?;
        let app = App {
            root: project.root.clone(),
            names,
            host: if address.ip().is_unspecified() { this_machine() } else { String::new() },
            port: address.port(),
            secret,
            tables: OpenTables::default(),
            thumbnails: ThumbnailCache::new(folder.join(THUMBNAILS)),
            verdicts: KeptVerdicts::default(),
            writes: !command.read_only,
            started: seconds_now(),
            hashing: Mutex::new(()),
            used: Mutex::new(BTreeSet::new()),
        };
        if !address.ip().is_loopback() {
            say("warning: other machines can reach the server, and its pages and links are not encrypted");
        }
        // Without this file only `--link` does not work.
        let file = folder.join(SERVERS).join(address.port().to_string());
        let _ = fs::write(&file, address.to_string());
        print_text(&format!("{} at http://{}", request.target, shown(address)));
        print_text(&format!("open this link in a browser: {}", link(&app.secret, address)?));
        print_text("stop the server with Ctrl-C");
        let server = axum::serve(listener, routes(Arc::new(app)));
        // Open streams of events do not delay the end.
        let served = tokio::select! {
            served = server => served.io_context("cannot serve", "pages"),
            () = stopped() => Ok(()),
        };
        let _ = fs::remove_file(file);
        served
    })
}

async fn listen(command: &Serve) -> Result<TcpListener> {
    let port = command.port.unwrap_or(PORT);
    match TcpListener::bind((command.bind, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse && command.port.is_none() => {
            TcpListener::bind((command.bind, 0))
                .await
                .io_context("cannot listen on", command.bind.to_string())
        }
        Err(error) => {
            let message = format!("cannot listen on {}: {error}", SocketAddr::new(command.bind, port));
            Err(Error::user_error(
                Code::Conflict,
                message,
                "select a free port with --port 0, or an address of this machine with --bind",
            ))
        }
    }
}

async fn stopped() {
    let (Ok(mut interrupt), Ok(mut end)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = end.recv() => {}
    }
}

/// Prints a link to each server of the project that answers.
fn print_new_links(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder.join(SERVERS)).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut addresses: Vec<SocketAddr> = texts.filter_map(|text| text.trim().parse().ok()).collect();
    addresses.retain(|address| TcpStream::connect(reachable(*address)).is_ok());
    addresses.sort();
    let secret = Secret::read(&folder.join(SECRET))?;
    let Some(secret) = secret.filter(|_| !addresses.is_empty()) else {
        let message = "no server of this project that can be found is running";
        let help = "run `callsheet serve`; it prints a link";
        return Err(Error::user_error(Code::NotComputed, message, help));
    };
    addresses.into_iter().try_for_each(|address| {
        print_text(&link(&secret, address)?);
        Ok(())
    })
}

fn link(secret: &Secret, address: SocketAddr) -> Result<String> {
    Ok(format!("http://{}{OPEN}?code={}", shown(address), secret.code(seconds_now())?))
}

/// Address at which a program on this machine reaches the server.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Address in links. A server on all addresses is reached by the name of this machine.
fn shown(address: SocketAddr) -> String {
    let name = this_machine();
    if address.ip().is_unspecified() && !name.is_empty() {
        format!("{name}:{}", address.port())
    } else {
        reachable(address).to_string()
    }
}

fn this_machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
