//! `callsheet gc`.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json, print_text, say, table};
use clap::Args;
use serde_json::{Value, json};

use super::exit::SUCCESS;
use crate::declare::{Bytes, Project};
use crate::plan::declared;
use crate::store::{Garbage, Orphan, Record, Store, Sweep, Workspace};
use callsheet_figures::label::{counted, human_seconds};

/// Remove unused results from the store
#[derive(Args)]
#[command(after_help = "\
A result is used if data/out shows it, if it is the latest one of its stage for a pipeline, dataset and profile, or if a
pin protects it. Other results are unused if they were computed more than 14 days ago (--older-than). Results
that took long to compute are listed first. Records, metrics and logs of runs are kept; `callsheet runs rm` removes them.
With --undeclared, results of renamed stages, and of stages that were removed from
their pipeline, are unused, too. Results of other projects that use this data folder stay. With --size, results that take the least time per byte to recompute are evicted first.

Examples:
  callsheet gc                        list unused results; nothing is removed
  callsheet gc --delete               remove unused results
  callsheet gc --older-than 2days     also list younger results, computed more than 2 days ago
  callsheet gc --undeclared           also list results of stages that no pipeline declares any more
  callsheet gc --size 20GB --delete   evict unused results only until 20 GB remain")]
pub(super) struct Gc {
    /// Remove unused results; without this option they are only listed
    #[arg(long)]
    delete: bool,
    /// Evict results only until the artifacts in the store fit into this size, e.g. 20GB
    #[arg(long, value_parser = Bytes::from_str)]
    size: Option<Bytes>,
    /// Keep results that were computed within this time, e.g. 36h, 2days or 0s
    #[arg(long, value_name = "AGE", default_value = "14days", value_parser = humantime::parse_duration)]
    older_than: Duration,
    /// Also treat results as unused if no pipeline of this project declares their stage any more
    #[arg(long)]
    undeclared: bool,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// Unused record, the seconds that its action took, and the bytes that its removal frees.
type Line = (Record, f64, u64);

/// Unused records; those that took longest come first.
fn lines_of(store: &Store, garbage: &Garbage) -> Vec<Line> {
    let records = garbage.records.iter();
    let mut lines: Vec<Line> =
        records.filter_map(|(key, seconds, bytes)| Some((store.record(key)?, *seconds, *bytes))).collect();
    lines.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    lines
}

fn as_json(lines: &[Line]) -> Vec<Value> {
    let json = |(record, seconds, bytes): &Line| json!({ "stage": record.provenance.stage, "key": record.key.digest(), "seconds": seconds, "bytes": bytes });
    lines.iter().map(json).collect()
}

fn print_records(lines: &[Line]) {
    let rows = lines.iter().map(|(record, seconds, bytes)| {
        let (stage, key) = (record.provenance.stage.clone(), record.key.digest().short());
        vec![stage, key, Bytes(*bytes).to_string(), format!("took {}", human_seconds(*seconds))]
    });
    if !lines.is_empty() {
        print_text(&table(rows, &[2]));
    }
}

/// Lists the projects that were not seen for long, before anything of theirs is removed.
fn print_forgotten(sweep: &Sweep) {
    for Workspace { path, user, host, .. } in &sweep.forgotten {
        let path = path.parent().unwrap_or(path).display();
        print_text(&format!(
            "the project with the data folder {path} of {user} on {host} was not seen for long: its results are unused"
        ));
    }
}

/// Returns true if the results of a pipeline may belong to another project. A project that was moved and has not run
/// since is known only by the pipelines that it declares.
fn is_foreign(project: &Project, pipeline: &str, owner: &str) -> bool {
    let declares = || project.pipeline_names().iter().any(|name| name == pipeline);
    !owner.is_empty() && Path::new(owner) != project.root && (project.shares_data_with(owner) || !declares())
}

impl Gc {
    /// Options other than the defaults, as typed.
    fn options(&self) -> String {
        let age = self.older_than != Duration::from_secs(14 * 24 * 60 * 60);
        let age = age.then(|| format!(" --older-than {}", self.age().replace(' ', "")));
        let size = self.size.map(|size| format!(" --size {}B", size.0));
        let undeclared = self.undeclared.then(|| " --undeclared".to_owned());
        [age, size, undeclared].into_iter().flatten().collect()
    }

    /// Age up to which results are kept: `14 days`, `36h` or `0s`.
    fn age(&self) -> String {
        let (seconds, day) = (self.older_than.as_secs(), 24 * 60 * 60);
        match seconds > 0 && seconds.is_multiple_of(day) {
            true => counted(seconds / day, "day"),
            false => humantime::format_duration(self.older_than).to_string(),
        }
    }

    /// Words for what happened, or would happen, to a number of bytes.
    fn done(&self, bytes: u64) -> String {
        match (self.delete, bytes) {
            (true, _) => "freed".to_owned(),
            (false, 0) => "would be freed".to_owned(),
            (false, _) => {
                format!("would be freed; run `callsheet gc{} --delete` to free this space", self.options())
            }
        }
    }

    /// Finds, and with `--delete` removes, unused results of the shared store.
    fn shared(&self, store: &Store) -> Result<Option<(Sweep, Vec<Line>)>> {
        let found = store.shared_garbage(self.size.map(|size| size.0), self.older_than)?;
        let Some(mut sweep) = found else { return Ok(None) };
        let mut lines = lines_of(store, &sweep.garbage);
        if !self.json {
            print_forgotten(&sweep);
        }
        if self.delete {
            let kept = store.sweep(&mut sweep, |grace| {
                say(&format!(
                    "waiting {}, in which runs on other machines may take back what they use (Ctrl-C: the next `callsheet gc \
                     --delete` goes on)",
                    humantime::format_duration(grace)
                ));
            })?;
            // A run may have taken back a result.
            lines.retain(|(record, ..)| {
                let key = record.key.digest();
                sweep.garbage.records.iter().any(|(removed, ..)| *removed == key)
            });
            for path in kept {
                say(&format!(
                    "{} stays: only its owner can move it, with `callsheet gc --delete`",
                    path.display()
                ));
            }
        }
        Ok(Some((sweep, lines)))
    }

    fn print_shared(&self, sweep: &Sweep, lines: &[Line]) {
        print_records(lines);
        let (found, bytes) = (counted(lines.len() as u64, "unused result"), sweep.garbage.bytes());
        print_text(&format!(
            "{found} in the shared store {}: {} {}",
            sweep.root.display(),
            Bytes(bytes),
            self.done(bytes)
        ));
    }

    /// Finds, and with `--delete` removes, unused results of the project's own store.
    fn own(&self, project: &Project, store: &Store) -> Result<(Garbage, Vec<Line>)> {
        let _alone = if self.delete { Some(store.exclusive()?) } else { None };
        let orphans = match self.undeclared {
            true => store.orphans(
                |pipeline, owner| is_foreign(project, pipeline, owner),
                |target| declared(project, target),
            )?,
            false => BTreeSet::new(),
        };
        let since = SystemTime::now().checked_sub(self.older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        let garbage = store.garbage(self.size.map(|size| size.0), since, orphans)?;
        let lines = lines_of(store, &garbage);
        if self.delete {
            store.remove(&garbage)?;
            store.register(!garbage.orphans.is_empty())?;
        }
        Ok((garbage, lines))
    }

    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = Store::of(&project)?;
        let (garbage, lines) = self.own(&project, &store)?;
        // Runs of this project may go on while garbage of the shared store is set aside.
        let shared = self.shared(&store)?;
        if self.json {
            print_json(&self.to_json(&garbage, &lines, shared.as_ref()));
            return Ok(SUCCESS);
        }
        self.print_own(&garbage, &lines);
        if let Some((sweep, lines)) = &shared {
            self.print_shared(sweep, lines);
        }
        Ok(SUCCESS)
    }

    fn to_json(&self, garbage: &Garbage, lines: &[Line], shared: Option<&(Sweep, Vec<Line>)>) -> Value {
        let orphan = |orphan: &Orphan| json!({ "target": orphan.target, "stage": orphan.stage });
        let orphans: Vec<Value> = garbage.orphans.iter().map(orphan).collect();
        let (records, bytes) = (as_json(lines), garbage.bytes());
        let mut all =
            json!({ "records": records, "undeclared": orphans, "bytes": bytes, "deleted": self.delete });
        if let Some((Sweep { garbage, forgotten, root, .. }, lines)) = shared {
            all["shared"] = json!({
                "path": root, "records": as_json(lines), "bytes": garbage.bytes(), "forgotten": forgotten
            });
        }
        all
    }

    fn print_own(&self, garbage: &Garbage, lines: &[Line]) {
        let orphan =
            |orphan: &Orphan| vec![orphan.stage.clone(), format!("no longer declared by {}", orphan.target)];
        let orphans: Vec<_> = garbage.orphans.iter().map(orphan).collect();
        if !orphans.is_empty() {
            print_text(&table(orphans, &[2]));
        }
        print_records(lines);
        let (found, bytes) = (counted(lines.len() as u64, "unused result"), garbage.bytes());
        print_text(&format!("{found}: {} {}", Bytes(bytes), self.done(bytes)));
        if self.size.is_some_and(|size| garbage.remaining > size.0) && !self.older_than.is_zero() {
            print_text(&format!(
                "{} of results remain, because they are used or younger than {}; `--older-than 0s` includes younger ones",
                Bytes(garbage.remaining),
                self.age()
            ));
        }
    }
}
