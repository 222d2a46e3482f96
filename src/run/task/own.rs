//! Checks of the files of a job: it runs the commands in them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use rustix::process::geteuid;
use serde::de::DeserializeOwned;

use super::spec::{FORMAT, JobSpec, VERSION};
use crate::declare::engine;

/// Reads a file that only this user can have written.
pub(in crate::run) fn read_own<T: DeserializeOwned>(path: &Path) -> Result<T> {
    check_owner(path)?;
    let text = fs::read(path).io_context("cannot read", path)?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::user_error(
            Code::Unreadable,
            format!("{} is not a file that this version of callsheet wrote: {error}", path.display()),
            "run the pipeline again; nodes and the engine need the same version of callsheet",
        )
    })
}

/// Rejects a file or folder that another user owns or can change: a job runs the commands in it.
pub(in crate::run) fn check_owner(path: &Path) -> Result<()> {
    let found = fs::symlink_metadata(path).io_context("cannot read", path)?;
    let (owner, own) = (found.uid(), geteuid().as_raw());
    let refuse = |problem: String| {
        Err(Error::user_error(
            Code::InvalidValue,
            format!("{} {problem}, so a job does not run the commands in it", path.display()),
            "run the pipeline again as the user of the job; the engine writes files that only their owner can change",
        ))
    };
    if found.is_symlink() {
        return refuse("is a link".to_owned());
    }
    if owner != own {
        return refuse(format!("belongs to the user with id {owner}, not to the one of the job (id {own})"));
    }
    if found.mode() & 0o022 != 0 {
        return refuse(format!("can be changed by others (mode {:o})", found.mode() & 0o7777));
    }
    Ok(())
}

/// Rejects the files of another version of callsheet.
pub(in crate::run) fn check_engine(spec: &JobSpec) -> Result<()> {
    let (wanted, path) = (&spec.engine, engine()?);
    if spec.format == FORMAT && wanted.is_this() {
        return Ok(());
    }
    let difference = match wanted.version == VERSION {
        true => format!("is another build of callsheet {VERSION}"),
        false => format!("is callsheet {VERSION}, but the run was started by callsheet {}", wanted.version),
    };
    Err(Error::user_error(
        Code::Unsupported,
        format!("{} on this node {difference}", path.display()),
        "set `program` of the executor to the callsheet that starts the run, in a folder that the nodes see",
    ))
}
