//! `callsheet verify`.

use std::io::IsTerminal;
use std::sync::Mutex;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json, print_text};
use clap::Args;
use kdam::BarExt;
use serde_json::json;

use super::exit::{DAMAGED, SUCCESS};
use crate::declare::{Bytes, Project};
use crate::store::Store;

/// Check the store for damaged files by hashing all its contents again
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet verify           exit code 1 if anything is damaged
  callsheet verify --heal    remove damaged files; the next run recomputes them")]
pub(super) struct Verify {
    /// Remove damaged files, so that the next run recomputes them
    #[arg(long)]
    heal: bool,
    /// Print the list of damage as JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn execute(&self) -> Result<u8> {
        let store = Store::of(&Project::find()?)?;
        let _alone = if self.heal { Some(store.exclusive()?) } else { None };
        let total: u64 = store.inventory()?.objects.values().sum();
        let bar = std::io::stderr().is_terminal().then(|| {
            Mutex::new(kdam::tqdm!(total = total as usize, unit_scale = true, unit = "B", desc = "hashing"))
        });
        let damage = store.verify(|bytes| {
            if let Some(Ok(mut bar)) = bar.as_ref().map(Mutex::lock) {
                let _ = bar.update(bytes as usize);
            }
        })?;
        if self.heal {
            store.heal(&damage)?;
        }
        let diverged = store.divergences()?;
        if self.json {
            let each = damage.iter().map(|damage| json!({ "path": damage.path, "what": damage.what }));
            let damage = each.collect::<Vec<_>>();
            print_json(&match diverged.is_empty() {
                true => json!({ "damage": damage }),
                false => json!({ "damage": damage, "diverged": diverged }),
            });
        } else {
            for damage in &damage {
                print_text(&format!("{}: {}", damage.path.display(), damage.what));
            }
            diverged.iter().for_each(|diverged| print_text(&diverged.to_string()));
            print_text(&match (damage.len(), self.heal) {
                (0, _) => format!("{} checked, no damage found", Bytes(total)),
                (count, true) => format!("{count} removed; `callsheet run` recomputes what is needed"),
                (count, false) => format!("{count} damaged; `callsheet verify --heal` removes them"),
            });
        }
        Ok(if damage.is_empty() || self.heal { SUCCESS } else { DAMAGED })
    }
}
