//! Report of a run as one self-contained HTML file, with its stages and inputs, the figures that stages
//! declare, and metrics. Several runs are shown side by side.

mod cells;
mod changes;
mod command;
mod differences;
mod figures;
mod graph;
mod headline;
mod history;
mod images;
mod lead;
mod page;
mod picture;
mod run_log;
mod scatter;
mod sections;
mod subject;
mod table;

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use callsheet_worker::error::{IoContext, Result};

use crate::declare::Project;
use crate::store::Store;
use sections::ask;

pub use differences::{differences, last_values};
pub use graph::graph;
pub use history::{HistoryEntry, RunState, find_run, history, latest_runs};
pub use page::STYLE;
pub use sections::described;
pub use subject::{Done, Subject};

/// File name of the report in the folder of a target in `data/out`.
pub const FILE: &str = "report.html";

/// Bytes at the beginning of a page that contain its mark.
const BEGINNING: u64 = 4096;

/// End of a page in which sections are missing, because commands failed.
const INCOMPLETE: &str = "<!-- incomplete -->\n";

/// Returns true if the page at `path` is complete and shows the results of `subject` as the stages declare them now.
pub fn is_current(path: &Path, subject: &Subject) -> bool {
    let ends = || -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut page = File::open(path)?;
        let mut start = Vec::new();
        Read::by_ref(&mut page).take(BEGINNING).read_to_end(&mut start)?;
        page.seek(SeekFrom::Start(page.metadata()?.len().saturating_sub(INCOMPLETE.len() as u64)))?;
        let mut end = Vec::new();
        page.read_to_end(&mut end).map(|_| (start, end))
    };
    let mark = page::mark(subject);
    ends().is_ok_and(|(start, end)| {
        end != INCOMPLETE.as_bytes() && start.windows(mark.len()).any(|bytes| bytes == mark.as_bytes())
    })
}

/// Writes the page of `subjects`, at least one, to `path` atomically. Returns the reasons why commands of the
/// project failed to add their sections.
///
/// # Errors
/// Returns an error if the page cannot be written. An unreadable figure is not an error; the page shows the
/// reason.
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
    fs::create_dir_all(folder).io_context("cannot create", folder)?;
    let mode = Permissions::from_mode(0o666); // minus the user's umask
    let file = tempfile::Builder::new().permissions(mode).tempfile_in(folder);
    let mut file = file.io_context("cannot write to", folder)?;
    file.write_all(page.as_bytes()).io_context("cannot write", path)?;
    file.persist(path).map_err(|error| error.error).io_context("cannot write", path)?;
    Ok(failures)
}
