//! `callsheet curate`.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use arrow::array::AsArray;
use callsheet_worker::code::Code;
use callsheet_worker::curation::{self, Line, Verdict};
use callsheet_worker::error::{Doing, Error, Result, list, suggest};
use callsheet_worker::print::{print_json, print_text};
use callsheet_worker::table::read_columns;
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::external::inspect;
use super::which::{Which, sources, store};
use crate::declare::ArtifactKind;
use crate::plan::{Input, Stage};
use crate::run::outlook;
use crate::store::Store;

/// Say which frames are left out, and why
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  callsheet curate exclude 'a.mp4#000012' 'a.mp4#000013' --reason 'a bird on the lens'
  callsheet curate include 'a.mp4#000012' --reason 'it is a kite, and far away'
  callsheet curate --sql \"select frame_id from findings where finding = 'black'\" --reason black
  callsheet curate log
  callsheet plan            what follows from it, with counts

Verdicts are lines of pipelines/curation/<dataset>.csv, one a frame, to be kept in git. A frame that is
excluded is in no image and no window; `include` takes that back, or says that a finding was looked at."
)]
pub struct Curate {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    frames: Frames,
}

#[derive(Subcommand)]
enum Action {
    /// Leave frames out
    Exclude(Frames),
    /// Keep frames, or take an exclusion back
    Include(Frames),
    /// Show the verdicts
    Log(Log),
}

#[derive(Args)]
struct Frames {
    /// Frames, as the column `frame_id` names them
    #[arg(value_name = "FRAME_ID")]
    ids: Vec<String>,
    /// The frames that this query selects, in its column `frame_id`
    #[arg(long, value_name = "QUERY", conflicts_with = "ids")]
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
            Some(Action::Exclude(frames)) => frames.judge(Verdict::Exclude),
            Some(Action::Include(frames)) => frames.judge(Verdict::Include),
            Some(Action::Log(log)) => log.show(),
            None if self.frames.sql.is_some() => self.frames.judge(Verdict::Exclude),
            None => Err(Error::refused(
                Code::MissingArgument,
                "what is to be done is missing",
                "curate exclude, curate include, curate --sql, or curate log; `callsheet curate --help`",
            )),
        }
    }
}

impl Frames {
    fn judge(&self, verdict: Verdict) -> Result<u8> {
        if self.ids.is_empty() && self.sql.is_none() {
            return Err(Error::refused(
                Code::MissingArgument,
                "no frame is named",
                "name frames, or select them with --sql",
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
        let known = known_frames(&self.which, &shown)?;
        let ids = match &self.sql {
            Some(query) => self.select(query)?,
            None => self.ids.clone(),
        };
        // Two at once would each write the other's verdicts away.
        let _lock = store.lock(&format!("curation-{dataset}"), "curate", |_| true)?;
        let mut lines = read(&path)?;
        let mut fresh = BTreeSet::new();
        for id in &ids {
            if !known.contains(id) {
                return Err(unknown(id, &known));
            }
            if !fresh.insert(id) {
                let help = "name each frame once; nothing was written".to_owned();
                return Err(Error::refused(Code::InvalidValue, format!("frame `{id}` is named twice"), help));
            }
            if let Some(line) = lines.iter().find(|line| line.frame_id == *id && line.verdict == verdict) {
                let Line { reason, author, date, .. } = line;
                return Err(Error::refused(
                    Code::Conflict,
                    format!(
                        "frame `{id}` has the verdict `{}` already, by {author} on {date}: {reason}",
                        verdict.name()
                    ),
                    "leave it out; nothing was written",
                ));
            }
        }
        let date = humantime::format_rfc3339(SystemTime::now()).to_string()[..10].to_owned();
        for frame_id in ids.iter().cloned() {
            let reason = self.reason.trim().to_owned();
            let line = Line { frame_id, verdict, reason, author: author.clone(), date: date.clone() };
            match lines.iter_mut().find(|found| found.frame_id == line.frame_id) {
                Some(found) => *found = line,
                None => lines.push(line),
            }
        }
        curation::write(&path, &lines)?;
        let frames = if ids.len() == 1 { "frame" } else { "frames" };
        print_text(&format!("{} {} {frames} in {shown}", verdict.name(), ids.len()));
        print_text("`callsheet plan` says what follows");
        Ok(SUCCESS)
    }

    /// The frames that a query selects.
    fn select(&self, query: &str) -> Result<Vec<String>> {
        let mut command = inspect()?;
        let program = PathBuf::from(command.get_program());
        command.args(["inspect", &format!("--sql={query}"), "--format", "ndjson"]).args(self.which.words());
        let output = command.stderr(Stdio::inherit()).output().doing("cannot start", program)?;
        if !output.status.success() {
            return Err(Error::refused(Code::InvalidValue, "the query failed; nothing was written", ""));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let id = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(row.get("frame_id")?.as_str()?.to_owned())
        };
        // Of images, a frame is selected as often as it has some.
        let ids: Option<BTreeSet<String>> = text.lines().map(id).collect();
        match ids {
            Some(ids) if !ids.is_empty() => Ok(ids.into_iter().collect()),
            Some(_) => {
                Err(Error::refused(Code::Unsupported, "the query selects no frame", "nothing was written"))
            }
            None => Err(Error::refused(
                Code::Unsupported,
                "the query has no column of text `frame_id`",
                "select frame_id from .. ; of images `frame_id` stands beside `image_id`",
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
        let width = lines.iter().map(|line| line.frame_id.len()).max().unwrap_or(0);
        for Line { frame_id, verdict, reason, author, date } in &lines {
            print_text(&format!("{date}  {:<8} {frame_id:<width$}  {reason} ({author})", verdict.name()));
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

/// Ids of the frames that a verdict can be on: those of the table beside which a stage reads them.
fn known_frames(which: &Which, file: &str) -> Result<BTreeSet<String>> {
    let (project, store, plan, survey) = which.survey()?;
    let pipeline = &plan.request.pipeline;
    let mut readers = plan.stages.iter().filter_map(|stage| Some((stage, verdicts_of(stage)?)));
    let Some((reader, read)) = readers.next() else {
        return Err(Error::refused(
            Code::Declaration,
            format!("no stage of pipeline `{pipeline}` reads verdicts"),
            "a stage that does has an input `curation`, wired to a source, beside a table of frames",
        ));
    };
    if read != file {
        return Err(Error::refused(
            Code::Declaration,
            format!("stage `{}` reads verdicts from {read}, and they are written to {file}", reader.name),
            "let the source's path be pipelines/curation/{dataset}.csv",
        ));
    }
    let table = reader.inputs.iter().find_map(|(name, input)| match input {
        Input::Artifact { stage, output } if reader.decl.inputs[name].kind == ArtifactKind::Table => {
            Some((*stage, output))
        }
        _ => None,
    });
    let mut sources = sources(&project, &store, &plan);
    let prospects = outlook(&store, &mut sources, &survey, &plan)?;
    let Some((stage, output)) = table else {
        return Err(Error::refused(
            Code::Declaration,
            format!("stage `{}` reads no table of frames", reader.name),
            "",
        ));
    };
    let name = format!("{}.{output}", plan.stages[stage].name);
    let Some(objects) = &prospects[stage].objects else {
        return Err(Error::refused(
            Code::NotComputed,
            format!("`{name}` is not there yet with these parameters: it tells which frames there are"),
            format!("`callsheet run {}` makes it", plan.stages[stage].name),
        ));
    };
    let path = store.object_path(&objects[output]);
    let rows = read_columns(&path, &["frame_id"])?;
    let ids = rows.column(0).as_string_opt::<i32>();
    let ids = ids.ok_or_else(|| {
        Error::refused(Code::Unsupported, format!("`frame_id` of `{name}` is not a text column"), "")
    })?;
    Ok(ids.iter().flatten().map(str::to_owned).collect())
}

/// The file that a stage reads verdicts from, whether it is there or not.
fn verdicts_of(stage: &Stage) -> Option<String> {
    match stage.inputs.get("curation") {
        Some(Input::Source { files, .. }) => Some(files.first()?.display().to_string()),
        Some(_) => None,
        None => stage.absent.get("curation").cloned(),
    }
}

fn unknown(id: &str, known: &BTreeSet<String>) -> Error {
    let message = format!("there is no frame `{id}`; nothing was written");
    let frame = id.rsplit_once('/').map(|(frame, _)| frame).filter(|frame| known.contains(*frame));
    match frame {
        Some(frame) => {
            Error::refused(Code::UnknownName, message, format!("that is an image; its frame is `{frame}`"))
        }
        None if known.is_empty() => Error::refused(Code::UnknownName, message, list([])),
        None => Error::refused(Code::UnknownName, message, suggest(id, known.iter().map(String::as_str))),
    }
}
