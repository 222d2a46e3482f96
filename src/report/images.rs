//! Figure with some images of a table.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use callsheet_figures::data_uri::data_uri;
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};
use maud::{Markup, html};
use rayon::prelude::*;

use super::cells::{image, is_image, spread, text};
use super::picture::thumbnail;

/// Largest number of images that are shown.
const MOST: u64 = 48;
/// Longer side of the thumbnails, in pixels.
const SIDE: u32 = 200;

/// Evenly spaced images of the table at `path`, each above the value of its first text column.
///
/// # Errors
/// Returns an error if the table cannot be read, or has no column of images.
pub(super) fn images(path: &Path) -> Result<Markup> {
    let (batches, total) = spread(path, MOST)?;
    let rows: Vec<_> =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row))).collect();
    let shown: Result<Vec<(String, Result<String, String>)>> =
        rows.par_iter().map(|(batch, row)| one(batch, *row, path)).collect();
    if total == 0 {
        return Ok(html! { p { "The table has no rows." } });
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
        @if total > MOST { p.note { (MOST) " of " (total) " images, evenly spaced." } }
    })
}

/// Name and thumbnail of a row; instead of the thumbnail, the reason if the picture is unreadable.
fn one(batch: &RecordBatch, row: usize, path: &Path) -> Result<(String, Result<String, String>)> {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    let pictures = fields.clone().find(|(field, _)| is_image(field.data_type()));
    let name = fields.into_iter().find(|(field, _)| *field.data_type() == DataType::Utf8);
    let name = name.map(|(_, column)| text(column, row)).unwrap_or_default();
    let Some((_, pictures)) = pictures else {
        let help = "declare figure = \"images\" only for a table with a column of type image";
        return Err(Error::user_error(
            Code::Unsupported,
            format!("{} has no column of images", path.display()),
            help,
        ));
    };
    let small = thumbnail(image(pictures, row).unwrap_or_default(), SIDE);
    Ok((name, small.map(|small| data_uri("image/jpeg", &small))))
}
