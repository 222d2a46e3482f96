//! Intents: what a run relies on in a shared store although no project needs it yet. A run publishes an intent before it
//! looks at a result; garbage collection reads all intents again before it removes anything.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::PoisonError;

use callsheet_worker::error::{IoContext, Result};

use super::sharing::{INTENTS, Sharing};
use crate::store::files::entries;

/// File of a run, with the id of the run.
pub(super) type OfRun = (PathBuf, String);

impl Sharing {
    /// Publishes that this run relies on records and objects with these names, until it ends. A command that is not a run
    /// relies on results only while it shows them, and publishes nothing.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub(in crate::store) fn intend(&self, names: impl IntoIterator<Item = String>) -> Result<()> {
        let Some(run) = self.run() else { return Ok(()) };
        let mut intents = self.intents.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<String> = names.into_iter().filter(|name| !intents.names.contains(name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let number = intents.published;
        intents.published += 1;
        let path = self.root.join(INTENTS).join(format!("{run}.{number}"));
        let text = new.join("\n");
        // Others must never see a part of it.
        let draft = path.with_extension(format!("{number}.draft"));
        let written = fs::File::create(&draft).and_then(|mut file| file.write_all(text.as_bytes()));
        written.and_then(|()| fs::rename(&draft, &path)).io_context("cannot write", path)?;
        intents.names.extend(new);
        Ok(())
    }

    /// Names of everything on which runs rely, and the files that say so with the ids of their runs.
    ///
    /// # Errors
    /// Returns an error if an intent cannot be read.
    pub(super) fn all_intents(&self) -> Result<(BTreeSet<String>, Vec<OfRun>)> {
        let (mut names, mut found) = (BTreeSet::new(), Vec::new());
        for path in entries(&self.root.join(INTENTS))? {
            match fs::read_to_string(&path) {
                // It was withdrawn in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                text => names.extend(text.io_context("cannot read", &path)?.lines().map(str::to_owned)),
            }
            let run = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((path, run));
        }
        Ok((names, found))
    }
}
