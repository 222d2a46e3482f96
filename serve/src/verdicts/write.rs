//! Verdicts that pages show and change.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use callsheet::curation::{Curation, VerdictChange, author};
use callsheet::plan::resolve;
use callsheet_worker::code::Code;
use callsheet_worker::curation::{Line, Verdict};
use callsheet_worker::error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::read::{place_of, read_now};
use crate::app::{App, Workspace};
use crate::artifact::Latest;
use crate::data::json;

/// Number of reasons that are proposed.
const REASONS: usize = 9;

/// Largest number of characters of a reason.
const LONGEST: usize = 500;

/// Verdicts, and texts that help to write more.
#[derive(Serialize)]
struct List<'a> {
    file: &'a str,
    key: &'a str,
    lines: &'a [Line],
    /// Reasons of exclusions, the most frequent first.
    reasons: Vec<&'a str>,
}

/// Changes of verdicts that a page requests.
#[derive(Deserialize)]
pub(crate) struct Changes {
    changes: Vec<Change>,
}

/// Change of the verdict on one row.
#[derive(Deserialize)]
struct Change {
    key: String,
    /// Verdict that the page shows; `None` if the row had no verdict.
    seen: Option<Line>,
    /// Verdict to write; `None` removes the verdict.
    new: Option<NewLine>,
}

/// New verdict. One that is restored has an author and a time.
#[derive(Deserialize)]
struct NewLine {
    verdict: Verdict,
    reason: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    time: String,
}

/// Answers with all verdicts.
///
/// # Errors
/// Returns an error if no stage reads verdicts, or their file is malformed.
pub(crate) fn list_verdicts(app: &App) -> Result<Response> {
    let verdicts = read_now(app)?;
    let place = &verdicts.place;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in verdicts.lines.iter().filter(|line| line.verdict == Verdict::Exclude) {
        *counts.entry(&line.reason).or_default() += 1;
    }
    let mut reasons: Vec<(&str, usize)> = counts.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reasons = reasons.into_iter().take(REASONS).map(|(reason, _)| reason).collect();
    Ok(json(&List { file: &place.file, key: &place.key, lines: &verdicts.lines, reasons }))
}

impl Changes {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Returns an error if it is malformed.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let changes: Self = serde_json::from_slice(body).map_err(|error| {
            let message = format!("the request is malformed: {error}");
            Error::user_error(Code::InvalidValue, message, "reload the page")
        })?;
        let mut reasons = changes.changes.iter().filter_map(|change| Some(&change.new.as_ref()?.reason));
        match reasons.find(|reason| reason.chars().count() > LONGEST) {
            None => Ok(changes),
            Some(reason) => {
                let message = format!("the reason has {} characters", reason.chars().count());
                let help = format!("write a reason with at most {LONGEST} characters");
                Err(Error::user_error(Code::InvalidValue, message, help))
            }
        }
    }

    /// Writes all changes and answers with them, or writes none of them and answers with the verdicts that differ from those
    /// on the page.
    ///
    /// # Errors
    /// Returns an error if a row is unknown, a verdict is malformed, or the file cannot be read or written.
    pub(crate) fn write(self, app: &App) -> Result<Response> {
        let Workspace { project, store } = app.workspace()?;
        let plan = resolve(&project, &app.request(&project)?)?;
        let curation = Curation::find(&project, &plan)?;
        self.check_keys(app, &*place_of(app, &curation)?)?;
        let changes = self.into_lines()?;
        let conflicts = curation.exchange(&store, &changes)?;
        if conflicts.is_empty() {
            return Ok(json(&serde_json::json!({ "written": changes })));
        }
        Ok((StatusCode::CONFLICT, json(&serde_json::json!({ "conflicts": conflicts }))).into_response())
    }

    /// Refuses verdicts on rows that are in none of the tables.
    fn check_keys(&self, app: &App, place: &Place) -> Result<()> {
        let new = self.changes.iter().filter(|change| change.new.is_some() && change.seen.is_none());
        let mut left: HashSet<&str> = new.map(|change| change.key.as_str()).collect();
        let latest = Latest::open(app)?;
        for (stage, output) in &place.tables {
            if left.is_empty() {
                return Ok(());
            }
            let table = latest.find(stage, output)?.table(app)?;
            table.values(&place.key)?.texts().iter().flatten().for_each(|key| {
                left.remove(key);
            });
        }
        match left.into_iter().min() {
            None => Ok(()),
            Some(key) => {
                let tables: Vec<String> =
                    place.tables.iter().map(|(stage, output)| format!("`{stage}.{output}`")).collect();
                let message = format!("{} has no row with the {} {key:?}", tables.join(" and "), place.key);
                Err(Error::user_error(Code::UnknownName, message, "reload the page"))
            }
        }
    }

    /// Adds the author and the time to new verdicts.
    fn into_lines(self) -> Result<Vec<VerdictChange>> {
        let needs_author = |change: &Change| change.new.as_ref().is_some_and(|new| new.author.is_empty());
        let unknown = |_| {
            let message = "the author of the verdict is unknown";
            Error::user_error(
                Code::InvalidValue,
                message,
                "set it with `git config user.name NAME` in the project",
            )
        };
        let is_needed = self.changes.iter().any(needs_author);
        let author = if is_needed { author(None).map_err(unknown)? } else { String::new() };
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let line = |key: &str, new: NewLine| {
            let is_new = new.author.is_empty();
            Line {
                key: key.to_owned(),
                verdict: new.verdict,
                reason: new.reason.trim().to_owned(),
                author: if is_new { author.clone() } else { new.author },
                time: if is_new { time.clone() } else { new.time },
            }
        };
        let change = |Change { key, seen, new }: Change| {
            let new = new.map(|new| line(&key, new));
            VerdictChange { key, seen, new }
        };
        Ok(self.changes.into_iter().map(change).collect())
    }
}
