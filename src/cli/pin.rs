//! `callsheet pin`.

use std::collections::BTreeSet;

use callsheet_worker::code::Code;
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::print_text;
use clap::Args;

use super::exit::SUCCESS;
use super::which::{Which, sources, store, survey};
use crate::run::outlook;

/// Keep results whatever `callsheet gc` is asked to remove
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet pin paper                          what the pipeline has now, under the name `paper`
  callsheet pin wide --set train.margin=0.2    what it has with this parameter
  callsheet pin --list
  callsheet pin --remove paper")]
pub(super) struct Pin {
    /// Name of the pin
    #[arg(required_unless_present_any = ["list", "remove"])]
    name: Option<String>,
    #[command(flatten)]
    which: Which,
    /// List the pins
    #[arg(long)]
    list: bool,
    /// Remove a pin
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
}

impl Pin {
    pub(super) fn execute(&self) -> Result<u8> {
        let (project, request) = self.which.request()?;
        let store = store(&project)?;
        let pins = store.pins()?;
        if self.list {
            pins.iter().for_each(|pin| print_text(pin));
            return Ok(SUCCESS);
        }
        if let Some(name) = &self.remove {
            if !pins.contains(name) {
                let help = suggest(name, pins.iter().map(String::as_str));
                return Err(Error::refused(Code::UnknownName, format!("there is no pin `{name}`"), help));
            }
            store.unpin(name)?;
            return Ok(SUCCESS);
        }
        store.create()?;
        // No gc between the look and the pin.
        let _shared = store.shared()?;
        let (plan, survey) = survey(&project, &store, &request)?;
        let mut sources = sources(&project, &store, &plan);
        let prospects = outlook(&store, &mut sources, &survey, &plan)?;
        let cached = prospects.iter().filter(|prospect| prospect.objects.is_some());
        let keys: BTreeSet<Digest> =
            cached.filter_map(|prospect| Some(prospect.key.as_ref()?.digest())).collect();
        if keys.is_empty() {
            return Err(Error::refused(
                Code::NotComputed,
                "there is nothing to pin yet with these parameters",
                "`callsheet run` makes it",
            ));
        }
        let name = self.name.as_deref().unwrap_or_default();
        store.pin(name, &keys)?;
        print_text(&format!("{} of {} results are pinned as `{name}`", keys.len(), plan.stages.len()));
        Ok(SUCCESS)
    }
}
