//! Command line of callsheet: one file per subcommand. Only this layer prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "only this layer prints")]

mod attach;
mod candidates;
mod compare;
mod completions;
mod config;
mod curate;
mod datasets;
mod debug;
mod du;
mod executors;
mod exit;
mod explain;
mod external;
mod folder;
mod fresh;
mod gc;
mod graph;
mod hash_progress;
mod init;
mod job;
mod jobs;
mod lineage;
mod log_reporter;
mod logs;
mod ls;
mod man;
mod metrics;
mod new;
mod notify;
mod overview;
mod pin;
mod plan;
mod progress_reporter;
mod read_table;
mod report;
mod run;
mod runs;
mod schema;
mod screen;
mod show;
mod stages;
mod status;
mod store;
mod supervise;
mod target;
mod task;
mod unchanged;
mod verify;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use callsheet_worker::error::{ENTER, IoContext, Result, set_error_format};
use callsheet_worker::print::print_error;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

use exit::REFUSED;
use folder::enter_folder;

const EXAMPLES: &str = "\
Examples:
  callsheet run                                   run the default pipeline, dataset and profile
  callsheet plan --set train.rate=0.2             show what a changed parameter would re-run, and why
  callsheet ls                                    list the artifacts of the pipeline
  callsheet show features.table                   show the origin of an artifact
  callsheet inspect features.table                show columns and statistics of a table
  callsheet run --profile large --dataset mine    run with another profile and dataset

Exit codes: 0 success; 1 a stage failed, or the file of --report or --lineage could not be written
(`verify`: damage found); 2 any other error, e.g. an invalid declaration or a folder without write permission;
3 `plan --check`: not up to date; 130 stopped by Ctrl-C.";

#[derive(Parser)]
#[command(
    name = "callsheet",
    version,
    about = "Run data pipelines and recompute only what changed",
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
struct Cli {
    /// Run as if callsheet was started in this folder
    #[arg(short = 'C', long = "directory", value_name = "FOLDER")]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    Run(run::Run),
    Plan(plan::PlanCommand),
    Status(status::Status),
    Store(store::StoreCommand),
    Executors(executors::Executors),
    Config(config::Config),
    Explain(explain::Explain),
    Debug(debug::Debug),
    Ls(ls::Ls),
    Runs(runs::Runs),
    Attach(attach::Attach),
    Jobs(jobs::Jobs),
    Cancel(jobs::Cancel),
    Logs(logs::Logs),
    Show(show::Show),
    /// Inspect tables: statistics, SQL queries, differences
    Inspect(external::External),
    /// Draw contact sheets (grids of thumbnails) of the images in a table
    Sheet(external::External),
    /// Show plan, runs and artifacts in a browser
    Serve(external::External),
    Datasets(datasets::Datasets),
    Curate(curate::Curate),
    Compare(compare::Compare),
    Report(report::Report),
    Metrics(metrics::Metrics),
    Graph(graph::Graph),
    Stages(stages::Stages),
    Verify(verify::Verify),
    Gc(gc::Gc),
    Du(du::Du),
    Pin(pin::Pin),
    Init(init::Init),
    New(new::New),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(hide = true)]
    Job(job::Job),
    #[command(hide = true)]
    ReadTable(read_table::ReadTable),
    #[command(hide = true)]
    Supervise(supervise::Supervise),
    #[command(external_subcommand)]
    OfProject(Vec<OsString>),
}

/// Reads the command line, and enters the folder that it names. Help lists the commands of the project, too.
fn parse() -> Result<Subcommands> {
    let words = enter_folder(env::args_os().skip(1).collect())?;
    let wants_help = |word: &OsString| HELP.iter().any(|help| word == help);
    if let [help, name] = &words[..]
        && help == HELP[0]
        && external::declares(name)
    {
        return Ok(Subcommands::OfProject(vec![name.clone(), HELP[1].into()]));
    }
    let mut command = Cli::command();
    if words.first().is_none_or(wants_help) {
        command = command.after_help(external::help(EXAMPLES));
    }
    let program = env::args_os().take(1);
    let cli = Cli::from_arg_matches(&command.get_matches_from(program.chain(words)));
    let cli = cli.unwrap_or_else(|error| error.exit());
    if let Some(folder) = &cli.directory {
        env::set_current_dir(folder).io_context(ENTER, folder)?;
    }
    Ok(cli.command)
}

/// Arguments that request help.
const HELP: [&str; 3] = ["help", "--help", "-h"];

/// Runs the program and returns its exit code, one of the constants in `exit`.
pub fn main() -> ExitCode {
    if env::var_os(completions::VARIABLE).is_some() {
        candidates::enter_typed_folder();
    }
    CompleteEnv::with_factory(|| external::with_commands(Cli::command()))
        .var(completions::VARIABLE)
        .complete();
    set_error_format();
    let result = parse().and_then(|command| match command {
        Subcommands::Run(command) => command.execute(),
        Subcommands::Plan(command) => command.execute(),
        Subcommands::Status(command) => command.execute(),
        Subcommands::Store(command) => command.execute(),
        Subcommands::Executors(command) => command.execute(),
        Subcommands::Config(command) => command.execute(),
        Subcommands::Explain(command) => command.execute(),
        Subcommands::Debug(command) => command.execute(),
        Subcommands::Compare(command) => command.execute(),
        Subcommands::Report(command) => command.execute(),
        Subcommands::Metrics(command) => command.execute(),
        Subcommands::Ls(command) => command.execute(),
        Subcommands::Runs(command) => command.execute(),
        Subcommands::Attach(command) => command.execute(),
        Subcommands::Jobs(command) => command.execute(),
        Subcommands::Cancel(command) => command.execute(),
        Subcommands::Logs(command) => command.execute(),
        Subcommands::Show(command) => command.execute(),
        Subcommands::Inspect(command) => command.inspect("inspect"),
        Subcommands::Sheet(command) => command.inspect("sheet"),
        Subcommands::Serve(command) => command.serve(),
        Subcommands::Datasets(command) => command.execute(),
        Subcommands::Curate(command) => command.execute(),
        Subcommands::Graph(command) => command.execute(),
        Subcommands::Stages(command) => command.execute(),
        Subcommands::Verify(command) => command.execute(),
        Subcommands::Gc(command) => command.execute(),
        Subcommands::Du(command) => command.execute(),
        Subcommands::Pin(command) => command.execute(),
        Subcommands::Init(command) => command.execute(),
        Subcommands::New(command) => command.execute(),
        Subcommands::Schema(command) => command.execute(),
        Subcommands::Completions(command) => command.execute(),
        Subcommands::Man(command) => command.execute(Cli::command()),
        Subcommands::Job(command) => command.execute(),
        Subcommands::ReadTable(worker) => worker.execute(),
        Subcommands::Supervise(command) => command.execute(),
        Subcommands::OfProject(words) => external::execute(&words, &Cli::command()),
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_error(error);
            ExitCode::from(REFUSED)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::declare::BUILT_IN;

    #[test]
    fn projects_cannot_declare_the_names_of_built_in_commands() {
        let command = Cli::command();
        let own: BTreeSet<&str> =
            command.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
        assert_eq!(own, BTreeSet::from(BUILT_IN));
    }
}
