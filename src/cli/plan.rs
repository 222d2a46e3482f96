//! `callsheet plan`.

use clap::Args;

use super::{SUCCESS, Select, WOULD_RUN, Which, human_seconds, print_json, print_text};
use crate::error::Result;
use crate::run::{Outlook, State, left_out_by_only, outlook};
use crate::store::Sources;

/// Show what a run would do, and why
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet plan
  callsheet plan --set sample_triplets.visits=40
  callsheet plan --check || echo 'not up to date'   for CI: exit code 3 if anything would run

`maybe`: a stage before it must run; it runs too unless that turns out to change nothing.")]
pub struct PlanCommand {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    which: Which,
    /// Exit with code 3 if anything would run
    #[arg(long)]
    check: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub fn execute(&self) -> Result<u8> {
        show(&self.which, &self.select, self.check, self.json)
    }
}

/// Prints what a run would do; with `check`, the exit code says whether that is anything.
pub fn show(which: &Which, select: &Select, check: bool, json: bool) -> Result<u8> {
    let (project, store, plan) = which.resolve()?;
    let plan = plan.select(&select.selection())?;
    let mut sources = Sources::load(&store, &project.root);
    let stages = outlook(&store, &mut sources, &plan)?;
    let only = plan.names(&select.only)?;
    let left_out =
        |stage: &&Outlook| !only.is_empty() && !only.contains(&stage.stage) && stage.objects.is_none();
    if let Some(stage) = stages.iter().find(left_out) {
        return Err(left_out_by_only(&stage.stage));
    }
    let idle = stages.iter().all(|s| matches!(s.state, State::Cached { .. }));
    if json {
        print_json(&stages);
    } else {
        let width = stages.iter().map(|s| s.stage.len()).max().unwrap_or_default();
        for stage in &stages {
            let seconds = stage.seconds.map(|s| format!(" (took {})", human_seconds(s)));
            let (state, text) = match &stage.state {
                State::Cached { key } => ("cached", key.short()),
                State::Run { reasons, .. } => ("run", reasons.join("; ")),
                State::Maybe { after, reasons } => {
                    let mut text = format!("after {}", after.join(", "));
                    for reason in reasons {
                        text = format!("{text}; {reason}");
                    }
                    ("maybe", text)
                }
            };
            let seconds = if state == "cached" { None } else { seconds };
            let name = &stage.stage;
            print_text(&format!("{state:<7}{name:<width$}  {text}{}", seconds.unwrap_or_default()));
        }
    }
    Ok(if check && !idle { WOULD_RUN } else { SUCCESS })
}
