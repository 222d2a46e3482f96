//! Runs that did something: `runs/<id>/run.json`, and what happened in `events.ndjson`.

use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, suggest};
use serde::{Deserialize, Serialize};

use super::root::{Store, read_json};

/// What became of a stage in a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StageResult {
    /// `cached`, `ran`, or `not done`.
    pub state: String,
    /// Its action, if it is done.
    pub key: Option<Digest>,
}

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunRecord {
    /// Its name: when it began, and its process.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the profile.
    pub profile: String,
    /// `--set` options as typed.
    pub set: Vec<String>,
    /// Seconds from beginning to end.
    pub seconds: f64,
    /// Every stage of its plan.
    pub stages: BTreeMap<String, StageResult>,
}

impl Store {
    /// Keeps a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write_run(&self, run: &RunRecord) -> Result<()> {
        self.write_json(&self.path("runs").join(&run.id).join("run.json"), run)
    }

    /// Runs that ended, the latest first.
    pub fn runs(&self) -> Vec<RunRecord> {
        self.run_ids().iter().filter_map(|id| self.run(id)).collect()
    }

    /// Names of all runs, of those that go on and those that were killed, too; the latest first.
    pub fn run_ids(&self) -> Vec<String> {
        let folders = fs::read_dir(self.path("runs")).into_iter().flatten().flatten();
        let mut ids: Vec<String> =
            folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    }

    /// What is kept of the run `id`, if it has ended.
    pub fn run(&self, id: &str) -> Option<RunRecord> {
        read_json(&self.path("runs").join(id).join("run.json"))
    }

    /// The run that `name` means: its id, the beginning of it, `latest`, or `latest~2`.
    ///
    /// # Errors
    /// When there is none, or several begin so.
    pub fn find_run(&self, name: &str) -> Result<RunRecord> {
        let mut runs = self.runs();
        let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
        let found = position(name, &ids)?;
        Ok(runs.swap_remove(found))
    }
}

/// Name of a run that the process `process` began at `began`. Names sort by time: to the millisecond, as several short
/// runs fit into a second.
pub fn run_id(began: SystemTime, process: u32) -> String {
    let began = humantime::format_rfc3339_millis(began).to_string().replace(':', "-");
    format!("{began}-{process}")
}

/// Which of `ids`, the latest first, `name` means: itself, the beginning of it, `latest`, or `latest~2`.
///
/// # Errors
/// When there is none, or several begin so.
pub fn position(name: &str, ids: &[&str]) -> Result<usize> {
    let back = match name.strip_prefix("latest") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|count| count.parse::<usize>().ok()),
        None => None,
    };
    if let Some(back) = back.filter(|back| *back < ids.len()) {
        return Ok(back);
    }
    let found: Vec<usize> = (0..ids.len()).filter(|at| ids[*at].starts_with(name)).collect();
    match found[..] {
        [at] => Ok(at),
        [] => {
            let help = suggest(name, ids.iter().copied().take(20));
            Err(Error::refused(Code::UnknownName, format!("there is no run `{name}`"), help))
        }
        _ => {
            let ids: Vec<&str> = found.iter().map(|at| ids[*at]).collect();
            Err(Error::refused(
                Code::InvalidValue,
                format!("several runs begin with `{name}`"),
                ids.join(", "),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn runs_that_began_in_the_same_second_are_in_the_order_of_their_beginnings() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_865_166_120);
        let first = run_id(began, 9_929);
        let second = run_id(began + Duration::from_millis(300), 10_152);
        assert_eq!(first, "2026-11-28T11-26-06.120Z-9929");
        assert!(first < second, "{first} before {second}");
    }
}
