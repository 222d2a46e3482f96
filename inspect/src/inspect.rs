//! `callsheet inspect`: statistics, queries and differences of tables.

use std::path::PathBuf;

use clap::Args;
use miette::{Result, WrapErr, miette};

use crate::artifacts::TargetArgs;
use crate::code;
use crate::exit::SUCCESS;
use crate::output::{Format, Output};
use crate::rows::Chosen;
use crate::sql::{Question, ask};
use crate::table::{Table, open};
use crate::{diff, overview, rows};

/// Inspect tables: statistics, SQL queries, differences
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet inspect style_clusters.clusters              columns, sizes, statistics, and origin of a table
  callsheet inspect copied.parquet                       any Parquet file, even outside a project
  callsheet inspect clusters --head 5                    the first rows, ordered by the key column
  callsheet inspect clusters --sample 5 --seed 7         random rows; equal seeds select equal rows
  callsheet inspect clusters --where 'cluster = 3 and distance > 0.1'
  callsheet inspect --sql 'select cluster, count(*) as n from clusters group by cluster order by n desc'
  callsheet inspect --sql 'select f.frame_id, c.cluster from pairs f join clusters c using (image_id)'
  callsheet inspect old=a.parquet --sql 'select * from old join grams using (image_id)' --format ndjson
  callsheet inspect --diff latest~1:gram_features.grams gram_features.grams
  callsheet inspect --diff a.parquet b.parquet --key image_id --max-psi 0.2

A table is an artifact, a Parquet file, or a folder of Parquet files. An artifact is named `stage.output`, or
only `stage` or only `output` if that name is unique. `latest~1:clusters` is the artifact `clusters` of the
run before the latest. In --sql, `self` is an alias for the first table on the command line. `--format json`
prints the overview of a table, unless --head, --sample, --where or --columns is given. In JSON, NaN becomes
null.

Exit codes: 0 success; 1 with --diff: the tables differ (with --max-psi: the index of a column exceeds PSI, or
the tables have different columns); 2 error.")]
pub(crate) struct Inspect {
    /// Tables: artifacts or files; NAME=TABLE gives a table a name for --sql
    #[arg(value_name = "TABLE")]
    tables: Vec<String>,
    /// Use only rows for which this SQL expression is true
    #[arg(long = "where", value_name = "EXPRESSION", conflicts_with_all = ["sql", "diff"])]
    filter: Option<String>,
    /// Use only these columns
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',', conflicts_with_all = ["sql", "diff"])]
    columns: Vec<String>,
    /// Show the first ROWS rows, ordered by the table's key column if it has one; without ROWS, 10 rows
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["sql", "sample", "diff"])]
    head: Option<usize>,
    /// Show ROWS random rows; without ROWS, 10 rows
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["sql", "diff"])]
    sample: Option<usize>,
    /// Seed of --sample
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Show the result of an SQL query
    #[arg(long, value_name = "QUERY", conflicts_with = "diff")]
    sql: Option<String>,
    /// Compare two tables: rows by their key, columns by their distribution
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "tables")]
    diff: Option<Vec<String>>,
    /// Column that identifies rows, for --diff [default: the key column that the footer of A names, else the
    /// first column with unique values whose name ends in `id`]
    #[arg(long, value_name = "COLUMN", requires = "diff")]
    key: Option<String>,
    /// With --diff: exit with code 1 only if the population stability index (PSI) of a column exceeds this
    /// limit, or the columns differ. Typical: 0.1 (small drift) to 0.25 (large) [default: any difference
    /// gives exit code 1]
    #[arg(long, value_name = "PSI", requires = "diff")]
    max_psi: Option<f64>,
    /// Also compute statistics for vector columns that are larger than 256 MiB; by default they are skipped
    #[arg(long)]
    full: bool,
    /// Format of printed rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Largest number of rows of a printed table
    #[arg(long, value_name = "ROWS", default_value_t = 40)]
    limit: usize,
    #[command(flatten)]
    which: TargetArgs,
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
                help = "name one table (see `callsheet ls`), or use --sql for several tables, --diff for two",
                "{} named, but one is required",
                match self.tables.len() {
                    0 => "no table is".to_owned(),
                    count => format!("{count} tables are"),
                }
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
            // All formats except text print rows; JSON prints the overview if no rows or columns are
            // selected.
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
