//! HTML of the pages. They share colours, tables and the graph with the report.

mod data;
mod file;
mod findings;
mod overview;
mod run;
mod stage;
mod table;

use callsheet::store::StageState;
use maud::{DOCTYPE, Markup, html};

pub(crate) use data::data;
pub(crate) use overview::overview;
pub(crate) use run::run;
pub(crate) use stage::stage;

/// Page with a title and a body. `scripts` names modules in `assets/`.
pub(crate) fn page_with(title: &str, body: &Markup, scripts: &[&str]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · callsheet" }
                link rel="stylesheet" href="/assets/report.css";
                link rel="stylesheet" href="/assets/serve.css";
                link rel="icon" href="/assets/icon.svg";
                @for script in scripts { script type="module" src=(format!("/assets/{script}")) {} }
            }
            body {
                a.skip href="#main" { "Skip to content" }
                nav.site aria-label="Pages" {
                    a href="/" { "callsheet" }
                    a href="/#runs" { "Runs" }
                    a href="/#artifacts" { "Artifacts" }
                }
                main #main { (body) }
            }
        }
    }
}

/// Page without scripts.
pub(crate) fn page(title: &str, body: &Markup) -> Markup {
    page_with(title, body, &[])
}

/// Page that a link opens. A redirect would lack the cookie if another site contained the link.
pub(crate) fn opened() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content="0;url=/";
                title { "callsheet" }
            }
            body { main { p { a href="/" { "Open the overview" } } } }
        }
    }
}

/// Class of the elements that show a state.
fn class(state: StageState) -> String {
    state.to_string().replace(' ', "-")
}

/// Time at which a run began, in UTC: `2026-11-29 13:42:47`.
fn began(run: &str) -> String {
    match run.get(.."2026-11-29T13-42-47".len()).and_then(|time| time.split_once('T')) {
        Some((day, time)) => format!("{day} {}", time.replace('-', ":")),
        None => run.to_owned(),
    }
}

/// Line with the command that prints the content of a page.
pub(crate) fn command(text: &str) -> Markup {
    html! { p.command { "In a terminal: " code { (text) } } }
}
