//! Rights of a group on a shared store. The group is the trust boundary: its members can replace each other's results.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::OnceLock;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use rustix::fs::{Access, AtFlags, CWD, Mode, accessat};
use rustix::io::Errno;
use rustix::process::umask;

/// Bits of a folder in which every member of a group can create files, whose group is that of the folder.
const GROUP_FOLDER: u32 = 0o2070;

/// Checks that a folder exists, belongs to its group, and can be written by this user.
///
/// # Errors
/// Returns an error with the command that corrects the folder.
pub(in crate::store) fn check_access(folder: &Path) -> Result<()> {
    let (shown, quoted) = (folder.display(), shell_words::quote(&folder.to_string_lossy()).into_owned());
    let found = match fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refused(
                Code::Unreadable,
                format!("the shared store {shown} does not exist"),
                format!(
                    "check that its file system is mounted. To create a new shared store, run \
                     `mkdir -p {quoted} && chgrp GROUP {quoted} && chmod 2775 {quoted}`"
                ),
            ));
        }
        found => found.io_context("cannot read", folder)?,
    };
    if !found.is_dir() {
        let help = "name a folder that belongs to a group".to_owned();
        return Err(refused(Code::Unreadable, format!("the shared store {shown} is not a folder"), help));
    }
    if found.permissions().mode() & GROUP_FOLDER != GROUP_FOLDER {
        let (mode, group) = (found.permissions().mode() & 0o7777, found.gid());
        return Err(refused(
            Code::Io,
            format!(
                "the shared store {shown} has mode {mode:04o}, so files of one member of its group ({group}) could not be \
                 used by others"
            ),
            format!("its owner can correct this with `chmod g+rwxs {quoted}`"),
        ));
    }
    match accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(()),
        Err(Errno::ROFS) => Err(refused(
            Code::Io,
            format!("the shared store {shown} is on a file system that is mounted read-only"),
            "mount it so that it can be written".to_owned(),
        )),
        Err(_) => Err(refused(
            Code::Io,
            format!("you cannot write to the shared store {shown}, which belongs to group {}", found.gid()),
            "ask for membership of this group; `id` lists yours".to_owned(),
        )),
    }
}

fn refused(code: Code, message: String, help: String) -> Error {
    Error::user_error(code, message, help)
}

/// Checks that a file system has links, and that a name is made only once: commits rely on both.
///
/// # Errors
/// Returns an error if it has not.
pub(in crate::store) fn check_links(store: &Path, staging: &Path) -> Result<()> {
    let file = tempfile::NamedTempFile::new_in(staging).io_context("cannot write in", staging)?;
    let link = file.path().with_extension("link");
    let first = fs::hard_link(file.path(), &link);
    let second = fs::hard_link(file.path(), &link);
    let _ = fs::remove_file(&link);
    match (first, second) {
        (Err(error), _) => Err(no_links(store, &error)),
        (Ok(()), Err(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        (Ok(()), _) => Err(no_links(store, &ErrorKind::AlreadyExists.into())),
    }
}

/// Error of a file system on which a file cannot have a second name, or a name can be made twice.
pub(in crate::store) fn no_links(store: &Path, error: &std::io::Error) -> Error {
    refused(
        Code::Unsupported,
        format!(
            "the file system of the shared store {} does not create hard links ({error}), without which two runs could both \
             record a result",
            store.display()
        ),
        "use a folder on another file system; `callsheet store check FOLDER` checks one".to_owned(),
    )
}

/// Gives the group of a folder all rights on the files that this process and its workers create.
pub(in crate::store) fn permit_group() {
    // A second call would read the mask that the first one has set.
    let mask = USER_MASK.get_or_init(|| umask(Mode::from_raw_mode(0o007)));
    umask(mask.difference(Mode::RWXG));
}

/// Mask of the user, before it was changed.
static USER_MASK: OnceLock<Mode> = OnceLock::new();

/// Creates the folder of a project's own store with the rights that the user wants for new folders. Files in it have rights
/// for the group, but only those who can enter the folder have any use of them.
pub(in crate::store) fn create_private(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).io_context("cannot create", folder)?;
    let Some(mask) = USER_MASK.get() else { return Ok(()) };
    let rights = fs::Permissions::from_mode(0o777 & !mask.as_raw_mode());
    fs::set_permissions(folder, rights).io_context("cannot protect", folder)
}
