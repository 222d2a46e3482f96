//! Points of a scatter plot, and the selected rows as bits.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::histogram::bar_of_each_row;
use crate::select::Selection;
use crate::tables::{Values, View, floats};

/// Returns the points of all rows in the order of the table: the number of rows in four bytes, then all values of x and all of
/// y as 32-bit floats. If `colour` names a column, one byte for each row follows: its bar in the histogram of this column.
/// Missing values are NaN. The lowest byte of a number comes first.
///
/// # Errors
/// Returns an error if a column is unknown, or x or y has no numbers.
pub(crate) fn points(view: &View, x: &str, y: &str, colour: &str) -> Result<Vec<u8>> {
    let mut bytes = view.rows().to_le_bytes().to_vec();
    for column in [x, y] {
        let Values::Numbers(numbers) = &*view.values(column)? else {
            let message = format!("column `{column}` has no numbers");
            return Err(Error::user_error(Code::Unsupported, message, "name a column of numbers"));
        };
        let single = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
        bytes.extend(floats(numbers).iter().flat_map(|value| single(value).to_le_bytes()));
    }
    if !colour.is_empty() {
        bytes.extend(bar_of_each_row(&*view.values(colour)?));
    }
    Ok(bytes)
}

/// Returns one bit for each row of the table, which is set if the row is selected. The first row is the lowest bit of the
/// first byte.
///
/// # Errors
/// Returns an error if a condition cannot be tested.
pub(crate) fn mask(view: &View, selection: &Selection) -> Result<Vec<u8>> {
    let fits = selection.fits(view, |_| true)?;
    let byte = |rows: &[bool]| rows.iter().rev().fold(0, |byte, fits| byte << 1 | u8::from(*fits));
    Ok(fits.chunks(8).map(byte).collect())
}
