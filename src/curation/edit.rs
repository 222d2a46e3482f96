//! Changes of a file of verdicts.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line, Verdict};
use callsheet_worker::error::{Error, Result, suggest};

use super::{Curation, VerdictList};
use crate::store::{LockName, Store};

impl Curation<'_> {
    /// Changes the verdicts by `change` and writes them, without losing those that another program writes at the same time.
    ///
    /// # Errors
    /// Returns the error of `change`, after which nothing is written, or an error if the file cannot be read or written.
    pub fn edit<T>(&self, store: &Store, change: impl FnOnce(&mut VerdictList) -> Result<T>) -> Result<T> {
        // Without the lock, two programs could overwrite each other's verdicts.
        let _lock = store.lock(&LockName::Curation(&self.file), "curate", |_| true)?;
        let before = self.lines()?;
        let mut list = VerdictList::new(before.clone());
        let value = change(&mut list)?;
        let lines = list.into_lines();
        if lines != before {
            curation::write(&self.path(), &lines)?;
        }
        Ok(value)
    }
}

/// Checks the keys of rows that get a verdict.
///
/// # Errors
/// Returns an error if a key is unknown, is named twice, or already has the verdict.
pub fn check_keys(
    keys: &[String],
    known: &BTreeSet<String>,
    list: &VerdictList,
    verdict: Verdict,
) -> Result<()> {
    let mut fresh = BTreeSet::new();
    for key in keys {
        if !known.contains(key) {
            return Err(unknown(key, known));
        }
        if key.is_empty() || key.contains(char::is_control) {
            let message =
                format!("the key {key:?} is empty or contains control characters; nothing was written");
            return Err(Error::user_error(Code::Unsupported, message, "remove this key from the command"));
        }
        if !fresh.insert(key) {
            let message = format!("row `{key}` is named twice; nothing was written");
            return Err(Error::user_error(Code::InvalidValue, message, "name each row once"));
        }
        let earlier = list.get(key).filter(|line| line.verdict == verdict);
        if let Some(Line { reason, author, time, .. }) = earlier {
            return Err(Error::user_error(
                Code::Conflict,
                format!(
                    "nothing was written: row `{key}` already has the verdict `{}` by {author}, \
                     {time}: {reason}",
                    verdict.name()
                ),
                "remove this key from the command",
            ));
        }
    }
    Ok(())
}

fn unknown(key: &str, known: &BTreeSet<String>) -> Error {
    let message = format!("unknown row `{key}`; nothing was written");
    // The key of a part, such as `a/1`, begins with the key of its whole, `a`.
    let whole = key.rsplit_once('/').map(|(whole, _)| whole).filter(|whole| known.contains(*whole));
    let help = match whole {
        Some(whole) => format!("did you mean `{whole}`?"),
        None => suggest(key, known.iter().map(String::as_str)),
    };
    Error::user_error(Code::UnknownName, message, help)
}
