//! `callsheet config`.

use std::collections::BTreeMap;
use std::iter;
use std::slice;

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json_list, print_text, table};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::exit::SUCCESS;
use super::target::TargetArgs;
use crate::declare::Origin;
use crate::plan::Input;
use callsheet_figures::label::counted;

/// Show all parameters and inputs, with the file and line of each value
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet config
  callsheet config train                        one stage, with the documentation of its parameters
  callsheet config --profile paper --json")]
pub(super) struct Config {
    /// Stage to show, or an instance such as `train@v4-0` [default: all]
    stage: Option<String>,
    #[command(flatten)]
    which: TargetArgs,
    /// Print values, origins and documentation as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct StageConfig {
    uses: String,
    inputs: BTreeMap<String, String>,
    params: BTreeMap<String, ParamConfig>,
    resources: BTreeMap<String, ResourceConfig>,
}

/// Resource that differs from stage.toml.
#[derive(Serialize)]
struct ResourceConfig {
    value: Value,
    from: String,
}

#[derive(Serialize)]
struct ParamConfig {
    value: Value,
    from: String,
    doc: String,
}

impl Config {
    pub(super) fn execute(&self) -> Result<u8> {
        let plan = self.which.resolve()?;
        let wanted = self.stage.as_ref().map(|stage| plan.positions(slice::from_ref(stage))).transpose()?;
        let mut shown = BTreeMap::new();
        for (position, stage) in plan.stages.iter().enumerate() {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&position)) {
                continue;
            }
            let input = |input: &Input| match input {
                Input::Source { name, files, .. } => {
                    format!("{name} ({})", counted(files.len() as u64, "file"))
                }
                Input::Artifact { stage, output } => format!("{}.{output}", plan.stages[*stage].name),
                Input::Gather { stages, output } => {
                    let names: Vec<_> =
                        stages.iter().map(|stage| format!("{}.{output}", plan.stages[*stage].name)).collect();
                    names.join(", ")
                }
            };
            let param = |(name, param): (&String, &crate::plan::Param)| {
                let doc = stage.decl.params[name].doc.clone();
                let from = param.origin.to_string();
                (name.clone(), ParamConfig { value: param.value.clone(), from, doc })
            };
            let resource = |(name, (value, origin)): (&String, &(toml::Value, Origin))| {
                let value = serde_json::to_value(value).unwrap_or_default();
                (name.clone(), ResourceConfig { value, from: origin.to_string() })
            };
            let config = StageConfig {
                uses: stage.decl.name.clone(),
                inputs: stage.inputs.iter().map(|(n, i)| (n.clone(), input(i))).collect(),
                params: stage.params.iter().map(param).collect(),
                resources: stage.adjusted.iter().map(resource).collect(),
            };
            if self.json {
                shown.insert(stage.name.clone(), config);
            } else {
                self.print(&stage.name, &config);
            }
        }
        if self.json {
            print_json_list("stages", &shown);
        }
        Ok(SUCCESS)
    }

    fn print(&self, name: &str, config: &StageConfig) {
        let uses = if config.uses == name { String::new() } else { format!("  (uses {})", config.uses) };
        print_text(&format!("{name}{uses}"));
        let inputs = config.inputs.iter().map(|(input, from)| vec![input.clone(), format!("< {from}")]);
        indented(&table(inputs, &[])).for_each(|line| print_text(&line));
        let value =
            |name: String, value: &Value, from: &String| vec![name, format!("= {value}"), from.clone()];
        let params = config.params.iter().map(|(name, param)| value(name.clone(), &param.value, &param.from));
        let resources = config.resources.iter();
        let resources =
            resources.map(|(name, found)| value(format!("resources.{name}"), &found.value, &found.from));
        let text = table(params.chain(resources), &[]);
        let docs = config.params.values().map(|param| Some(&param.doc)).chain(iter::repeat(None));
        for (line, doc) in indented(&text).zip(docs) {
            print_text(&line);
            if let Some(doc) = doc.filter(|_| self.stage.is_some()) {
                print_text(&format!("      {doc}"));
            }
        }
    }
}

fn indented(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| format!("  {line}"))
}
