//! Start and end of the server.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use callsheet::declare::Project;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use callsheet_worker::print::{print_text, say};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::args::Serve;
use crate::guard::OPEN;
use crate::images::OpenColumns;
use crate::routes::routes;
use crate::secret::Secret;

/// Port of the server, if it is free.
const PORT: u16 = 4270;

/// Name of the file with the secret, and of the one with the address of the server that was started last.
const SECRET: &str = "secret";
const ADDRESS: &str = "address";

/// Serves the pages of a project until the program is stopped, or prints a new link to the running server.
///
/// # Errors
/// Returns an error if there is no project, no pipeline is selected, or the port is taken.
pub(crate) fn serve(command: &Serve) -> Result<()> {
    let project = Project::find()?;
    let names = [&command.pipeline, &command.dataset, &command.profile].map(Clone::clone);
    let folder = callsheet::store::Store::of(&project)?.serve_folder();
    if command.link {
        return print_new_link(&folder);
    }
    let secret = fs::create_dir_all(&folder)
        .io_context("cannot create", &folder)
        .and_then(|()| Secret::open(&folder.join(SECRET)));
    let secret = match secret {
        Ok(secret) => secret,
        Err(error) => {
            say(&format!("warning: {error}; browsers need a new link after each start of the server"));
            Secret::new()?
        }
    };
    let runtime =
        runtime::Builder::new_multi_thread().enable_all().build().io_context("cannot start", "the server")?;
    runtime.block_on(async {
        let listener = listen(command).await?;
        let address = listener.local_addr().io_context("cannot listen on", command.bind.to_string())?;
        let app = App {
            root: project.root.clone(),
            names,
            host: name_of(address.ip()),
            port: address.port(),
            secret,
            columns: OpenColumns::default(),
            used: Mutex::new(BTreeSet::new()),
        };
        let request = app.request(&project)?;
        if !address.ip().is_loopback() {
            say("warning: other machines can reach the server, and its pages and links are not encrypted");
        }
        // Without this file only `--link` does not work.
        let _ = fs::write(folder.join(ADDRESS), address.to_string());
        print_text(&format!("{} at http://{}", request.target, shown(address)));
        print_text(&format!("open this link in a browser: {}", link(&app.secret, address)?));
        print_text("stop the server with Ctrl-C");
        let server = axum::serve(listener, routes(Arc::new(app)));
        // Open streams of events do not delay the end.
        tokio::select! {
            served = server => served.io_context("cannot serve", "pages"),
            () = stopped() => Ok(()),
        }
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

fn print_new_link(folder: &Path) -> Result<()> {
    let text = fs::read_to_string(folder.join(ADDRESS)).unwrap_or_default();
    let Ok(address) = text.trim().parse::<SocketAddr>() else {
        let message = "no server of this project has been started";
        return Err(Error::user_error(Code::NotComputed, message, "run `callsheet serve`"));
    };
    if std::net::TcpStream::connect(reachable(address)).is_err() {
        let message = format!("the server at {address} does not answer");
        return Err(Error::user_error(Code::NotComputed, message, "run `callsheet serve`"));
    }
    print_text(&link(&Secret::open(&folder.join(SECRET))?, address)?);
    Ok(())
}

fn link(secret: &Secret, address: SocketAddr) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(format!("http://{}{OPEN}?code={}", shown(address), secret.code(now)?))
}

/// Address at which a browser on this machine reaches the server.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port())
    } else {
        address
    }
}

/// Address in links.
fn shown(address: SocketAddr) -> String {
    reachable(address).to_string()
}

/// Name that the `Host` header of a request must contain, if it is not a name of the loopback interface. A server on all
/// addresses answers to the name of this machine.
fn name_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V6(ip) if !ip.is_unspecified() => format!("[{ip}]"),
        ip if ip.is_unspecified() => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        ip => ip.to_string(),
    }
}
