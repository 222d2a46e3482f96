//! Settings of a shared store: `store.toml` in its folder. All programs that use the store read the same file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result, SourceText};
use serde::Deserialize;

use crate::declare::{Seconds, parse_toml};

/// Name of the file.
pub(super) const FILE: &str = "store.toml";

/// Settings of a shared store, in seconds. Every one is optional in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::store) struct Settings {
    /// Time between two heartbeats of a run.
    heartbeat: Seconds,
    /// Time without a heartbeat after which a run counts as dead. It must be longer than names can be stale.
    expiry: Seconds,
    /// Time for which garbage collection keeps what it has set aside. It must be longer than names can be stale.
    grace: Seconds,
    /// Time after which a project that was not seen does not protect its results any more.
    forget: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |days: f64| Seconds(days * 24.0 * 3600.0);
        Self { heartbeat: Seconds(15.0), expiry: Seconds(120.0), grace: Seconds(600.0), forget: days(90.0) }
    }
}

impl Settings {
    /// Reads the settings of the store at `root`.
    ///
    /// # Errors
    /// Returns an error if the file is malformed, or if a run would count as dead between two heartbeats.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text.io_context("cannot read", &path)?,
        };
        let settings: Self = parse_toml(&Arc::new(SourceText::new(path.clone(), text)))?;
        if settings.expiry.0 < 2.0 * settings.heartbeat.0 {
            return Err(Error::user_error(
                Code::Declaration,
                format!("{}: `expiry` is shorter than two heartbeats", path.display()),
                "set `expiry` to at least twice `heartbeat`",
            ));
        }
        Ok(settings)
    }

    pub(super) fn heartbeat(&self) -> Duration {
        Duration::from_secs_f64(self.heartbeat.0)
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs_f64(self.grace.0)
    }

    pub(super) fn forget(&self) -> Duration {
        Duration::from_secs_f64(self.forget.0)
    }

    pub(super) fn expiry(&self) -> Duration {
        Duration::from_secs_f64(self.expiry.0)
    }
}
