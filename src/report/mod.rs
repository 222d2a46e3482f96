//! A run as one HTML file that needs no other: what ran and from what, what its stages made and want to be shown, what
//! they measured. Several runs stand side by side.

mod cells;
mod command;
mod differences;
mod figures;
mod graph;
mod images;
mod page;
mod picture;
mod scatter;
mod sections;
mod subject;
mod table;
mod told;

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use callsheet_worker::error::{Doing, Result};

use crate::declare::Project;
use crate::store::Store;
use sections::ask;

pub use differences::{differences, last_values};
pub use sections::described;
pub use subject::Subject;

/// Name of the report of a pipeline over a dataset, in their folder of `data/out`.
pub const FILE: &str = "report.html";

/// End of a page that lacks sections of commands that failed.
const INCOMPLETE: &str = "<!-- incomplete -->\n";

/// Returns true if there is a page that lacks nothing.
pub fn is_complete(path: &Path) -> bool {
    let end = || -> io::Result<Vec<u8>> {
        let mut page = File::open(path)?;
        page.seek(SeekFrom::Start(page.metadata()?.len().saturating_sub(INCOMPLETE.len() as u64)))?;
        let mut end = Vec::new();
        page.read_to_end(&mut end).map(|_| end)
    };
    end().is_ok_and(|end| end != INCOMPLETE.as_bytes())
}

/// Writes the page of `subjects`, at least one, to `path`: whole, or not at all. Returns the reasons why commands of the
/// project failed to add their sections.
///
/// # Errors
/// When it cannot be written. A figure that cannot be read says so in the page.
pub fn write(project: &Project, store: &Store, subjects: &[Subject], path: &Path) -> Result<Vec<String>> {
    let (sections, failures) = match subjects {
        [subject] => ask(project, store, subject),
        _ => Default::default(),
    };
    let mut page = page::page(store, subjects, &sections);
    if !failures.is_empty() {
        page.push_str(INCOMPLETE);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).doing("cannot create", folder)?;
    let mode = Permissions::from_mode(0o666); // but for what the user masks
    let file = tempfile::Builder::new().permissions(mode).tempfile_in(folder);
    let mut file = file.doing("cannot write to", folder)?;
    file.write_all(page.as_bytes()).doing("cannot write", path)?;
    file.persist(path).map_err(|error| error.error).doing("cannot write", path)?;
    Ok(failures)
}
