//! `callsheet sheet`: contact sheets of the images in a table.

mod layout;
mod pictures;

use std::path::PathBuf;

use callsheet_figures::sheet::{Cell, Row, Sheet};
use clap::Args;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use polars::prelude::LazyFrame;

use crate::artifacts::TargetArgs;
use crate::code;
use crate::exit::SUCCESS;
use crate::frame::row_number;
use crate::output::say;
use crate::rows::{chosen, sample};
use crate::sql::{Question, ask};
use crate::table::open;
use layout::{Layout, Options, Place};

/// Draw contact sheets (grids of thumbnails) of the images in a table
#[derive(Args)]
#[command(after_help = "\
Examples:
  callsheet sheet style_clusters.clusters       images nearest to and farthest from the centre of each cluster
  callsheet sheet sample_triplets.triplets      anchor, positive and negative, with their distances
  callsheet sheet triplets --hardest            the negative is almost as near to the anchor as the positive
  callsheet sheet neighbours --where \"side = 'near'\" --nearest    near-duplicates: the closest pairs
  callsheet sheet findings                      blurred, black, clipped, frozen and outlying frames
  callsheet sheet findings --where \"finding = 'outlying'\" --rows 4
  callsheet sheet frames --output frames.png    random frames
  callsheet sheet --sql 'select image_id, psnr from evaluate_finetuned order by 2 limit 24'

A table is an artifact or a file, as for `callsheet inspect`. Its columns determine the sheet: `image_id` or
`frame_id` identify the pictures, else the first column of texts; other columns are their captions.")]
pub(crate) struct SheetCommand {
    /// Table with the ids of images or frames
    #[arg(value_name = "TABLE", required_unless_present = "sql")]
    table: Option<String>,
    /// Use only rows for which this SQL expression is true
    #[arg(long = "where", value_name = "EXPRESSION", conflicts_with = "sql")]
    filter: Option<String>,
    /// Draw the result of an SQL query, in its order
    #[arg(long, value_name = "QUERY", conflicts_with = "table")]
    sql: Option<String>,
    /// Largest number of rows of pictures
    #[arg(long, value_name = "ROWS", default_value_t = 12)]
    rows: usize,
    /// Number of pictures side by side [default: 8, or 4 for frames]
    #[arg(long, value_name = "PICTURES")]
    columns: Option<usize>,
    /// Draw the hardest triplets: those with the smallest difference between the distance from anchor to
    /// negative and the distance from anchor to positive
    #[arg(long)]
    hardest: bool,
    /// Draw the pairs of images with the smallest distance
    #[arg(long)]
    nearest: bool,
    /// Seed of the random selection of rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Table that contains the pictures: their ids and a column of images [default: the argument TABLE, else
    /// the first artifact that has both columns]
    #[arg(long, value_name = "TABLE")]
    pictures: Option<String>,
    /// Column of images to draw [default: `b`, else `image`, else the first column of images]
    #[arg(long, value_name = "COLUMN")]
    picture: Option<String>,
    /// File to write [default: the last part of the table's name plus .png, e.g. clusters.png]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    which: TargetArgs,
}

impl SheetCommand {
    pub(crate) fn execute(&self) -> Result<u8> {
        let mut artifacts = None;
        let (name, based_on, mut frame, in_order) = match (&self.table, &self.sql) {
            (_, Some(query)) => {
                let frame = ask(&Question { query, tables: &[], which: &self.which })?;
                ("query".to_owned(), Vec::new(), frame, true)
            }
            (Some(table), None) => {
                let table = open(table, &self.which, &mut artifacts)?;
                let rows = chosen(&table, self.filter.as_deref(), &[])?;
                (table.name, table.based_on, rows.frame, false)
            }
            (None, None) => return Err(miette!(code = code::MISSING_ARGUMENT, "no table or query is named")),
        };
        let schema = frame.collect_schema().into_diagnostic()?.as_ref().clone();
        let columns = self.columns.unwrap_or(if schema.contains("image_id") { 8 } else { 4 });
        let options = Options {
            rows: self.rows,
            columns: columns.max(1),
            hardest: self.hardest,
            nearest: self.nearest,
        };
        let rows = |count: usize| -> Result<LazyFrame> {
            match in_order {
                true => Ok(frame.clone().limit(row_number(count))),
                false => sample(&frame, self.filter.is_some(), count, self.seed),
            }
        };
        let layout = layout::lay_out(&frame, &schema, rows, &options)?;
        if layout.places().next().is_none() {
            return Err(miette!(
                code = code::UNSUPPORTED,
                help = "check the filter (--where) or the query",
                "`{name}` has no rows to draw"
            ));
        }
        let source = pictures::Source {
            table: self.pictures.as_deref(),
            column: self.picture.as_deref(),
            key: &layout.key,
            which: &self.which,
        };
        let ids: Vec<&str> = layout.places().map(|place| place.id.as_str()).collect();
        let pictures = source.load(&name, &ids, &mut artifacts)?;
        let sheet = draw(&layout, &name, &pictures);
        let drawn = sheet
            .draw(&based_on.join(", "))
            .map_err(|error| miette!(code = code::UNSUPPORTED, "{error:#}"))?;
        let path = self.output.clone().unwrap_or_else(|| default_path(&name));
        drawn.save(&path).into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))?;
        let (width, height) = drawn.dimensions();
        say(&format!("wrote {} with {} pictures, {width} x {height} pixels", path.display(), ids.len()));
        Ok(SUCCESS)
    }
}

fn default_path(name: &str) -> PathBuf {
    let stem =
        name.trim_end_matches('/').rsplit(['/', '.']).find(|word| *word != "parquet").unwrap_or("sheet");
    PathBuf::from(format!("{stem}.png"))
}

fn draw(layout: &Layout, name: &str, pictures: &pictures::Pictures) -> Sheet {
    let cell = |place: &Option<Place>| match place {
        Some(place) => Cell { picture: pictures.get(&place.id).cloned(), caption: place.caption.clone() },
        None => Cell::gap(),
    };
    let row = |row: &layout::LaidRow| Row {
        label: row.label.clone(),
        cells: row.places.iter().map(cell).collect(),
    };
    let title = format!("{name}: {}", layout.title);
    Sheet { title, rows: layout.rows.iter().map(row).collect() }
}
