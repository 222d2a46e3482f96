//! Columns of a table, and the cells of its rows as they are shown.

use arrow::array::{Array, RecordBatch, make_array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::util::display::array_value_to_string;
use callsheet_figures::label::number as rounded;
use callsheet_worker::error::Result;
use callsheet_worker::table::{IndexedTable, type_name};
use maud::{Markup, html};

use super::view::DataView;
use crate::artifact::Artifact;

/// Largest number of characters of a text.
const LONGEST: usize = 200;

/// Columns of a table.
pub(super) struct Columns {
    schema: SchemaRef,
    /// Name of the first column of images.
    pub image: Option<String>,
}

/// Cell of a row.
pub(super) enum Cell {
    Text(String),
    /// Rounded number, and the exact one.
    Number(String, String),
    /// Address of an image, and its description.
    Image(String, String),
    /// Value that is not read, because it can be large: a vector, a list or bytes.
    Unread,
}

impl Columns {
    pub(super) fn of(table: &IndexedTable) -> Result<Self> {
        let schema = table.schema()?;
        let image = schema.fields().iter().find(|field| is_image(field)).map(|field| field.name().clone());
        Ok(Self { schema, image })
    }

    /// Names of the columns whose values are read.
    pub(super) fn shown(&self) -> Vec<&str> {
        let names = self.schema.fields().iter().filter(|field| is_short(field.data_type()));
        names.map(|field| field.name().as_str()).collect()
    }

    /// Cells of the rows of a batch, which have these positions in the table.
    pub(super) fn cells(
        &self,
        batch: &RecordBatch,
        artifact: &Artifact,
        positions: &[u64],
    ) -> Vec<Vec<Cell>> {
        let row = |row: usize| {
            let position = positions[row];
            let cell = |field: &Field| match batch.column_by_name(field.name()) {
                Some(column) if is_short(field.data_type()) => value(column, row),
                _ if is_image(field) => {
                    let name = field.name();
                    Cell::Image(
                        format!(
                            "{}?v={}",
                            artifact.address(&["image", name, &position.to_string()]),
                            artifact.version()
                        ),
                        format!("{name} of row {}", position + 1),
                    )
                }
                _ => Cell::Unread,
            };
            self.schema.fields().iter().map(|field| cell(field)).collect()
        };
        (0..positions.len()).map(row).collect()
    }

    /// Table of the rows; the title of a column of numbers or texts sorts by it.
    pub(super) fn table(&self, rows: &[Vec<Cell>], view: &DataView) -> Markup {
        html! {
            div.wide tabindex="0" role="region" aria-label="Rows" {
                table.cells {
                    thead { tr { @for field in self.schema.fields() {
                        th.number[field.data_type().is_numeric()] scope="col" aria-sort=[view.order_of(field.name())] {
                            @if is_short(field.data_type()) {
                                a href=(view.sorted_by(field.name()).address()) { (field.name()) }
                            } @else { (field.name()) }
                            " " small { (type_name(field.data_type())) }
                        }
                    } } }
                    tbody { @for row in rows { tr { @for cell in row {
                        td.number[matches!(cell, Cell::Number(..))] { (show(cell)) }
                    } } } }
                }
            }
        }
    }
}

/// Value of a row in a column of numbers or texts.
fn value(column: &dyn Array, row: usize) -> Cell {
    let exact = text(column, row);
    match exact.parse::<f64>() {
        Ok(number) if column.data_type().is_floating() => Cell::Number(rounded(number), exact),
        _ if column.data_type().is_numeric() => Cell::Number(exact.clone(), exact),
        _ => Cell::Text(exact),
    }
}

fn show(cell: &Cell) -> Markup {
    html! { @match cell {
        Cell::Number(short, exact) => span title=[(short != exact).then_some(exact)] { (short) },
        Cell::Text(text) => (text),
        Cell::Image(address, alt) => a href=(address) { img.cell src=(address) alt=(alt) loading="lazy"; },
        Cell::Unread => small { "…" },
    } }
}

fn text(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "–".to_owned();
    }
    let text = match column.data_type() {
        // Times with a zone are stored in UTC.
        DataType::Timestamp(unit, Some(_)) => {
            let plain = column.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build();
            plain
                .and_then(|plain| array_value_to_string(&make_array(plain), row))
                .map(|time| format!("{time} UTC"))
        }
        _ => array_value_to_string(column, row),
    };
    let text = text.unwrap_or_else(|error| error.to_string());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_image(field: &Field) -> bool {
    type_name(field.data_type()) == "image"
}

/// Returns true if values of a type are short enough to be read and shown: numbers, texts and times.
fn is_short(kind: &DataType) -> bool {
    !kind.is_nested()
        && !matches!(
            kind,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        )
}
