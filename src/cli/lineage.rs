//! Option `--lineage FILE` of `callsheet run`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use callsheet_worker::error::{Error, IoContext, Result};
use serde_json::Value;

use crate::declare::Project;
use crate::event::Event;
use crate::lineage::Lineage;
use crate::plan::Plan;
use crate::store::Store;

/// File to which OpenLineage events are appended.
pub(super) struct LineageFile<'a> {
    path: &'a Path,
    file: File,
    lineage: Lineage<'a>,
    written: io::Result<()>,
}

impl<'a> LineageFile<'a> {
    pub(super) fn open(
        path: &'a Path,
        project: &'a Project,
        store: &'a Store,
        plan: &'a Plan,
    ) -> Result<Self> {
        let file =
            fs::OpenOptions::new().append(true).create(true).open(path).io_context("cannot open", path)?;
        Ok(Self { path, file, lineage: Lineage::new(project, store, plan), written: Ok(()) })
    }

    pub(super) fn tell(&mut self, event: &Event) {
        let told = self.lineage.tell(event, &now());
        told.iter().for_each(|told| self.write(told));
    }

    fn write(&mut self, told: &Value) {
        if self.written.is_ok() {
            // Each line is written by one call, because several runs may append to the file at the same time.
            self.written = self.file.write_all(format!("{told}\n").as_bytes());
        }
    }

    pub(super) fn close(mut self, refused: Option<&Error>) -> Result<()> {
        if let Some(error) = refused {
            let told = self.lineage.refused(&error.to_string(), &now());
            self.write(&told);
        }
        self.written.io_context("cannot write", self.path)
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
