//! `callsheet curate`.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use arrow::array::AsArray;
use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line, Verdict};
use callsheet_worker::error::{Doing, Error, Result, suggest};
use callsheet_worker::print::{print_json, print_text};
use callsheet_worker::table::read_columns;
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::external::inspect;
use super::which::{Which, sources, store};
use crate::declare::VerdictsOn;
use crate::plan::{Input, Stage};
use crate::run::outlook;
use crate::store::Store;

/// Write which rows of a table are left out, and why
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  callsheet curate exclude order-12 order-13 --reason 'a test order'
  callsheet curate include order-12 --reason 'it was paid'
  callsheet curate --sql \"select order_id from findings where finding = 'empty'\" --reason empty
  callsheet curate log
  callsheet plan            what follows from it, with counts

Verdicts are lines of pipelines/curation/<dataset>.csv, one for each row, to be kept in git. They are on the table that a
stage names under `verdicts` beside the input that reads them. `include` takes an exclusion back, or says that a row was
looked at."
)]
pub struct Curate {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Subcommand)]
enum Action {
    /// Leave rows out
    Exclude(Rows),
    /// Keep rows, or take an exclusion back
    Include(Rows),
    /// Show the verdicts
    Log(Log),
}

#[derive(Args)]
struct Rows {
    /// Keys of the rows
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Take the rows that this query selects, by its column of keys
    #[arg(long, value_name = "QUERY", conflicts_with = "keys")]
    sql: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Who says so [default: git's user.name, else $USER]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
struct Log {
    #[command(flatten)]
    which: Which,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Curate {
    pub fn execute(&self) -> Result<u8> {
        match &self.action {
            Some(Action::Exclude(rows)) => rows.judge(Verdict::Exclude),
            Some(Action::Include(rows)) => rows.judge(Verdict::Include),
            Some(Action::Log(log)) => log.show(),
            None if self.rows.sql.is_some() => self.rows.judge(Verdict::Exclude),
            None => Err(Error::refused(
                Code::MissingArgument,
                "what is to be done is missing",
                "curate exclude, curate include, curate --sql, or curate log; `callsheet curate --help`",
            )),
        }
    }
}

impl Rows {
    fn judge(&self, verdict: Verdict) -> Result<u8> {
        if self.keys.is_empty() && self.sql.is_none() {
            return Err(Error::refused(
                Code::MissingArgument,
                "no row is named",
                "name rows by their keys, or select them with --sql",
            ));
        }
        let author = author(self.author.as_deref())?;
        for (what, text) in [("reason", &self.reason), ("author", &author)] {
            if text.trim().is_empty() || text.contains(char::is_control) {
                return Err(Error::refused(
                    Code::InvalidValue,
                    format!("the {what} {text:?} is empty, or more than a line"),
                    format!("say it in one line with --{what}, for those who read it in a year"),
                ));
            }
        }
        let Verdicts { store, dataset, path, shown } = Verdicts::find(&self.which)?;
        let (column, known) = known_keys(&self.which, &shown)?;
        let keys = match &self.sql {
            Some(query) => self.select(query, &column)?,
            None => self.keys.clone(),
        };
        // Two at once would each write the other's verdicts away.
        let _lock = store.lock(&format!("curation-{dataset}"), "curate", |_| true)?;
        let mut lines = read(&path)?;
        let mut fresh = BTreeSet::new();
        for key in &keys {
            if !known.contains(key) {
                return Err(unknown(key, &known));
            }
            if !fresh.insert(key) {
                let help = "name each row once; nothing was written".to_owned();
                return Err(Error::refused(Code::InvalidValue, format!("row `{key}` is named twice"), help));
            }
            if let Some(line) = lines.iter().find(|line| line.key == *key && line.verdict == verdict) {
                let Line { reason, author, time, .. } = line;
                return Err(Error::refused(
                    Code::Conflict,
                    format!(
                        "row `{key}` has the verdict `{}` already, by {author}, {time}: {reason}",
                        verdict.name()
                    ),
                    "leave it out; nothing was written",
                ));
            }
        }
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        for key in keys.iter().cloned() {
            let reason = self.reason.trim().to_owned();
            let line = Line { key, verdict, reason, author: author.clone(), time: time.clone() };
            match lines.iter_mut().find(|found| found.key == line.key) {
                Some(found) => *found = line,
                None => lines.push(line),
            }
        }
        curation::write(&path, &lines)?;
        let rows = if keys.len() == 1 { "row" } else { "rows" };
        print_text(&format!("{} {} {rows} in {shown}", verdict.name(), keys.len()));
        print_text("`callsheet plan` says what follows");
        Ok(SUCCESS)
    }

    /// Keys of the rows that a query selects, by its column of that name.
    fn select(&self, query: &str, column: &str) -> Result<Vec<String>> {
        let mut command = inspect()?;
        let program = PathBuf::from(command.get_program());
        command.args(["inspect", &format!("--sql={query}"), "--format", "ndjson"]).args(self.which.words());
        let output = command.stderr(Stdio::inherit()).output().doing("cannot start", program)?;
        if !output.status.success() {
            return Err(Error::refused(Code::InvalidValue, "the query failed; nothing was written", ""));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let key = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(row.get(column)?.as_str()?.to_owned())
        };
        // A query on another table may select a key several times.
        let keys: Option<BTreeSet<String>> = text.lines().map(key).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(keys.into_iter().collect()),
            Some(_) => {
                Err(Error::refused(Code::Unsupported, "the query selects no row", "nothing was written"))
            }
            None => Err(Error::refused(
                Code::Unsupported,
                format!("the query has no column of text `{column}`"),
                format!("select {column} from .."),
            )),
        }
    }
}

impl Log {
    fn show(&self) -> Result<u8> {
        let Verdicts { path, shown, .. } = Verdicts::find(&self.which)?;
        let lines = read(&path)?;
        if self.json {
            print_json(&lines);
            return Ok(SUCCESS);
        }
        let width = lines.iter().map(|line| line.key.len()).max().unwrap_or(0);
        for Line { key, verdict, reason, author, time } in &lines {
            print_text(&format!("{time:<20}  {:<8} {key:<width$}  {reason} ({author})", verdict.name()));
        }
        let excluded = lines.iter().filter(|line| line.verdict == Verdict::Exclude).count();
        print_text(&format!("{excluded} excluded, {} included in {shown}", lines.len() - excluded));
        Ok(SUCCESS)
    }
}

/// The verdicts on a dataset.
struct Verdicts {
    store: Store,
    dataset: String,
    path: PathBuf,
    /// The path below the project.
    shown: String,
}

impl Verdicts {
    fn find(which: &Which) -> Result<Self> {
        let (project, request) = which.request()?;
        let (dataset, known) = (request.dataset, project.dataset_names());
        if dataset.is_empty() {
            return Err(Error::refused(
                Code::MissingArgument,
                "no dataset is named",
                "verdicts are of a dataset: name it with --dataset",
            ));
        }
        if !known.contains(&dataset) {
            let help = suggest(&dataset, known.iter().map(String::as_str));
            return Err(Error::refused(Code::UnknownName, format!("there is no dataset `{dataset}`"), help));
        }
        let path = project.pipelines.join("curation").join(format!("{dataset}.csv"));
        let shown = path.display().to_string();
        Ok(Self { store: store(&project), dataset, path: project.root.join(path), shown })
    }
}

/// The lines of the file, if there is one.
fn read(path: &Path) -> Result<Vec<Line>> {
    if path.exists() { curation::read(path) } else { Ok(Vec::new()) }
}

fn author(said: Option<&str>) -> Result<String> {
    let git = || {
        let output = Command::new("git").args(["config", "user.name"]).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|name| !name.is_empty())
    };
    let user = || env::var("USER").ok().filter(|name| !name.is_empty());
    said.map(str::to_owned).or_else(git).or_else(user).ok_or_else(|| {
        Error::refused(
            Code::MissingArgument,
            "it is not known who you are",
            "say it with --author, or `git config user.name`",
        )
    })
}

/// The column of keys that a verdict can be on, and the keys in it: of the table that a stage names beside the verdicts.
fn known_keys(which: &Which, file: &str) -> Result<(String, BTreeSet<String>)> {
    let (project, store, plan, survey) = which.survey()?;
    let pipeline = &plan.request.pipeline;
    let mut readers = plan.stages.iter().filter_map(|stage| Some((stage, verdicts_of(stage)?)));
    let Some((reader, (on, read))) = readers.next() else {
        return Err(Error::refused(
            Code::Declaration,
            format!("no stage of pipeline `{pipeline}` reads verdicts on a table"),
            "a stage that does has an input of files with `verdicts = { input = .., key = .. }`, wired to a source",
        ));
    };
    if read != file {
        return Err(Error::refused(
            Code::Declaration,
            format!("stage `{}` reads verdicts from {read}, and they are written to {file}", reader.name),
            "let the source's path be pipelines/curation/{dataset}.csv",
        ));
    }
    let mut sources = sources(&project, &store, &plan);
    let prospects = outlook(&store, &mut sources, &survey, &plan)?;
    let Some(Input::Artifact { stage, output }) = reader.inputs.get(&on.input) else {
        let message = format!("input `{}` of stage `{}` is not wired to a table", on.input, reader.name);
        return Err(Error::refused(Code::Declaration, message, "verdicts are on its rows"));
    };
    let name = format!("{}.{output}", plan.stages[*stage].name);
    let Some(objects) = &prospects[*stage].objects else {
        return Err(Error::refused(
            Code::NotComputed,
            format!("`{name}` is not computed yet with these parameters: its rows are what verdicts are on"),
            format!("`callsheet run {}` computes it", plan.stages[*stage].name),
        ));
    };
    let path = store.object_path(&objects[output]);
    let rows = read_columns(&path, &[&on.key])?;
    let keys = rows.column(0).as_string_opt::<i32>();
    let keys = keys.ok_or_else(|| {
        Error::refused(Code::Unsupported, format!("`{}` of `{name}` is not a text column", on.key), "")
    })?;
    Ok((on.key.clone(), keys.iter().flatten().map(str::to_owned).collect()))
}

/// What the verdicts are on that a stage reads, and the file that it reads them from, whether it is there or not.
fn verdicts_of(stage: &Stage) -> Option<(&VerdictsOn, String)> {
    let (name, input) = stage.decl.inputs.iter().find(|(_, input)| input.verdicts.is_some())?;
    let file = match stage.inputs.get(name) {
        Some(Input::Source { files, .. }) => files.first()?.display().to_string(),
        Some(_) => return None,
        None => stage.absent.get(name)?.clone(),
    };
    Some((input.verdicts.as_ref()?, file))
}

fn unknown(key: &str, known: &BTreeSet<String>) -> Error {
    let message = format!("there is no row `{key}`; nothing was written");
    // Keys of parts begin with those of what they are parts of.
    let whole = key.rsplit_once('/').map(|(whole, _)| whole).filter(|whole| known.contains(*whole));
    let help = match whole {
        Some(whole) => format!("did you mean `{whole}`?"),
        None => suggest(key, known.iter().map(String::as_str)),
    };
    Error::refused(Code::UnknownName, message, help)
}
