//! `callsheet executors`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use callsheet_worker::print::{print_json, print_text, say, table};
use clap::{Args, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::exit::{DAMAGED, SUCCESS};
use crate::declare::{ClassDecl, ExecutorDecl, Project, executors_file};
use crate::run::{ClusterCheck, NodeCheck, check_cluster, detect_executor};

/// List, detect and check the clusters on which stages can run
#[derive(Args)]
#[command(after_help = "\
Executors are declared under [executors.NAME] in callsheet.toml, or in executors.toml in the user's own settings, whose keys
take precedence.

Examples:
  callsheet executors                   list the executors of this project
  callsheet executors detect            print a declaration for the cluster of this machine
  callsheet executors check lab         check the nodes and the shared store with two jobs
  callsheet run --on lab                run on this cluster")]
pub(super) struct Executors {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Print the declaration of an executor for the Slurm of this machine
    Detect {
        /// Name of the executor
        #[arg(default_value = "lab")]
        name: String,
    },
    /// Check with two jobs whether nodes can run stages, and what the file system of the shared store guarantees
    Check {
        /// Name of the executor
        name: String,
        /// Time to wait for the jobs
        #[arg(long, value_name = "TIME", default_value = "10min", value_parser = humantime::parse_duration)]
        wait: Duration,
        /// Print the answers as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Executors {
    pub(super) fn execute(&self) -> Result<u8> {
        match &self.action {
            None => list(),
            Some(Action::Detect { name }) => detect(name),
            Some(Action::Check { name, wait, json }) => check(name, *wait, *json),
        }
    }
}

fn list() -> Result<u8> {
    let executors = Project::find()?.executors()?;
    if executors.is_empty() {
        print_text(
            "no executors are declared; `callsheet executors detect` prints one for the cluster of this machine",
        );
        return Ok(SUCCESS);
    }
    let rows = executors.values().flat_map(rows);
    print_text(&table(rows, &[]));
    Ok(SUCCESS)
}

/// One row for each class of an executor.
fn rows(executor: &ExecutorDecl) -> Vec<Vec<String>> {
    let row = |(number, class): (usize, &ClassDecl)| {
        let name = if number == 0 { executor.name.clone() } else { String::new() };
        let limit = |what: &str, value: Option<String>| {
            value.map(|value| format!("{value} {what}")).unwrap_or_default()
        };
        let gpus = match (&class.gpu_type, class.gpus) {
            (_, 0) => String::new(),
            (Some(kind), count) => format!("{count} GPUs ({kind})"),
            (None, count) => format!("{count} GPUs"),
        };
        vec![
            name,
            class.partition.clone().unwrap_or_else(|| "default partition".to_owned()),
            limit("CPUs", class.cpus.map(|cpus| cpus.to_string())),
            limit("of memory", class.memory.map(|memory| memory.to_string())),
            gpus,
            class.time.map(|time| time.to_string()).unwrap_or_default(),
        ]
    };
    executor.classes.iter().enumerate().map(row).collect()
}

fn detect(name: &str) -> Result<u8> {
    let text = detect_executor(name)?;
    print_text(text.trim_end());
    if let Some(path) = executors_file() {
        say(&format!("write this to callsheet.toml, or to {}", path.display()));
    }
    Ok(SUCCESS)
}

fn check(name: &str, wait: Duration, json: bool) -> Result<u8> {
    let project = Project::find()?;
    let decl = project.executor(name)?;
    let is_stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, is_stopped.clone());
        registered
            .map_err(|error| Error::user_error(Code::Io, format!("cannot listen for Ctrl-C: {error}"), ""))?;
    }
    let checked = check_cluster(&project, &decl, wait, || is_stopped.load(Ordering::Relaxed), say)?;
    if json {
        print_json(&checked);
    } else {
        print_check(&checked);
    }
    let is_usable = |node: &NodeCheck| node.store.as_ref().is_ok_and(|store| store.is_usable());
    Ok(if checked.nodes.iter().all(is_usable) { SUCCESS } else { DAMAGED })
}

fn print_check(checked: &ClusterCheck) {
    let column = |what: &str, of: fn(&NodeCheck) -> String| {
        std::iter::once(what.to_owned()).chain(checked.nodes.iter().map(of)).collect::<Vec<String>>()
    };
    let yes = |can: bool| if can { "yes" } else { "no" }.to_owned();
    let rows = vec![
        column("node", |node| node.node.clone()),
        column("callsheet", |node| node.callsheet.clone()),
        column("CPUs of the job", |node| node.cpus.to_string()),
        column("GPUs", |node| if node.gpus.is_empty() { "none".to_owned() } else { node.gpus.join(",") }),
        column("open files", |node| node.files.clone()),
        std::iter::once("jobs can submit jobs (run --detach)".to_owned())
            .chain(checked.nodes.iter().map(|node| yes(node.sbatch)))
            .collect(),
        std::iter::once("jobs can start again (time limits)".to_owned())
            .chain(checked.nodes.iter().map(|node| yes(node.scontrol)))
            .collect(),
    ];
    print_text(&table(rows, &[]));
    match checked.nodes.first().map(|node| &node.store) {
        Some(Ok(store)) => super::store::print_check(store),
        Some(Err(problem)) => print_text(&format!("the shared store was not checked: {problem}")),
        None => {}
    }
}
