//! `callsheet curate`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::SystemTime;

use callsheet_worker::code::Code;
use callsheet_worker::curation::{Line, Verdict};
use callsheet_worker::error::{Error, IoContext, Result, nearest};
use callsheet_worker::print::{print_json_list, print_text, table};
use clap::{Args, Subcommand};

use super::exit::SUCCESS;
use super::external::inspect;
use super::target::{TargetArgs, sources};
use crate::curation::{Curation, Known, author, check_keys, check_text};
use crate::run::preview;

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
            None => {
                let first = self.rows.keys.first().map_or("", String::as_str);
                let near = nearest(first, ["exclude", "include", "log"]);
                let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
                Err(Error::user_error(
                    Code::MissingArgument,
                    "the command names neither `exclude` nor `include`",
                    format!(
                        "{near}Use `exclude`, `include`, `log` or `--sql`; see `callsheet curate --help`"
                    ),
                ))
            }
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
        if self.reason.is_empty() {
            return Err(Error::user_error(
                Code::MissingArgument,
                "the verdict has no reason",
                "give the reason in one line with --reason",
            ));
        }
        let author = author(self.author.as_deref())?;
        check_text("reason", &self.reason)?;
        check_text("author", &author)?;
        let (project, store, plan, snapshot) = self.which.snapshot()?;
        let curation = Curation::find(&project, &plan)?;
        let mut sources = sources(&project, &store, &plan);
        let previews = preview(&store, &mut sources, &snapshot, &plan)?;
        let Known { column, keys: known } =
            curation.known(&store, &snapshot, &previews, &self.which.options())?;
        let keys = match &self.sql {
            Some(query) => self.select(query, &column)?,
            None => self.keys.clone(),
        };
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let (count, before) = curation.edit(&store, |list| {
            let mut keys = keys;
            let selected = keys.len();
            if self.sql.is_some() {
                // A query may select rows that a curator has judged before.
                keys.retain(|key| list.get(key).is_none_or(|line| line.verdict != verdict));
            }
            check_keys(&keys, &known, list, verdict)?;
            for key in keys.iter().cloned() {
                let reason = self.reason.trim().to_owned();
                list.set(Line { key, verdict, reason, author: author.clone(), time: time.clone() });
            }
            Ok((keys.len(), selected - keys.len()))
        })?;
        let rows = if count == 1 { "row" } else { "rows" };
        let before = if before > 0 { format!("; {before} had this verdict before") } else { String::new() };
        print_text(&format!("{} {count} {rows} in {}{before}", verdict.name(), curation.file()));
        print_text("run `callsheet plan` to preview the effect");
        Ok(SUCCESS)
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

impl Log {
    fn show(&self) -> Result<u8> {
        let (project, plan) = self.which.plan()?;
        let curation = Curation::find(&project, &plan)?;
        let lines = curation.lines()?;
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
        print_text(&format!(
            "{excluded} excluded, {} included in {}",
            lines.len() - excluded,
            curation.file()
        ));
        Ok(SUCCESS)
    }
}
