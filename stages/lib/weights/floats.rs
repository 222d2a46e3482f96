//! Values of arrays in the float formats of weight files. All are converted to float32.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

/// Arrays of a file by name. An array that cannot be read matters only if it is needed.
pub(crate) type Arrays = BTreeMap<String, Result<Tensor, String>>;

/// Float formats that are read, for errors.
pub(super) const FLOATS: &str = "float16, bfloat16, float32 or float64";

/// Converts little-endian values to a float32 tensor of this shape.
///
/// # Errors
/// Returns an error if the number of bytes is not that of the shape.
pub(super) fn tensor(bytes: &[u8], shape: &[i64], kind: Kind) -> Result<Tensor, String> {
    let size = kind.elt_size_in_bytes();
    let count = shape.iter().try_fold(1usize, |n, side| n.checked_mul(usize::try_from(*side).ok()?));
    if count.and_then(|count| count.checked_mul(size)) != Some(bytes.len()) {
        return Err(format!("it has {} bytes for {size}-byte values of the shape {shape:?}", bytes.len()));
    }
    let tensor = Tensor::f_from_data_size(bytes, shape, kind);
    tensor.map(|tensor| tensor.to_kind(Kind::Float)).map_err(|_| format!("no tensor has the shape {shape:?}"))
}
