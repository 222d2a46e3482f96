//! `callsheet inspect`.

use std::path::PathBuf;

use clap::Args;
use miette::{Result, WrapErr, miette};

use crate::artifacts::Which;
use crate::code;
use crate::exit::SUCCESS;
use crate::output::{Format, Output};
use crate::rows::Chosen;
use crate::sql::{Question, ask};
use crate::table::{Table, open};
use crate::{diff, overview, rows};

/// Look into tables: statistics, queries, differences
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet inspect style_clusters.clusters              columns, sizes, statistics, where it came from
  callsheet inspect copied.parquet                       the same of any file, anywhere
  callsheet inspect clusters --head 5                    the first rows by their key
  callsheet inspect clusters --sample 5 --seed 7         some rows, the same for the same seed
  callsheet inspect clusters --where 'cluster = 3 and distance > 0.1'
  callsheet inspect --sql 'select cluster, count(*) as n from clusters group by cluster order by n desc'
  callsheet inspect --sql 'select f.frame_id, c.cluster from pairs f join clusters c using (image_id)'
  callsheet inspect old=a.parquet --sql 'select * from old join grams using (image_id)' --format ndjson
  callsheet inspect --diff latest~1:gram_features.grams gram_features.grams
  callsheet inspect --diff a.parquet b.parquet --key image_id --max-psi 0.2

A table is an artifact, by `stage.output` or by whichever half is unique, as it is now or as a run left it
(`latest~1:clusters`); or a Parquet file, or a folder of them. In --sql the first table is `self` too.
Without --head, --sample, --where or --columns, --format json is that page. JSON has no NaN: it is null there.

Exit codes: 0 done, 1 `--diff`: the tables differ (with --max-psi: a column moved further), 2 refused.")]
pub(crate) struct Inspect {
    /// Tables: artifacts, files, or NAME=either, to name it in --sql
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Only rows of which this is true: an SQL expression
    #[arg(long = "where", value_name = "EXPRESSION", conflicts_with_all = ["sql", "diff"])]
    filter: Option<String>,
    /// Only these columns
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',', conflicts_with_all = ["sql", "diff"])]
    columns: Vec<String>,
    /// Show the first rows, by their key
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["sql", "sample", "diff"])]
    head: Option<usize>,
    /// Show rows drawn by chance
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["sql", "diff"])]
    sample: Option<usize>,
    /// Of that chance
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Show what a query answers
    #[arg(long, value_name = "QUERY", conflicts_with = "diff")]
    sql: Option<String>,
    /// Compare two tables: rows by their key, columns by how they are distributed
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "tables")]
    diff: Option<Vec<String>>,
    /// The column that names rows, for --diff [default: as the footer says]
    #[arg(long, value_name = "COLUMN", requires = "diff")]
    key: Option<String>,
    /// With --diff: only a population stability index beyond this is a difference
    #[arg(long, value_name = "PSI", requires = "diff")]
    max_psi: Option<f64>,
    /// Read wide columns too, however large they are, for the statistics
    #[arg(long)]
    full: bool,
    /// How to print rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rows that a printed table shows at most
    #[arg(long, value_name = "ROWS", default_value_t = 40)]
    limit: usize,
    #[command(flatten)]
    which: Which,
}

impl Inspect {
    pub(crate) fn execute(&self) -> Result<u8> {
        let output = Output { format: self.format, path: self.output.clone(), limit: self.limit };
        let mut artifacts = None;
        if let Some(pair) = &self.diff {
            let tables =
                [open(&pair[0], &self.which, &mut artifacts)?, open(&pair[1], &self.which, &mut artifacts)?];
            return diff::show(&tables, self.key.as_deref(), self.max_psi, &output);
        }
        if let Some(query) = &self.sql {
            let rows = ask(&Question { query, tables: &self.tables, which: &self.which })?;
            output.rows(rows)?;
            return Ok(SUCCESS);
        }
        let [name] = self.tables.as_slice() else {
            return Err(miette!(
                code = code::MISSING_ARGUMENT,
                help = "`callsheet ls` lists artifacts; several tables are for --sql, two for --diff",
                "{} tables are named, and one can be looked at",
                self.tables.len()
            ));
        };
        let table = open(name, &self.which, &mut artifacts)?;
        let chosen = rows::chosen(&table, self.filter.as_deref(), &self.columns)?;
        self.answer(&table, &chosen, &output)
            .wrap_err_with(|| format!("`{}` cannot be shown", table.name))?;
        Ok(SUCCESS)
    }

    fn answer(&self, table: &Table, chosen: &Chosen, output: &Output) -> Result<()> {
        match (self.head, self.sample) {
            (Some(count), _) => output.rows(rows::head(table, chosen, count)?),
            (None, Some(count)) => {
                output.rows(rows::sample(&chosen.frame, chosen.filtered(), count, self.seed)?)
            }
            // Rows that are asked for in a format are wanted themselves; the page is there as JSON too.
            (None, None)
                if self.format != Format::Table
                    && (self.format != Format::Json || self.filter.is_some() || !self.columns.is_empty()) =>
            {
                output.rows(chosen.frame.clone())
            }
            (None, None) => overview::show(table, chosen, self.full, output),
        }
    }
}
