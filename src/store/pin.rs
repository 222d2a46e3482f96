//! Pins: results that are never garbage.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, IoContext, Result};

use super::files::entries;
use super::root::Store;
use crate::declare::{NAME_RULE, is_name};

impl Store {
    /// Pins the results with these keys under a name. Replaces an older pin with that name.
    ///
    /// # Errors
    /// Returns an error if the name is not valid, or the store cannot be written.
    pub fn pin(&self, name: &str, keys: &BTreeSet<Digest>) -> Result<()> {
        if !is_name(name) {
            return Err(Error::user_error(
                Code::InvalidValue,
                format!("`{name}` is not a valid name of a pin"),
                NAME_RULE,
            ));
        }
        self.create()?;
        self.workspace.write_json(&self.pin_path(name), keys)
    }

    /// Names of the pins, sorted.
    ///
    /// # Errors
    /// Returns an error if the pins cannot be listed.
    pub fn pins(&self) -> Result<Vec<String>> {
        let paths = entries(&self.workspace.path("pins"))?;
        Ok(paths.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect())
    }

    /// Removes a pin.
    ///
    /// # Errors
    /// Returns an error if the pin does not exist, or its file cannot be removed.
    pub fn unpin(&self, name: &str) -> Result<()> {
        let path = self.pin_path(name);
        fs::remove_file(&path).io_context("cannot remove", path)
    }

    fn pin_path(&self, name: &str) -> PathBuf {
        self.workspace.path("pins").join(format!("{name}.json"))
    }
}
