//! `callsheet curate`.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line, Verdict};
use callsheet_worker::error::{Error, IoContext, Result, suggest};
use callsheet_worker::print::{print_json_list, print_text, table};
use callsheet_worker::table::{read_columns, schema, type_name};
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::external::inspect;
use super::target::{TargetArgs, sources};
use crate::declare::{Project, VerdictsOn};
use crate::plan::{DATASET, Input, Plan, StageInstance, is_one_file};
use crate::run::{StoreSnapshot, preview};
use crate::store::{LockName, Store};

/// Record verdicts on rows: exclude or include them, with a reason
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  callsheet curate exclude order-12 order-13 --reason 'a test order'
  callsheet curate include order-12 --reason 'it was paid'
  callsheet curate --sql \"select order_id from findings where finding = 'empty'\" --reason empty
  callsheet curate log
  callsheet plan            preview the effect of the verdicts, with counts of rows

callsheet writes one verdict per line to a CSV file, e.g. pipelines/curation/<dataset>.csv; keep this file in
git. Verdicts refer to the rows of one table. In stage.toml, the input that reads the file names this table under
`verdicts`; in the pipeline, it is wired to a source with the path of the file. `include` revokes an exclusion,
or records that a row was reviewed and is kept. With --sql and without a command, the selected rows are
excluded."
)]
pub(super) struct Curate {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Subcommand)]
enum Action {
    /// Exclude rows from a dataset
    Exclude(Rows),
    /// Include reviewed rows, or revoke an exclusion
    Include(Rows),
    /// List the verdicts on a dataset
    Log(Log),
}

#[derive(Args)]
struct Rows {
    /// Keys of the rows that get the verdict
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// SQL query that selects the rows; its result must contain the key column of the table to which the
    /// verdicts refer
    #[arg(long, value_name = "QUERY", conflicts_with = "keys")]
    sql: Option<String>,
    /// Reason for the verdict, in one line; required
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Author of the verdict [default: git's user.name, else $USER]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    #[command(flatten)]
    which: TargetArgs,
}

#[derive(Args)]
struct Log {
    #[command(flatten)]
    which: TargetArgs,
    /// Print the verdicts as JSON
    #[arg(long)]
    json: bool,
}

impl Curate {
    pub(super) fn execute(&self) -> Result<u8> {
        match &self.action {
            Some(Action::Exclude(rows)) => rows.judge(Verdict::Exclude),
            Some(Action::Include(rows)) => rows.judge(Verdict::Include),
            Some(Action::Log(log)) => log.show(),
            None if self.rows.sql.is_some() => self.rows.judge(Verdict::Exclude),
            None => Err(Error::user_error(
                Code::MissingArgument,
                "no action is named",
                "use `exclude`, `include`, `log` or `--sql`; see `callsheet curate --help`",
            )),
        }
    }
}

impl Rows {
    fn judge(&self, verdict: Verdict) -> Result<u8> {
        if self.keys.is_empty() && self.sql.is_none() {
            return Err(Error::user_error(
                Code::MissingArgument,
                "no row is named",
                "name rows by their keys, or select them with --sql",
            ));
        }
        let author = self.author()?;
        let found = Verdicts::find(&self.which)?;
        let (column, known) = found.known_keys()?;
        let keys = match &self.sql {
            Some(query) => self.select(query, &column)?,
            None => self.keys.clone(),
        };
        // Without the lock, two commands could overwrite each other's verdicts.
        let _lock = found.store.lock(&LockName::Curation(&found.file), "curate", |_| true)?;
        let path = found.project.root.join(&found.file);
        let mut lines = read(&path)?;
        check_keys(&keys, &known, &lines, verdict)?;
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
        print_text(&format!("{} {} {rows} in {}", verdict.name(), keys.len(), found.file));
        print_text("run `callsheet plan` to preview the effect");
        Ok(SUCCESS)
    }

    /// Returns the name of the curator.
    ///
    /// # Errors
    /// Returns an error if the author or the reason is not one line of text.
    fn author(&self) -> Result<String> {
        let author = author(self.author.as_deref())?;
        for (what, text) in [("reason", &self.reason), ("author", &author)] {
            if text.trim().is_empty() || text.contains(char::is_control) {
                return Err(Error::user_error(
                    Code::InvalidValue,
                    format!("the {what} {text:?} is empty or longer than one line"),
                    format!("give the {what} in one line with --{what}"),
                ));
            }
        }
        Ok(author)
    }

    /// Returns the keys of the rows that a query selects, from the column `column` of its result.
    fn select(&self, query: &str, column: &str) -> Result<Vec<String>> {
        let mut command = inspect()?;
        let program = PathBuf::from(command.get_program());
        command.args(["inspect", &format!("--sql={query}"), "--format", "ndjson"]).args(self.which.to_args());
        let output = command.stderr(Stdio::inherit()).output().io_context("cannot start", program)?;
        if !output.status.success() {
            let help = "correct the query; the error above states the reason";
            return Err(Error::user_error(Code::InvalidValue, "the query failed; nothing was written", help));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let key = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            match row.get(column)? {
                serde_json::Value::String(key) => Some(key.clone()),
                serde_json::Value::Number(key) => Some(key.to_string()),
                _ => None,
            }
        };
        // A query on another table may select the same key several times.
        let keys: Option<BTreeSet<String>> = text.lines().map(key).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(keys.into_iter().collect()),
            Some(_) => Err(Error::user_error(
                Code::Unsupported,
                "the query selects no row; nothing was written",
                "change the query",
            )),
            None => Err(Error::user_error(
                Code::Unsupported,
                format!("the result of the query has no column `{column}` of texts or integers"),
                format!("write the query as `select {column} from ..`"),
            )),
        }
    }
}

/// Returns an error if a key is unknown, is named twice, or already has the verdict.
fn check_keys(keys: &[String], known: &BTreeSet<String>, lines: &[Line], verdict: Verdict) -> Result<()> {
    let mut fresh = BTreeSet::new();
    for key in keys {
        if !known.contains(key) {
            return Err(unknown(key, known));
        }
        if key.is_empty() || key.contains(char::is_control) {
            let message =
                format!("the key {key:?} is empty or contains control characters; nothing was written");
            return Err(Error::user_error(Code::Unsupported, message, "remove this key from the command"));
        }
        if !fresh.insert(key) {
            let message = format!("row `{key}` is named twice; nothing was written");
            return Err(Error::user_error(Code::InvalidValue, message, "name each row once"));
        }
        if let Some(line) = lines.iter().find(|line| line.key == *key && line.verdict == verdict) {
            let Line { reason, author, time, .. } = line;
            return Err(Error::user_error(
                Code::Conflict,
                format!(
                    "nothing was written: row `{key}` already has the verdict `{}` by {author}, \
                     {time}: {reason}",
                    verdict.name()
                ),
                "remove this key from the command",
            ));
        }
    }
    Ok(())
}

impl Log {
    fn show(&self) -> Result<u8> {
        let Verdicts { project, file, .. } = Verdicts::find(&self.which)?;
        let lines = read(&project.root.join(&file))?;
        if self.json {
            print_json_list("verdicts", &lines);
            return Ok(SUCCESS);
        }
        let row = |Line { key, verdict, reason, author, time }: &Line| {
            vec![time.clone(), verdict.name().to_owned(), key.clone(), format!("{reason} ({author})")]
        };
        if !lines.is_empty() {
            print_text(&table(lines.iter().map(row), &[]));
        }
        let excluded = lines.iter().filter(|line| line.verdict == Verdict::Exclude).count();
        print_text(&format!("{excluded} excluded, {} included in {file}", lines.len() - excluded));
        Ok(SUCCESS)
    }
}

/// Verdicts that a pipeline reads.
struct Verdicts {
    project: Project,
    store: Store,
    plan: Plan,
    snapshot: StoreSnapshot,
    /// Path of the verdicts, relative to the project. The file may not exist yet.
    file: String,
}

impl Verdicts {
    /// Finds the file from which the stages of the pipeline read verdicts.
    ///
    /// # Errors
    /// Returns an error if no stage reads verdicts, or the stages do not read all of them from one file.
    fn find(which: &TargetArgs) -> Result<Self> {
        let (project, store, plan, snapshot) = which.snapshot()?;
        let pipeline = &plan.request.target.pipeline;
        let readers: Vec<Reader> = plan.stages.iter().enumerate().flat_map(readers).collect();
        let files: BTreeSet<&str> = readers.iter().map(|reader| reader.file.as_str()).collect();
        let file = match *Vec::from_iter(files) {
            [] => return Err(nobody_reads(pipeline)),
            [file] if is_one_file(file) => file.to_owned(),
            [file] if file.contains(DATASET) => {
                return Err(Error::user_error(
                    Code::MissingArgument,
                    "no dataset is selected",
                    "select the dataset of the verdicts with --dataset",
                ));
            }
            ref several => return Err(several_files(pipeline, several)),
        };
        Ok(Self { project, store, plan, snapshot, file })
    }

    /// Returns the key column, and the keys of all rows to which verdicts can refer.
    fn known_keys(&self) -> Result<(String, BTreeSet<String>)> {
        let Self { project, store, plan, snapshot, file } = self;
        let all: Vec<Reader> = plan.stages.iter().enumerate().flat_map(readers).collect();
        let key = all.first().map(|reader| reader.on.key.clone()).unwrap_or_default();
        let mut sources = sources(project, store, plan);
        let previews = preview(store, &mut sources, snapshot, plan)?;
        let mut known = BTreeSet::new();
        for Reader { position, stage, on, .. } in all {
            let (maker, output) = table_of(plan, position, stage, on)?;
            let maker_name = &plan.stages[maker].name;
            let name = format!("{maker_name}.{output}");
            // A stage that reads the verdicts itself is stale after each new verdict, so its last result is used.
            let last = || snapshot.last(maker_name).map(|head| &head.outputs);
            let made = previews[maker].objects.as_ref().or_else(|| on.output.as_ref().and_then(|_| last()));
            // The last result may be older than the declaration and lack the output.
            let Some(object) = made.and_then(|objects| objects.get(output)) else {
                return Err(Error::user_error(
                    Code::NotComputed,
                    format!(
                        "`{name}`, the table that verdicts refer to, has not been computed with the current \
                         inputs and parameters"
                    ),
                    format!("run `callsheet run {maker_name}`"),
                ));
            };
            known.extend(keys(&store.materialize(object), &on.key, &name)?);
            if on.output.is_some() {
                known.extend(read(&project.root.join(file))?.into_iter().map(|line| line.key));
            }
        }
        Ok((key, known))
    }
}

/// Returns the position of the stage that computes the table to which verdicts refer, and the name of its output.
fn table_of<'a>(
    plan: &Plan,
    position: usize,
    stage: &'a StageInstance,
    on: &'a VerdictsOn,
) -> Result<(usize, &'a String)> {
    match (&on.output, on.input.as_ref().and_then(|input| stage.inputs.get(input))) {
        (Some(output), _) => Ok((position, output)),
        (None, Some(Input::Artifact { stage: maker, output })) => Ok((*maker, output)),
        _ => {
            let input = on.input.as_deref().unwrap_or_default();
            let message = format!(
                "input `{input}` of stage `{}` of pipeline `{}` is not wired to an output of a stage",
                stage.name, plan.request.target.pipeline
            );
            let help =
                "wire the input to an output, because verdicts refer to rows that a stage has computed";
            Err(Error::user_error(Code::Declaration, message, help))
        }
    }
}

fn nobody_reads(pipeline: &str) -> Error {
    Error::user_error(
        Code::Declaration,
        format!("no stage of pipeline `{pipeline}` reads verdicts on a table"),
        "in a stage.toml, declare an input with kind = \"files\" and verdicts = { input = \"INPUT\", \
         key = \"COLUMN\" }; then wire this input to a source",
    )
}

fn several_files(pipeline: &str, paths: &[&str]) -> Error {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    Error::user_error(
        Code::Declaration,
        format!(
            "the stages of pipeline `{pipeline}` read verdicts from {}, but `callsheet curate` writes all verdicts of a \
             pipeline to one file",
            paths.join(" and ")
        ),
        "set the path of the source to one file, e.g. `pipelines/curation/{dataset}.csv`, and wire all inputs to it",
    )
}

/// Reads the lines of the file; empty if the file does not exist.
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
        Error::user_error(
            Code::MissingArgument,
            "the author of the verdict is unknown",
            "name the author with --author, or set `git config user.name`",
        )
    })
}

/// Returns the keys of the rows of the table `name` in the file `path`.
fn keys(path: &Path, column: &str, name: &str) -> Result<Vec<String>> {
    let columns = schema(path)?;
    let Ok(field) = columns.field_with_name(column) else {
        let known = columns.fields().iter().map(|field| field.name().as_str());
        let message = format!("table `{name}` has no column `{column}`, which `verdicts` declares as `key`");
        return Err(Error::user_error(Code::Declaration, message, suggest(column, known)));
    };
    let kind = type_name(field.data_type());
    if kind != "string" && !field.data_type().is_integer() {
        let message = format!("column `{column}` of table `{name}` has the type `{kind}`");
        return Err(Error::user_error(
            Code::Unsupported,
            message,
            "declare a column of texts or integers as the key of verdicts",
        ));
    }
    let rows = read_columns(path, &[column])?;
    let texts = cast(rows.column(0), &DataType::Utf8).expect("every string and integer becomes UTF-8");
    Ok(texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}

/// Input of a stage that reads verdicts.
struct Reader<'a> {
    /// Position of the stage in the plan.
    position: usize,
    stage: &'a StageInstance,
    on: &'a VerdictsOn,
    /// Path of the file of verdicts, relative to the project. It may not exist yet; then this can be a pattern.
    file: String,
}

/// Returns the inputs of a stage that read verdicts and are wired to a source, one for each file.
fn readers((position, stage): (usize, &StageInstance)) -> Vec<Reader<'_>> {
    let mut found = Vec::new();
    for (name, input) in &stage.decl.inputs {
        let Some(on) = &input.verdicts else { continue };
        let files = match stage.inputs.get(name) {
            Some(Input::Source { files, .. }) => {
                files.iter().map(|file| file.display().to_string()).collect()
            }
            Some(_) => Vec::new(),
            None => stage.absent.get(name).cloned().into_iter().collect(),
        };
        found.extend(files.into_iter().map(|file| Reader { position, stage, on, file }));
    }
    found
}

fn unknown(key: &str, known: &BTreeSet<String>) -> Error {
    let message = format!("unknown row `{key}`; nothing was written");
    // The key of a part, such as `a/1`, begins with the key of its whole, `a`.
    let whole = key.rsplit_once('/').map(|(whole, _)| whole).filter(|whole| known.contains(*whole));
    let help = match whole {
        Some(whole) => format!("did you mean `{whole}`?"),
        None => suggest(key, known.iter().map(String::as_str)),
    };
    Error::user_error(Code::UnknownName, message, help)
}
