//! `callsheet ls`.

use callsheet_worker::error::Result;
use callsheet_worker::print::{print_json_list, print_text, table};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

use super::candidates;
use super::exit::SUCCESS;
use super::runs;
use super::target::{TargetArgs, sources};
use crate::declare::{ArtifactKind, Bytes, Project};
use crate::report::find_run;
use crate::run::preview;
use crate::store::Store;
use callsheet_figures::label::{counted, human_seconds};

/// List the artifacts of a pipeline for one dataset, or list the runs
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet ls
  callsheet ls --run latest~1       the artifacts of the run before the latest
  callsheet ls --json | jq -r '.artifacts[].path'")]
pub(super) struct Ls {
    #[command(flatten)]
    which: TargetArgs,
    /// List the runs instead of the artifacts, as `callsheet runs` does
    #[arg(long)]
    runs: bool,
    /// List the artifacts of this run: its id, a prefix of its id, `latest`, or `latest~1` for the run before
    /// the latest
    #[arg(long, value_name = "RUN", conflicts_with = "runs", add = ArgValueCompleter::new(candidates::runs))]
    run: Option<String>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    artifact: String,
    kind: ArtifactKind,
    rows: Option<u64>,
    bytes: Option<u64>,
    seconds: Option<f64>,
    path: Option<String>,
    /// Reason if the artifact is not in the store: it is stale, or has not been computed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<String>,
    based_on: Vec<String>,
}

impl Ls {
    pub(super) fn execute(&self) -> Result<u8> {
        if self.runs {
            runs::list(&Store::of(&Project::find()?)?, self.json);
            return Ok(SUCCESS);
        }
        if let Some(run) = &self.run {
            return self.list_run(run);
        }
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let out = plan.request.target.out(&project.data);
        let (mut rows, mut elsewhere) = (Vec::new(), 0);
        for (stage, preview) in plan.stages.iter().zip(&previews) {
            for (output, decl) in &stage.decl.outputs {
                let object = preview.objects.as_ref().map(|objects| &objects[output]);
                // The view in data/out shows the latest result, which may belong to other parameters.
                let file = object.map_or(&*decl.path, |object| object.shown_as(&decl.path));
                let view = out.join(&stage.name).join(file);
                let path = object.map(|object| {
                    let object = store.materialize(object);
                    let shown =
                        view.canonicalize().is_ok_and(|at| object.canonicalize().is_ok_and(|o| o == at));
                    elsewhere += usize::from(!shown);
                    if shown { view } else { object.into() }
                });
                rows.push(Row {
                    artifact: format!("{}.{output}", stage.name),
                    kind: decl.kind,
                    rows: object.and_then(|o| o.rows),
                    bytes: object.map(|o| o.size),
                    seconds: object.and(preview.seconds),
                    lacks: preview.lacks(),
                    path: path.map(|path| path.display().to_string()),
                    based_on: stage.labels.iter().cloned().collect(),
                });
            }
        }
        self.print(&rows);
        if !self.json {
            let place = match (rows.iter().any(|row| row.lacks.is_none()), elsewhere) {
                (false, _) => "no artifact is in the store; `callsheet run` computes them".to_owned(),
                (_, 0) => format!("the artifacts are in {}", out.display()),
                _ if !self.which.set.is_empty() => {
                    "results of --set are not shown in data/out; --json prints their paths".to_owned()
                }
                (_, count) => format!(
                    "{} in {}: `callsheet run` shows them there; --json prints their paths",
                    counted(count as u64, "artifact") + if count == 1 { " is not" } else { " are not" },
                    out.display()
                ),
            };
            print_text(&place);
        }
        Ok(SUCCESS)
    }

    /// Lists the results of a run that are still in the store.
    fn list_run(&self, name: &str) -> Result<u8> {
        let store = Store::of(&Project::find()?)?;
        let run = find_run(&store, name)?.run;
        let mut rows = Vec::new();
        for (stage, result) in &run.stages {
            let Some(record) = result.key.and_then(|key| store.record(&key)) else { continue };
            for (output, object) in &record.outputs {
                rows.push(Row {
                    artifact: format!("{stage}.{output}"),
                    kind: object.kind,
                    rows: object.rows,
                    bytes: Some(object.size),
                    seconds: Some(record.provenance.seconds),
                    lacks: None,
                    path: Some(std::path::PathBuf::from(store.materialize(object)))
                        .filter(|p| p.exists())
                        .map(|p| p.display().to_string()),
                    based_on: record.key.labels.iter().cloned().collect(),
                });
            }
        }
        self.print(&rows);
        Ok(SUCCESS)
    }

    fn print(&self, rows: &[Row]) {
        if self.json {
            return print_json_list("artifacts", &rows);
        }
        let header = ["artifact", "kind", "rows", "size", "took"].map(str::to_owned).to_vec();
        let line = |row: &Row| {
            let count = row.rows.map(|rows| rows.to_string()).unwrap_or_default();
            let size = row.bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string());
            let took = row.seconds.map(human_seconds);
            let took = row.lacks.clone().or(took).unwrap_or_default();
            vec![row.artifact.clone(), format!("{:?}", row.kind).to_lowercase(), count, size, took]
        };
        print_text(&table([header].into_iter().chain(rows.iter().map(line)), &[2, 3]));
        if let Some(row) = rows.iter().find(|row| !row.based_on.is_empty()) {
            print_text(&format!("\nbased on: {}", row.based_on.join(", ")));
        }
    }
}
