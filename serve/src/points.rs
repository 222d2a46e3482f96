//! Points of a scatter plot, and the selected rows as bits.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::histogram::bar_of_each_row;
use crate::select::Selection;
use crate::tables::{Values, floats};
use crate::view::View;

/// Returns the points of all rows in the order of the table. The answer begins with the number of rows in eight bytes, and the
/// least x and the least y as 64-bit floats. All values of x and then all of y follow as 32-bit floats, from the least ones
/// on. If `colour` names a column, the last part has one byte for each row: its bar in the histogram of this column. Missing
/// values are NaN. The lowest byte of a number comes first.
///
/// # Errors
/// Returns an error if a column is unknown, or x or y has no numbers.
pub(crate) fn points(view: &View, x: &str, y: &str, colour: &str) -> Result<Vec<u8>> {
    let numbers = |column: &str| match &*view.values(column)? {
        Values::Numbers(numbers) => Ok(floats(numbers)),
        _ => {
            let message = format!("column `{column}` has no numbers");
            Err(Error::user_error(Code::Unsupported, message, "name a column of numbers"))
        }
    };
    let axes = [numbers(x)?, numbers(y)?];
    let least = axes.each_ref().map(|axis| {
        let finite = axis.iter().flatten().filter(|value| value.is_finite());
        finite.reduce(f64::min).unwrap_or_default()
    });
    let mut bytes = u64::from(view.rows()).to_le_bytes().to_vec();
    bytes.extend(least.iter().flat_map(|least| least.to_le_bytes()));
    for (axis, least) in axes.iter().zip(least) {
        // Large numbers that differ little have no place among 32-bit floats.
        let single = |value: Option<f64>| value.map_or(f32::NAN, |value| (value - least) as f32);
        bytes.extend(axis.iter().flat_map(|value| single(value).to_le_bytes()));
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
