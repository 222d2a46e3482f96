//! Verdicts on rows: shown next to the rows, written by scripts of pages, and compared with the last commit.

mod column;
mod committed;
mod impact;
mod place;
mod write;

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use callsheet_worker::curation::{self, Line};
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};

use crate::app::App;
use place::Place;

pub(crate) use column::VERDICT;
pub(crate) use committed::since_commit;
pub(crate) use impact::next_run;
pub(crate) use place::OpenVerdicts;
pub(crate) use write::{Changes, list};

/// Verdicts that stages of the selected pipeline read.
pub(crate) struct Verdicts {
    place: Arc<Place>,
    /// Digest of the file.
    pub digest: Digest,
    /// Verdicts in the order of the file.
    lines: Vec<Line>,
    /// Position in `lines` by key.
    at: HashMap<String, usize>,
}

impl Verdicts {
    /// Reads the verdicts. The file is read again only if its content has changed.
    ///
    /// # Errors
    /// Returns an error if no stage reads verdicts, or the file cannot be read or is malformed.
    pub(crate) fn read(app: &App) -> Result<Arc<Self>> {
        Self::read_at(app, app.verdicts.place(app)?)
    }

    /// Reads the verdicts in the file that the selected pipeline declares now.
    ///
    /// # Errors
    /// See [`Self::read`].
    pub(crate) fn read_now(app: &App) -> Result<Arc<Self>> {
        Self::read_at(app, app.verdicts.found(app)?)
    }

    fn read_at(app: &App, place: Arc<Place>) -> Result<Arc<Self>> {
        let bytes = match fs::read(&place.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            bytes => bytes.io_context("cannot read", &place.path)?,
        };
        let digest = Digest::from(blake3::hash(&bytes));
        app.verdicts.kept(&place, digest, || {
            // A file that does not exist has no verdicts.
            let lines = if bytes.is_empty() { Vec::new() } else { curation::read(&place.path)? };
            let at = lines.iter().enumerate().map(|(at, line)| (line.key.clone(), at)).collect();
            Ok(Self { place: place.clone(), digest, lines, at })
        })
    }

    /// No verdicts, for a file that cannot be read.
    ///
    /// # Errors
    /// Returns an error if no stage reads verdicts.
    pub(crate) fn none(app: &App) -> Result<Arc<Self>> {
        let place = app.verdicts.place(app)?;
        let digest = Digest::from(blake3::hash(&[]));
        Ok(Arc::new(Self { place, digest, lines: Vec::new(), at: HashMap::new() }))
    }

    /// Type of the column whose values identify the rows, if a table to which the verdicts refer was computed.
    pub(crate) fn key_kind(&self) -> Option<&str> {
        self.place.key_kind.as_deref()
    }

    /// Column whose values identify the rows.
    pub(crate) fn key(&self) -> &str {
        &self.place.key
    }

    /// Stage instance and output of each table to whose rows verdicts refer.
    pub(crate) fn tables(&self) -> &[(String, String)] {
        &self.place.tables
    }

    /// Returns the verdict on the row `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Line> {
        Some(&self.lines[*self.at.get(key)?])
    }
}
