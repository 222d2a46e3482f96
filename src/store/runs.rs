//! Runs that did something: their records in `runs/<id>/run.json`, and their events in `events.ndjson`.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, suggest};
use serde::{Deserialize, Serialize};

use super::half::read_json;
use super::root::Store;
use super::state::StageState;
use crate::target::Target;

/// Result of a stage in a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StageResult {
    /// State of the stage.
    pub state: StageState,
    /// Key of the stage's action, if the stage is done.
    pub key: Option<Digest>,
}

/// Record of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunRecord {
    /// Id of the run: start time, host, and random digits.
    pub id: String,
    /// Pipeline, dataset and profile.
    #[serde(flatten)]
    pub target: Target,
    /// `--set` options as typed.
    pub set: Vec<String>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Every stage of the run's plan, by stage instance.
    pub stages: BTreeMap<String, StageResult>,
}

impl Store {
    /// Writes the record of a run.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub fn write_run(&self, run: &RunRecord) -> Result<()> {
        self.workspace.write_json(&self.workspace.path("runs").join(&run.id).join("run.json"), run)
    }

    /// Records of the runs that have ended, latest first.
    pub fn runs(&self) -> Vec<RunRecord> {
        self.run_ids().iter().filter_map(|id| self.run(id)).collect()
    }

    /// Id of the latest run with the target, the options and the results of `run`.
    pub fn run_with_results_of(&self, run: &RunRecord) -> Option<String> {
        let keys = |run: &RunRecord| -> Vec<(String, Option<Digest>)> {
            run.stages.iter().map(|(stage, result)| (stage.clone(), result.key)).collect()
        };
        let is_equal =
            |old: &RunRecord| old.target == run.target && old.set == run.set && keys(old) == keys(run);
        self.runs().into_iter().find(is_equal).map(|run| run.id)
    }

    /// Ids of all runs, including those in progress and those that were killed; latest first.
    pub fn run_ids(&self) -> Vec<String> {
        let folders = fs::read_dir(self.workspace.path("runs")).into_iter().flatten().flatten();
        let mut ids: Vec<String> =
            folders.filter_map(|folder| folder.file_name().into_string().ok()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    }

    /// Record of the run `id`, if it has ended.
    pub fn run(&self, id: &str) -> Option<RunRecord> {
        read_json(&self.workspace.path("runs").join(id).join("run.json"))
    }
}

impl Store {
    /// Id of a run that begins at `now`. It sorts after all other runs, even if the clock was set back since the
    /// latest of them.
    pub fn new_run_id(&self, now: SystemTime) -> String {
        let after =
            self.run_ids().iter().find_map(|id| began(id)).map(|began| began + Duration::from_millis(1));
        run_id(after.map_or(now, |after| now.max(after)))
    }
}

/// Time at which the run `id` began, as its id states it.
pub(super) fn began(id: &str) -> Option<SystemTime> {
    let (date, time) = id.get(..TIME)?.split_once('T')?;
    humantime::parse_rfc3339(&format!("{date}T{}", time.replace('-', ":"))).ok()
}

/// Number of characters of the time in the id of a run: `2026-11-28T11-26-06.120Z`.
const TIME: usize = 24;

/// Id of a run that began at `began`: this time, the host, and random digits. Ids sort by time, and are
/// unique across processes and hosts that share a store.
fn run_id(began: SystemTime) -> String {
    let began = humantime::format_rfc3339_millis(began).to_string().replace(':', "-");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let host: String =
        host.split('.').next().unwrap_or_default().chars().map(plain).take(LONGEST_HOST).collect();
    // Every `RandomState` has different random keys, so the hash is a random number.
    let random = RandomState::new().hash_one(std::process::id()) & 0xff_ffff;
    format!("{began}-{host}-{random:06x}")
}

/// Largest number of characters of the host's name in the id of a run.
const LONGEST_HOST: usize = 16;

/// Position in `ids` of the run that `name` identifies: its id, a prefix of it, `latest`, or `latest~1` for
/// the run before the latest. `ids` are sorted, latest first.
///
/// # Errors
/// Returns an error if `name` identifies no run, or is the prefix of several ids.
pub fn position(name: &str, ids: &[&str]) -> Result<usize> {
    let back = match name.strip_prefix("latest") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|count| count.parse::<usize>().ok()),
        None => None,
    };
    match back {
        Some(back) if back < ids.len() => return Ok(back),
        Some(_) if !ids.is_empty() => {
            let last = format!("latest~{}", ids.len() - 1);
            return Err(Error::user_error(
                Code::UnknownName,
                format!("unknown run `{name}`; number of runs: {}", ids.len()),
                format!("the first run is `{last}`; `callsheet runs` lists all of them"),
            ));
        }
        _ => {}
    }
    let is_meant = |at: &usize| !name.is_empty() && ids[*at].starts_with(name);
    let found: Vec<usize> = (0..ids.len()).filter(is_meant).collect();
    match found[..] {
        [at] => Ok(at),
        [] => {
            let help = match ids {
                [] => "run `callsheet run` first: there are no runs yet".to_owned(),
                _ => suggest(name, ids.iter().copied().take(20)),
            };
            Err(Error::user_error(Code::UnknownName, format!("unknown run `{name}`"), help))
        }
        _ => {
            let ids: Vec<&str> = found.iter().map(|at| ids[*at]).collect();
            Err(Error::user_error(
                Code::InvalidValue,
                format!("several runs begin with `{name}`"),
                format!("name one run: {}", ids.join(", ")),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_began_in_the_same_second_are_in_the_order_of_their_beginnings() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_865_166_120);
        let (first, second) = (run_id(began), run_id(began + Duration::from_millis(300)));
        assert!(first.starts_with("2026-11-28T11-26-06.120Z-"), "{first}");
        assert!(first < second, "{first} before {second}");
        assert_ne!(
            first,
            run_id(began),
            "another process, or another machine, may begin a run at the same time"
        );
    }
}
