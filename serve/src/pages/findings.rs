//! Findings that a curator can look at: rows of tables with the column `finding` and the keys of verdicts.

use callsheet_figures::label::counted;
use callsheet_worker::error::Result;
use maud::{Markup, html};

use crate::address::query;
use crate::app::App;
use crate::artifact::Latest;
use crate::data::view;
use crate::select::quoted;
use crate::tables::{Shown, Values, columns};
use crate::verdicts::{VERDICT, Verdicts, read_now};

/// Column with the kind of a finding, such as `blurred`.
const FINDING: &str = "finding";

/// Findings of one table.
struct Findings {
    name: String,
    /// Address of the table, with the other table that has the images.
    address: String,
    with: String,
    /// Kind of finding, number of rows, and number of rows with a verdict.
    kinds: Vec<(Option<String>, usize, usize)>,
}

/// Section with the findings of all tables; empty if there are none.
pub(super) fn findings(app: &App) -> Markup {
    // A page without findings is shown if they cannot be read; the page of the table names the reason.
    let found = read(app).unwrap_or_default();
    html! {
        @if !found.is_empty() {
            section aria-labelledby="findings" {
                h2 #findings { "To look at" }
                @for findings in &found { (of_table(findings)) }
            }
        }
    }
}

fn of_table(Findings { name, address, with, kinds }: &Findings) -> Markup {
    let sum = |part: fn(&(Option<String>, usize, usize)) -> usize| kinds.iter().map(part).sum::<usize>();
    let (rows, judged) = (sum(|(_, rows, _)| *rows), sum(|(.., judged)| *judged));
    let link = |condition: &str| {
        let words = [("with", with.as_str()), ("where", condition), ("open", "1")];
        format!("{address}{}", query(&words))
    };
    html! {
        p.sentence {
            a href=(link("")) { (counted(rows as u64, "finding")) } " in " (name) ", " (judged) " judged"
        }
        ul.findings { @for (kind, rows, judged) in kinds {
            li { @match kind { Some(kind) => a href=(link(&format!("{FINDING}:{}", quoted(kind)))) { (kind) }, None => "without a kind" } " " small { (rows) ", " (judged) " judged" } }
        } }
    }
}

fn read(app: &App) -> Result<Vec<Findings>> {
    let verdicts = read_now(app)?;
    let latest = Latest::open(app)?;
    let mut found = Vec::new();
    for (stage, output) in latest.tables() {
        let Ok(artifact) = latest.find(stage, output) else { continue };
        let Ok(columns) = columns(&artifact.path) else { continue };
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if !has(FINDING) || !has(verdicts.key()) || artifact.object.rows == Some(0) {
            continue;
        }
        let has_images = columns.iter().any(|column| column.shown == Shown::Image);
        let with = if has_images { String::new() } else { images(&latest, &verdicts) };
        let Ok(view) = view(app, (stage, output), "") else { continue };
        let view = view.with_verdicts(verdicts.clone());
        // Without a key, the column can be one of the table itself.
        let values = view.key().map(|_| (view.values(FINDING), view.values(VERDICT)));
        let Some((Ok(findings), Ok(verdicts))) = values else { continue };
        let kinds = kinds(&findings, &verdicts);
        found.push(Findings { name: artifact.name(), address: artifact.address(&[]), with, kinds });
    }
    Ok(found)
}

/// Name, as addresses have it, of a table with images to whose rows verdicts refer; empty if there is none.
fn images(latest: &Latest, verdicts: &Verdicts) -> String {
    let has_images = |(stage, output): &&(String, String)| {
        let columns = latest.find(stage, output).and_then(|artifact| columns(&artifact.path));
        columns.is_ok_and(|columns| columns.iter().any(|column| column.shown == Shown::Image))
    };
    let table = verdicts.tables().iter().find(has_images);
    table.map(|(stage, output)| quoted(&format!("{stage}.{output}"))).unwrap_or_default()
}

fn kinds(findings: &Values, verdicts: &Values) -> Vec<(Option<String>, usize, usize)> {
    let mut kinds: Vec<(Option<String>, usize, usize)> = Vec::new();
    for (finding, verdict) in findings.texts().iter().zip(verdicts.texts().iter()) {
        let judged = usize::from(verdict != Some("none"));
        match kinds.iter_mut().find(|(kind, ..)| kind.as_deref() == finding) {
            Some((_, rows, of_them)) => (*rows, *of_them) = (*rows + 1, *of_them + judged),
            None => kinds.push((finding.map(str::to_owned), 1, judged)),
        }
    }
    kinds
}
