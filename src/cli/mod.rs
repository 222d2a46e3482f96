//! The command line: one file per subcommand. Nothing outside this folder prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing is done")]

mod bars;
mod compare;
mod completions;
mod config;
mod curate;
mod du;
mod explain;
mod external;
mod gc;
mod graph;
mod guard;
mod init;
mod lineage;
mod lines;
mod ls;
mod metrics;
mod pin;
mod plan;
mod report;
mod run;
mod schema;
mod show;
mod stages;
mod verify;

use bars::Bars;
use lines::Lines;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::{self, ExitCode};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::code::Code;
use crate::declare::Project;
use crate::error::{Error, Result, set_error_format};
use crate::event::Event;
use crate::plan::{Plan, Request, Selection, resolve};
use crate::run::Survey;
use crate::store::{Sources, Store};
use crate::words::{human_seconds, title};

/// Everything went well; nothing had to be done counts as well.
pub const SUCCESS: u8 = 0;
/// A stage failed.
pub const STAGE_FAILED: u8 = 1;
/// `verify`: something in the store is damaged.
pub const DAMAGED: u8 = 1;
/// The command line or a declaration is wrong; nothing was started.
pub const REFUSED: u8 = 2;
/// `plan --check`: something would run.
pub const WOULD_RUN: u8 = 3;
/// The user stopped the run.
pub const STOPPED: u8 = 130;

const EXAMPLES: &str = "\
Examples:
  callsheet run                                   the default pipeline, dataset and profile
  callsheet plan --set train_encoder.margin=0.2   what that change would cost, and why
  callsheet ls                                    the artifacts that there are
  callsheet show gram_features.grams              where one came from
  callsheet inspect style_clusters.clusters       what is in one
  callsheet run --profile paper --dataset space_needle

Exit codes: 0 done, 1 a stage failed or what was asked for could not be written (`verify`: damage found),
2 refused (wrong declaration, unwritable folder), 3 `plan --check`: not up to date, 130 stopped by Ctrl-C.";

#[derive(Parser)]
#[command(
    name = "callsheet",
    version,
    about = "Runs data pipelines and pays only for what changed",
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    Run(run::Run),
    Plan(plan::PlanCommand),
    Config(config::Config),
    Explain(explain::Explain),
    Ls(ls::Ls),
    Show(show::Show),
    /// Look into tables: statistics, queries, differences
    Inspect(external::External),
    /// Which datasets there are, and whether their raw files are whole
    Dataset(external::External),
    /// Which weight files there are: source, checksum, and what input their networks want
    Weights(external::External),
    /// Translate images with a trained model: transfer, sample or interpolate styles
    Translate(external::External),
    /// Measure how far images are from others (PSNR, SSIM and LPIPS), or from each other (LPIPS)
    Measure(external::External),
    /// Tell what people answered in a user study: preferences, intervals, agreement
    Study(external::External),
    /// Draw contact sheets of a table's images
    Sheet(external::External),
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
    Schema(schema::Schema),
    Completions(completions::Completions),
    #[command(hide = true)]
    Guard(guard::Guard),
}

/// Which pipeline, over which data, how large.
#[derive(Args, Clone)]
struct Which {
    /// Pipeline: a file in pipelines/ [default: as callsheet.toml says]
    #[arg(short, long, env = "CALLSHEET_PIPELINE")]
    pipeline: Option<String>,
    /// Dataset: a file in pipelines/datasets/ [default: as callsheet.toml says]
    #[arg(short, long, env = "CALLSHEET_DATASET")]
    dataset: Option<String>,
    /// Profile: a file in pipelines/profiles/ [default: as callsheet.toml says]
    #[arg(short = 'P', long, env = "CALLSHEET_PROFILE")]
    profile: Option<String>,
    /// Set a parameter, over every file; may be repeated
    #[arg(long, value_name = "STAGE.PARAM=VALUE")]
    set: Vec<String>,
}

/// Which of its stages; what they need is taken along.
#[derive(Args, Clone)]
struct Select {
    /// Stages to end with: `train`, one instance `train@v4-0`, a pattern `train@v4-*` [default: all]
    #[arg(value_name = "STAGE")]
    stages: Vec<String>,
    /// Begin with this stage: it, and what depends on it
    #[arg(long, value_name = "STAGE")]
    from: Vec<String>,
    /// End with this stage, as if it were named alone
    #[arg(long, value_name = "STAGE")]
    until: Vec<String>,
    /// Compute nothing but this stage; what it reads must be in the store
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
}

impl Select {
    fn selection(&self) -> Selection {
        Selection {
            until: self.stages.iter().chain(&self.until).cloned().collect(),
            from: self.from.clone(),
            only: self.only.clone(),
        }
    }
}

impl Which {
    fn resolve(&self) -> Result<Plan> {
        let (project, request) = self.request()?;
        resolve(&project, &request)
    }

    /// Resolves the plan and looks at what there is of it, side by side.
    fn survey(&self) -> Result<(Project, Store, Plan, Survey)> {
        let (project, request) = self.request()?;
        let store = store(&project);
        let (plan, survey) = survey(&project, &store, &request)?;
        Ok((project, store, plan, survey))
    }

    /// The same, for another command line.
    fn words(&self) -> Vec<String> {
        let named =
            [("--pipeline", &self.pipeline), ("--dataset", &self.dataset), ("--profile", &self.profile)];
        let named = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        let set = self.set.iter().map(|set| ["--set".to_owned(), set.clone()]);
        named.chain(set).flatten().collect()
    }

    fn request(&self) -> Result<(Project, Request)> {
        let project = Project::find()?;
        let or = |said: &Option<String>, default: &str| said.clone().unwrap_or_else(|| default.to_owned());
        let request = Request {
            pipeline: or(&self.pipeline, &project.defaults.pipeline),
            dataset: or(&self.dataset, &project.defaults.dataset),
            profile: or(&self.profile, &project.defaults.profile),
            set: self.set.clone(),
        };
        if request.pipeline.is_empty() {
            return Err(Error::refused(
                Code::MissingArgument,
                "no pipeline is named",
                format!(
                    "name one with --pipeline, or as `pipeline` under [defaults] in callsheet.toml (known: {})",
                    project.pipeline_names().join(", ")
                ),
            ));
        }
        Ok((project, request))
    }
}

fn store(project: &Project) -> Store {
    Store::new(project.data.join("store"))
}

fn survey(project: &Project, store: &Store, request: &Request) -> Result<(Plan, Survey)> {
    let (plan, survey) = rayon::join(
        || resolve(project, request),
        || Survey::new(store, &project.data, &request.pipeline, &request.dataset),
    );
    Ok((plan?, survey))
}

/// What the store knows of raw files; those that it does not know are hashed, which is shown if it
/// takes long, and remembered.
fn sources(project: &Project, store: &Store, plan: &Plan) -> Sources {
    let mut sources = Sources::load(store, &project.root);
    let mut bars = std::io::stderr().is_terminal().then(|| Bars::new(Lines::default()));
    sources.learn(&plan.raw_files(), |done, total| {
        bars.iter_mut().for_each(|bars| bars.report(&Event::Hashing { done, total }));
        true
    });
    bars.iter_mut().for_each(Bars::clear);
    // A store that cannot be written can be looked at all the same.
    let _ = sources.save(store);
    sources
}

/// Runs the program; the exit codes are this module's constants.
pub fn main() -> ExitCode {
    set_error_format();
    let result = match Cli::parse().command {
        Subcommands::Run(command) => command.execute(),
        Subcommands::Plan(command) => command.execute(),
        Subcommands::Config(command) => command.execute(),
        Subcommands::Explain(command) => command.execute(),
        Subcommands::Compare(command) => command.execute(),
        Subcommands::Report(command) => command.execute(),
        Subcommands::Metrics(command) => command.execute(),
        Subcommands::Measure(command) => command.execute(&external::STAGES, "measure"),
        Subcommands::Study(command) => command.execute(&external::STAGES, "study"),
        Subcommands::Translate(command) => command.execute(&external::STAGES, "translate"),
        Subcommands::Ls(command) => command.execute(),
        Subcommands::Show(command) => command.execute(),
        Subcommands::Inspect(command) => command.execute(&external::INSPECT, "inspect"),
        Subcommands::Weights(command) => command.execute(&external::STAGES, "weights"),
        Subcommands::Dataset(command) => command.execute(&external::STAGES, "dataset"),
        Subcommands::Sheet(command) => command.execute(&external::INSPECT, "sheet"),
        Subcommands::Curate(command) => command.execute(),
        Subcommands::Graph(command) => command.execute(),
        Subcommands::Stages(command) => command.execute(),
        Subcommands::Verify(command) => command.execute(),
        Subcommands::Gc(command) => command.execute(),
        Subcommands::Du(command) => command.execute(),
        Subcommands::Pin(command) => command.execute(),
        Subcommands::Init(command) => command.execute(),
        Subcommands::Schema(command) => command.execute(),
        Subcommands::Completions(command) => command.execute(),
        Subcommands::Guard(command) => command.execute(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_error(error);
            ExitCode::from(REFUSED)
        }
    }
}

fn print_error(error: Error) {
    say(&format!("{:?}", miette::Report::new(error)));
}

/// Prints a value to stdout as JSON.
pub fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("what is printed is plain data");
    print_text(&text);
}

/// Prints a line to stdout; a reader that has gone away (`| head`) is no error. Where it cannot be written otherwise, as on
/// a full disk, the program ends here.
pub fn print_text(text: &str) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("cannot write to stdout: {error}"));
            process::exit(STAGE_FAILED.into());
        }
        _ => {}
    }
}

/// Prints a line to stderr; a log on a full disk is no reason to panic.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
