//! Some images of a table, as a figure.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use callsheet_figures::inline::data_uri;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use maud::{Markup, html};
use rayon::prelude::*;

use super::cells::{image, is_image, spread, text};
use super::picture::thumbnail;

/// Images shown at most.
const MOST: u64 = 48;
/// Pixels of their longer side.
const SIDE: u32 = 200;

/// Images of the table at `path`, evenly chosen, each over what its first column of text says.
///
/// # Errors
/// When it cannot be read, or has no column of images.
pub(super) fn images(path: &Path) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let rows: Vec<_> =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row))).collect();
    let shown: Result<Vec<(String, Result<String, String>)>> =
        rows.par_iter().map(|(batch, row)| one(batch, *row, path)).collect();
    if total == 0 {
        return Ok(html! { p { "It has no rows." } });
    }
    Ok(html! {
        div.images {
            @for (name, uri) in shown? {
                span {
                    @match uri {
                        Ok(uri) => img src=(uri) alt=(name) loading="lazy";,
                        Err(error) => small.wrong { "unreadable: " (error) },
                    }
                    small { (name) }
                }
            }
        }
        @if total > MOST { p.note { (MOST) " of " (total) " images, evenly chosen." } }
    })
}

/// Name and picture of a row, or what is wrong with that.
fn one(batch: &RecordBatch, row: usize, path: &Path) -> Result<(String, Result<String, String>)> {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    let pictures = fields.clone().find(|(field, _)| is_image(field.data_type()));
    let name = fields.into_iter().find(|(field, _)| *field.data_type() == DataType::Utf8);
    let name = name.map(|(_, column)| text(column, row)).unwrap_or_default();
    let Some((_, pictures)) = pictures else {
        let help = "figure = \"images\" is for a table with a column of type image";
        return Err(Error::refused(
            Code::Unsupported,
            format!("{} has no column of images", path.display()),
            help,
        ));
    };
    let small = thumbnail(image(pictures, row).unwrap_or_default(), SIDE);
    Ok((name, small.map(|small| data_uri("image/jpeg", &small))))
}
