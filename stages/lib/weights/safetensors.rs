//! State dicts in the safetensors format.

use std::path::Path;

use anyhow::Result;
use safetensors::tensor::{Dtype, SafeTensors};
use tch::Kind;

use super::floats::{Arrays, FLOATS, tensor};
use super::unreadable::unreadable;

/// Reads arrays by name.
///
/// # Errors
/// Returns an error if the file is truncated or its header is damaged.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Arrays> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| unreadable(path, error))?;
    let arrays = file.tensors().into_iter().map(|(name, view)| {
        let kind = match view.dtype() {
            Dtype::F16 => Ok(Kind::Half),
            Dtype::BF16 => Ok(Kind::BFloat16),
            Dtype::F32 => Ok(Kind::Float),
            Dtype::F64 => Ok(Kind::Double),
            other => Err(format!("its values are {other:?}, not {FLOATS}")),
        };
        let shape: Vec<i64> = view.shape().iter().map(|side| *side as i64).collect();
        (name, kind.and_then(|kind| tensor(view.data(), &shape, kind)))
    });
    Ok(arrays.collect())
}
