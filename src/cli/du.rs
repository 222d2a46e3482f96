//! `callsheet du`.

use std::collections::BTreeMap;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json_list, print_text, table};
use clap::Args;
use serde::Serialize;

use super::exit::SUCCESS;
use crate::declare::{Bytes, Project};
use crate::store::Store;

/// Show disk usage of the store per stage
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet du
  callsheet du --json | jq '.stages[0]'

`needed` is the size of the results that `callsheet gc` keeps.")]
pub(super) struct Du {
    /// Print the sizes in bytes as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct StageUsage {
    stage: String,
    results: usize,
    bytes: u64,
    needed: u64,
}

impl Du {
    pub(super) fn execute(&self) -> Result<u8> {
        let store = Store::of(&Project::find()?)?;
        let inventory = store.inventory()?;
        let needed = inventory.objects_of(&inventory.needed);
        let mut rooms: BTreeMap<&str, StageUsage> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for (stage, object) in inventory.made() {
            let room = rooms.entry(stage).or_default();
            room.results += 1;
            for name in object.names() {
                let bytes = inventory.objects.get(&name).copied().unwrap_or_default();
                room.needed += if needed.contains(&name) && !seen.contains(&name) { bytes } else { 0 };
                // An object that several results share counts once.
                room.bytes += if seen.insert(name) { bytes } else { 0 };
            }
        }
        let mut rooms: Vec<StageUsage> =
            rooms.into_iter().map(|(stage, room)| StageUsage { stage: stage.to_owned(), ..room }).collect();
        rooms.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.stage.cmp(&b.stage)));
        if self.json {
            print_json_list("stages", &rooms);
            return Ok(SUCCESS);
        }
        let header = ["stage", "results", "size", "needed"].map(str::to_owned).to_vec();
        let line = |room: &StageUsage| {
            let (bytes, needed) = (Bytes(room.bytes).to_string(), Bytes(room.needed).to_string());
            vec![room.stage.clone(), room.results.to_string(), bytes, needed]
        };
        print_text(&table([header].into_iter().chain(rooms.iter().map(line)), &[1, 2, 3]));
        let total: u64 = inventory.objects.values().sum();
        print_text(&format!("\n{} in total; `callsheet gc` lists unused results", Bytes(total)));
        Ok(SUCCESS)
    }
}
