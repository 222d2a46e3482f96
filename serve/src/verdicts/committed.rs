//! Verdicts that differ from those in the last commit.

use std::collections::BTreeMap;
use std::process::Command;

use axum::response::Response;
use callsheet::curation::VerdictChange;
use callsheet_worker::curation::{self, Line};
use callsheet_worker::error::Result;
use serde::Serialize;

use super::place::Place;
use super::read::read_now;
use crate::app::App;
use crate::data::json;

/// Verdicts that differ from those in the last commit.
#[derive(Serialize)]
struct SinceCommit<'a> {
    file: &'a str,
    /// True if the project has a last commit. Otherwise all verdicts are new.
    committed: bool,
    /// For each verdict that differs: the one in the commit, and the present one.
    changes: Vec<VerdictChange>,
}

/// Answers with the verdicts that differ from those in the last commit. Nothing is ever committed here.
///
/// # Errors
/// Returns an error if no stage reads verdicts, or their file is malformed.
pub(crate) fn since_commit(app: &App) -> Result<Response> {
    let verdicts = read_now(app)?;
    let place = &verdicts.place;
    let committed = committed(app, place);
    let before: BTreeMap<&str, &Line> =
        committed.iter().flatten().map(|line| (line.key.as_str(), line)).collect();
    let change = |key: &str, seen: Option<&Line>, new: Option<&Line>| {
        let is_new = seen != new;
        is_new.then(|| VerdictChange { key: key.to_owned(), seen: seen.cloned(), new: new.cloned() })
    };
    let present = verdicts.lines.iter();
    let present = present.filter_map(|line| change(&line.key, before.get(&*line.key).copied(), Some(line)));
    let removed = before.values().filter(|line| verdicts.get(&line.key).is_none());
    let removed = removed.filter_map(|line| change(&line.key, Some(line), None));
    let changes = present.chain(removed).collect();
    Ok(json(&SinceCommit { file: &place.file, committed: committed.is_some(), changes }))
}

/// Verdicts in the last commit; `None` without git or a commit, or if the file there is malformed.
fn committed(app: &App, place: &Place) -> Option<Vec<Line>> {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        // A setting of the project could start a program.
        command
            .args(["-c", "core.fsmonitor=false", "--no-optional-locks"])
            .args(words)
            .current_dir(&app.root);
        command.output().ok().filter(|output| output.status.success())
    };
    git(&["rev-parse", "--verify", "--quiet", "HEAD"])?;
    match git(&["cat-file", "blob", &format!("HEAD:./{}", place.file)]) {
        None => Some(Vec::new()),
        Some(output) => curation::parse(&String::from_utf8(output.stdout).ok()?, &place.path).ok(),
    }
}
