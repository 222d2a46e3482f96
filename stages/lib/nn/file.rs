//! Weight files in the safetensors format. The only metadata entry is a JSON text with the configuration, so
//! that it is stored with the weights, and equal weights result in equal bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use callsheet_worker::user_error;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use tch::{Kind, Tensor};

const METADATA: &str = "callsheet";

/// Writes float tensors and their configuration. The file is written atomically.
///
/// # Errors
/// Returns an error if a value is not finite, or the file cannot be written.
pub(crate) fn save(path: &Path, tensors: &BTreeMap<String, Tensor>, config: &Value) -> Result<()> {
    let mut bytes: Vec<(&String, Vec<usize>, Vec<u8>)> = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        if tensor.isfinite().all().int64_value(&[]) == 0 {
            bail!("`{name}` contains NaN or infinity, so `{}` is not written", path.display());
        }
        let tensor = tensor.detach().to_kind(Kind::Float).to_device(tch::Device::Cpu).contiguous();
        let mut data = vec![0u8; tensor.numel() * 4];
        tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        bytes.push((name, tensor.size().iter().map(|n| *n as usize).collect(), data));
    }
    let mut views = Vec::with_capacity(bytes.len());
    for (name, shape, data) in &bytes {
        views.push((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data)?));
    }
    let metadata = HashMap::from([(METADATA.to_owned(), sorted(config).to_string())]);
    let staged = path.with_extension("partial");
    let written = safetensors::serialize_to_file(views, Some(metadata), &staged)
        .map_err(|error| match error {
            // The message of this error contains its cause, which would be printed twice.
            safetensors::SafeTensorError::IoError(error) => anyhow::Error::from(error),
            error => error.into(),
        })
        // The new file must be on the disk before it replaces an older one.
        .and_then(|()| Ok(fs::File::open(&staged)?.sync_all()?))
        .and_then(|()| Ok(fs::rename(&staged, path)?));
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Writes the folder of a model: weight files by name, each as with [`save`], and `config.json` with their
/// configuration for people.
///
/// # Errors
/// Returns an error if a value is not finite, or a file cannot be written.
pub(crate) fn save_model(
    folder: &Path,
    files: &[(&str, &BTreeMap<String, Tensor>)],
    config: &Value,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    for (name, tensors) in files {
        save(&folder.join(name), tensors, config)?;
    }
    let path = folder.join("config.json");
    fs::write(&path, format!("{:#}\n", sorted(config)))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Sorts the keys of every object in the value, so that equal values result in equal bytes, regardless of the
/// order in which serde_json keeps them.
fn sorted(config: &Value) -> Value {
    let mut config = config.clone();
    config.sort_all_objects();
    config
}

/// Configuration of a file; null if it has none.
///
/// # Errors
/// Returns an error if the file is not a complete safetensors file.
pub(crate) fn config(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    config_of(&bytes, path)
}

fn config_of(bytes: &[u8], path: &Path) -> Result<Value> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(path, &error))?;
    let config = header.metadata().as_ref().and_then(|m| m.get(METADATA));
    Ok(config.map_or(Ok(Value::Null), |text| serde_json::from_str(text))?)
}

fn damaged(path: &Path, error: &safetensors::SafeTensorError) -> anyhow::Error {
    user_error(
        format!("`{}` is not a complete safetensors file: {error}", path.display()),
        "fetch the file again, or re-run the stage that wrote this file",
    )
}

/// Reads float tensors and their configuration (null if the file has none).
///
/// # Errors
/// Returns an error if the file is not a complete safetensors file, or contains a tensor that is not float32.
pub(crate) fn load(path: &Path) -> Result<(BTreeMap<String, Tensor>, Value)> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let config = config_of(&bytes, path)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, &error))?.tensors() {
        if view.dtype() != Dtype::F32 {
            bail!("`{}`: `{name}` is {:?}, not F32", path.display(), view.dtype());
        }
        let shape: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
        tensors.insert(name, Tensor::f_from_data_size(view.data(), &shape, Kind::Float)?);
    }
    Ok((tensors, config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_tensors_are_loaded_and_damage_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("w.safetensors");
        let tensors = BTreeMap::from([("a".to_owned(), Tensor::from_slice(&[1f32, 2., 3.]).view([3, 1]))]);
        save(&path, &tensors, &serde_json::json!({"nf": 8, "a": {"z": 1, "b": 2}})).expect("saved");
        let bytes = fs::read(&path).expect("read");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(r#"{\"a\":{\"b\":2,\"z\":1},\"nf\":8}"#), "names are in alphabetical order");
        let (again, config) = load(&path).expect("loaded");
        assert_eq!(again["a"], tensors["a"]);
        assert_eq!(config["nf"], 8);
        let bytes = fs::read(&path).expect("bytes");
        fs::write(&path, &bytes[..bytes.len() - 2]).expect("truncated");
        let error = load(&path).expect_err("damaged").to_string();
        assert!(error.contains("w.safetensors` is not a complete safetensors file"), "{error}");
    }
}
