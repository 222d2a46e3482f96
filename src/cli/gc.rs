//! `callsheet gc`.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json, print_text, table};
use clap::Args;
use serde_json::json;

use super::exit::SUCCESS;
use super::which::store;
use crate::declare::{Bytes, Project};
use crate::plan::declared;
use crate::words::title;
use callsheet_figures::label::human_seconds;

/// Remove from the store what nothing needs
#[derive(Args)]
#[command(after_help = "\
Needed is what the artifacts in data/out show, of every pipeline and dataset, and what is pinned.
With --undeclared, data/out also lets go of stages that were renamed or taken out of their pipeline;
in a store that several projects share, of the other projects' as well.

Examples:
  callsheet gc                        say what would go; nothing is removed
  callsheet gc --delete               remove it
  callsheet gc --undeclared           say what would go with stages that no pipeline declares any more
  callsheet gc --size 20GB --delete   remove only so much, what is made anew fastest for its size first")]
pub(super) struct Gc {
    /// Remove it; without this it is only listed
    #[arg(long)]
    delete: bool,
    /// Stop once the store's artifacts fit into this, e.g. 20GB
    #[arg(long, value_parser = Bytes::from_str)]
    size: Option<Bytes>,
    /// Let go also of stages that no pipeline of this project declares any more
    #[arg(long)]
    undeclared: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Gc {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let store = store(&project)?;
        let _alone = if self.delete { Some(store.exclusive()?) } else { None };
        let orphans = match self.undeclared {
            true => store.orphans(|pipeline, dataset| declared(&project, pipeline, dataset))?,
            false => BTreeSet::new(),
        };
        let garbage = store.garbage(self.size.map(|size| size.0), orphans)?;
        let bytes = garbage.bytes();
        let lines: Vec<_> = garbage
            .records
            .iter()
            .filter_map(|(key, seconds, bytes)| Some((store.record(key)?, *seconds, *bytes)))
            .collect();
        if self.delete {
            store.remove(&garbage)?;
        }
        if self.json {
            let records = lines.iter().map(|(record, seconds, bytes)| {
                json!({ "stage": record.provenance.stage, "key": record.key.digest(), "seconds": seconds, "bytes": bytes })
            });
            let records: Vec<_> = records.collect();
            let orphans = garbage.orphans.iter().map(|orphan| {
                json!({ "pipeline": orphan.pipeline, "dataset": orphan.dataset, "stage": orphan.stage })
            });
            let orphans: Vec<_> = orphans.collect();
            print_json(
                &json!({ "records": records, "undeclared": orphans, "bytes": bytes, "deleted": self.delete }),
            );
            return Ok(SUCCESS);
        }
        let orphans = garbage.orphans.iter().map(|orphan| {
            let place = title(&orphan.pipeline, &orphan.dataset, "");
            vec![orphan.stage.clone(), format!("no longer declared by {place}")]
        });
        let records = lines.iter().map(|(record, seconds, bytes)| {
            let (stage, key) = (record.provenance.stage.clone(), record.key.digest().short());
            vec![stage, key, Bytes(*bytes).to_string(), format!("took {}", human_seconds(*seconds))]
        });
        for rows in [orphans.collect::<Vec<_>>(), records.collect()] {
            if !rows.is_empty() {
                print_text(&table(rows, &[2]));
            }
        }
        let done = if self.delete { "freed" } else { "would be freed; `callsheet gc --delete` does it" };
        print_text(&format!("{} results that nothing needs: {} {done}", lines.len(), Bytes(bytes)));
        Ok(SUCCESS)
    }
}
