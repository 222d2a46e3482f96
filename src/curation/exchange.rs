//! Changes of verdicts that are written only if the file still contains the verdicts that the curator saw.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::curation::Line;
use callsheet_worker::error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Curation, check_text};
use crate::store::Store;

/// Change of the verdict on one row. The change with `seen` and `new` exchanged undoes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct VerdictChange {
    /// Key of the row.
    pub key: String,
    /// Verdict that the curator saw; `None` if the row had no verdict.
    pub seen: Option<Line>,
    /// Verdict to write; `None` removes the verdict.
    pub new: Option<Line>,
}

/// Verdict that another program wrote in the meantime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Key of the row.
    pub key: String,
    /// Verdict that the curator saw.
    pub seen: Option<Line>,
    /// Verdict in the file.
    pub found: Option<Line>,
}

impl Curation<'_> {
    /// Writes all changes, or none of them if a verdict in the file is not the one that the curator saw. Returns the
    /// verdicts that differ.
    ///
    /// # Errors
    /// Returns an error if a new verdict is malformed, or the file cannot be read or written.
    pub fn exchange(&self, store: &Store, changes: &[VerdictChange]) -> Result<Vec<Conflict>> {
        changes.iter().try_for_each(check)?;
        check_keys_differ(changes)?;
        self.edit(store, |list| {
            let differs = |change: &&VerdictChange| list.get(&change.key) != change.seen.as_ref();
            let conflict = |change: &VerdictChange| Conflict {
                key: change.key.clone(),
                seen: change.seen.clone(),
                found: list.get(&change.key).cloned(),
            };
            let conflicts: Vec<Conflict> = changes.iter().filter(differs).map(conflict).collect();
            if conflicts.is_empty() {
                for change in changes {
                    match &change.new {
                        Some(line) => list.set(line.clone()),
                        None => list.remove(&change.key),
                    }
                }
            }
            Ok(conflicts)
        })
    }
}

/// A second change of one row would be compared with the first one, not with the file.
fn check_keys_differ(changes: &[VerdictChange]) -> Result<()> {
    let mut keys = BTreeSet::new();
    match changes.iter().find(|change| !keys.insert(&change.key)) {
        None => Ok(()),
        Some(twice) => {
            let message = format!("row `{}` is changed twice; nothing was written", twice.key);
            Err(Error::user_error(Code::InvalidValue, message, "change each row once"))
        }
    }
}

fn check(change: &VerdictChange) -> Result<()> {
    let Some(line) = &change.new else { return Ok(()) };
    if line.key != change.key {
        let message = format!("the change of row `{}` contains a verdict on row `{}`", change.key, line.key);
        return Err(Error::user_error(Code::InvalidValue, message, "name one row in both places"));
    }
    check_text("key", &line.key)?;
    check_text("reason", &line.reason)?;
    check_text("author", &line.author)
}
