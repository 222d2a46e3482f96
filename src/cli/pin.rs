//! `callsheet pin`.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::print_text;
use clap::Args;

use super::exit::SUCCESS;
use super::target::{TargetArgs, snapshot, sources};
use crate::run::preview;
use crate::store::Store;

/// Protect results from `callsheet gc` with a named pin
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet pin paper                          pin the pipeline's current results as `paper`
  callsheet pin wide --set train.margin=0.2    pin the results that the pipeline has with this parameter
  callsheet pin --list                         list the pins
  callsheet pin --remove paper                 remove the pin; `gc` may then evict the results")]
pub(super) struct Pin {
    /// Name of the new pin
    #[arg(required_unless_present_any = ["list", "remove"])]
    name: Option<String>,
    #[command(flatten)]
    which: TargetArgs,
    /// List the names of all pins
    #[arg(long)]
    list: bool,
    /// Remove the pin with this name
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
}

impl Pin {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, request) = self.which.request()?;
        let store = Store::of(&project)?;
        let pins = store.pins()?;
        if self.list {
            pins.iter().for_each(|pin| print_text(pin));
            return Ok(SUCCESS);
        }
        if let Some(name) = &self.remove {
            if !pins.contains(name) {
                let help = match pins.is_empty() {
                    true => "create a pin with `callsheet pin NAME`: there are no pins yet".to_owned(),
                    false => suggest(name, pins.iter().map(String::as_str)),
                };
                return Err(Error::user_error(Code::UnknownName, format!("unknown pin `{name}`"), help));
            }
            store.unpin(name)?;
            store.register(true)?;
            return Ok(SUCCESS);
        }
        store.create()?;
        // The shared lock keeps `gc` from removing results before they are pinned.
        let _shared = store.shared()?;
        let (plan, snapshot) = snapshot(&project, &store, &request)?;
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let cached = previews.iter().filter(|preview| preview.objects.is_some());
        let keys: BTreeSet<Digest> =
            cached.filter_map(|preview| Some(preview.key.as_ref()?.digest())).collect();
        if keys.is_empty() {
            return Err(Error::user_error(
                Code::NotComputed,
                "no result has been computed with the current inputs and parameters",
                "run `callsheet run` first",
            ));
        }
        let name = self.name.as_deref().unwrap_or_default();
        store.pin(name, &keys)?;
        store.register(true)?;
        print_text(&format!("{} of {} results are pinned as `{name}`", keys.len(), plan.stages.len()));
        Ok(SUCCESS)
    }
}
