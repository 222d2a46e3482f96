//! `callsheet stages`.

use std::fmt::Write;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result, suggest};
use callsheet_worker::print::{print_text, table};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::candidates;
use super::exit::SUCCESS;
use crate::declare::{ArtifactKind, Cpus, Project, Role, StageDecl};

/// List the stages, or show the inputs, outputs and parameters of one stage
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet stages                               every stage with its summary
  callsheet stages train                         the documentation of one stage
  callsheet stages --markdown > docs/stages.md   the documentation of all stages")]
pub(super) struct Stages {
    /// Stage to show [default: list all stages]
    #[arg(add = ArgValueCompleter::new(candidates::declared_stages))]
    stage: Option<String>,
    /// Print the documentation of all stages as one Markdown page
    #[arg(long, conflicts_with = "stage")]
    markdown: bool,
}

impl Stages {
    pub(super) fn execute(&self) -> Result<u8> {
        let project = Project::find()?;
        let names = project.stage_names();
        let read = |name: &str| {
            project.stage(name)?.ok_or_else(|| {
                let known = names.iter().map(String::as_str);
                Error::user_error(Code::UnknownName, format!("unknown stage `{name}`"), suggest(name, known))
            })
        };
        if let Some(name) = &self.stage {
            print_text(page(&read(name)?).trim_end());
            return Ok(SUCCESS);
        }
        let stages = names.iter().map(|name| read(name)).collect::<Result<Vec<_>>>()?;
        if self.markdown {
            print_text(markdown(&stages).trim_end());
            return Ok(SUCCESS);
        }
        if !stages.is_empty() {
            print_text(&table(stages.into_iter().map(|stage| vec![stage.name, stage.summary]), &[]));
        }
        Ok(SUCCESS)
    }
}

/// First lines of the page with all stages.
const INTRODUCTION: &str = "\
# Stages

This page documents every stage, for people who write or configure pipelines. `callsheet stages NAME` prints
the documentation of one stage. `make docs` generates this page from each `stage.toml`.

Terms:

- the paper, the authors: StEP, style-based encoder pre-training for multi-modal image synthesis (Meshry et
  al., CVPR 2021)
- A, B: the content image and the style image of a pair. A style code describes the style of B
- wired: connected, in the pipeline's file, to raw files or to an output of a stage
- many: the input accepts several artifacts
- fanned out: a stage with `foreach` runs as several instances, one for each value or combination of values
- fallback: artifact that is used while raw files are missing. All results that are based on it have its
  label, e.g. `synthetic stand-in`
- held out: ground truth that training must not see. Only inputs that declare `held_out = true` may read it
- budget: parameter for the length of a computation, e.g. a number of training steps

";

fn markdown(stages: &[StageDecl]) -> String {
    let mut text = INTRODUCTION.to_owned();
    for stage in stages {
        let _ = writeln!(text, "- [{0}](#{0}): {1}", stage.name, stage.summary);
    }
    for stage in stages {
        let _ = write!(text, "\n{}", page(stage));
    }
    text
}

/// Returns the documentation of a stage as Markdown, which is readable as plain text, too.
fn page(stage: &StageDecl) -> String {
    let cpus = match stage.resources.cpus {
        Cpus::All => "all CPUs".to_owned(),
        Cpus::Count(1) => "one CPU".to_owned(),
        Cpus::Count(n) => format!("{n} CPUs"),
    };
    let mut text = format!("## {}\n\n{}.\n\n{}\n\n", stage.name, stage.summary, stage.doc.trim());
    for (title, items) in
        [("Inputs", inputs(stage)), ("Outputs", outputs(stage)), ("Parameters", params(stage))]
    {
        if !items.is_empty() {
            let _ = writeln!(text, "{title}:\n\n{}\n", items.join("\n"));
        }
    }
    let _ = writeln!(text, "Version {}. Uses {cpus}. Command: `{}`", stage.version, stage.command.join(" "));
    for (version, why) in &stage.history {
        let _ = writeln!(text, "\n- version {version}: {why}");
    }
    text
}

fn kind_name(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Table => "table",
        ArtifactKind::File => "file",
        ArtifactKind::Directory => "folder",
        ArtifactKind::Files => "files",
    }
}

fn inputs(stage: &StageDecl) -> Vec<String> {
    let line = |name: &String| {
        let input = &stage.inputs[name];
        let optional = if input.optional { ", optional" } else { "" };
        let many = if input.many { ", many" } else { "" };
        format!("- `{name}` ({}{many}{optional}): {}", kind_name(input.kind), input.doc)
    };
    stage.order.inputs.iter().map(line).collect()
}

fn outputs(stage: &StageDecl) -> Vec<String> {
    let line = |name: &String| {
        let output = &stage.outputs[name];
        let columns = output.columns.iter().map(|(column, kind)| format!("`{column}` {kind}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let columns = if columns.is_empty() { columns } else { format!("\n  Columns: {columns}") };
        let checks = output.checks.to_string();
        let checks = if checks.is_empty() { checks } else { format!("\n  Checks: {checks}") };
        format!("- `{name}` ({}, `{}`): {}{columns}{checks}", kind_name(output.kind), output.path, output.doc)
    };
    stage.order.outputs.iter().map(line).collect()
}

fn params(stage: &StageDecl) -> Vec<String> {
    let line = |name: &String| {
        let param = &stage.params[name];
        let role = match param.role {
            Role::Identity => "",
            Role::Budget => "; budget: a larger value resumes from the last checkpoint",
            Role::Execution => "; does not change the result",
        };
        format!("- `{name} = {}`: {} ({}{role})", param.default.get_ref(), param.doc, param.wanted())
    };
    stage.order.params.iter().map(line).collect()
}
