//! State dicts in both formats of `torch.save`.
//!
//! Before 1.6, a file begins with four pickles (magic, protocol, system, state dict) and a fifth that lists
//! the storages. For each storage, an int64 count and raw little-endian values follow. Since 1.6, it is a zip
//! archive with the pickle `data.pkl` and a file in `data/` for each storage.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::Result;
use tch::Tensor;
use zip::ZipArchive;

use super::pickle::{Id, Node, Pickle, Reader};
use super::unreadable::unreadable;

/// Values of the storages, by key.
type Storages = BTreeMap<String, Vec<f32>>;

/// Largest size of all storages in bytes, as stated in the archive before they are read. VGG-19 has 575 MB.
const MOST_BYTES: u64 = 1 << 30;

/// Reads the float tensors of a state dict by name.
///
/// # Errors
/// Returns an error if the file is truncated, or is not a dict of float32 tensors.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let tensors = if bytes.starts_with(b"PK") {
        from_zip(bytes)
    } else {
        let mut reader = Reader::new(bytes);
        from_legacy(&mut reader).map_err(|why| format!("{why} at byte {}", reader.at))
    };
    tensors.map_err(|why| unreadable(path, why))
}

fn from_legacy(reader: &mut Reader) -> Result<BTreeMap<String, Tensor>, String> {
    for _ in 0..3 {
        reader.pickle()?;
    }
    let dict = reader.pickle()?;
    let keys = reader.pickle()?;
    let mut storages = Storages::new();
    for key in keys.list(keys.root).ok_or("the list of storages is missing")? {
        let key = keys.text(*key).ok_or("a storage has no key")?;
        let count = i64::from_le_bytes(reader.array()?);
        let bytes =
            usize::try_from(count).ok().and_then(|n| n.checked_mul(4)).ok_or("a storage has no size")?;
        storages.insert(key.to_owned(), floats(reader.take(bytes)?));
    }
    tensors(&dict, &storages)
}

fn from_zip(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let dict = names.iter().find(|name| name.ends_with("/data.pkl")).ok_or("it has no data.pkl")?;
    let folder = format!("{}/data/", dict.trim_end_matches("/data.pkl"));
    let mut left = MOST_BYTES;
    let mut member = |name: &str| -> Result<Vec<u8>, String> {
        let file = archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
        let size = file.size();
        left = left.checked_sub(size).ok_or("its storages are larger than any network's")?;
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(format!("{name} has {} of {size} bytes", bytes.len()))
        }
    };
    let dict = Reader::new(&member(dict)?).pickle()?;
    let mut storages = Storages::new();
    for name in names.iter().filter(|name| name.starts_with(&folder)) {
        storages.insert(name[folder.len()..].to_owned(), floats(&member(name)?));
    }
    tensors(&dict, &storages)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

/// Tensors of a dict. Other values are ignored.
fn tensors(pickle: &Pickle, storages: &Storages) -> Result<BTreeMap<String, Tensor>, String> {
    let items = pickle.items(pickle.root).ok_or("it contains no state dict")?;
    let mut tensors = BTreeMap::new();
    for (name, value) in items {
        let (Some(name), Some(rebuilt)) = (pickle.text(name), rebuilt(pickle, value)) else { continue };
        let tensor = tensor(pickle, rebuilt, storages).map_err(|why| format!("`{name}`: {why}"))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(tensors)
}

/// Arguments of a call that creates a tensor from a storage: storage, offset, shape, strides.
fn rebuilt(pickle: &Pickle, value: Id) -> Option<&[Id]> {
    match pickle.call(value)? {
        (name, arguments) if name.starts_with("torch._utils._rebuild_tensor") => Some(arguments),
        // A parameter wraps its tensor.
        ("torch._utils._rebuild_parameter", [tensor, ..]) => match pickle.call(*tensor)? {
            (name, arguments) if name.starts_with("torch._utils._rebuild_tensor") => Some(arguments),
            _ => None,
        },
        _ => None,
    }
}

fn tensor(pickle: &Pickle, arguments: &[Id], storages: &Storages) -> Result<Tensor, String> {
    let [storage, offset, shape, strides, ..] = arguments else { return Err("too few arguments".into()) };
    let Node::Persistent(id) = pickle.node(*storage) else { return Err("it has no storage".into()) };
    // ("storage", type, key, device, count)
    let [_, kind, key, ..] = pickle.list(*id).ok_or("its storage is unknown")? else {
        return Err("its storage is unknown".into());
    };
    let Node::Global(kind) = pickle.node(*kind) else { return Err("its storage has no type".into()) };
    if kind != "torch.FloatStorage" {
        return Err(format!("its storage is a {kind}, not float32"));
    }
    let storage = pickle.text(*key).and_then(|key| storages.get(key)).ok_or("its storage is missing")?;
    let numbers =
        |id: Id| -> Option<Vec<i64>> { pickle.list(id)?.iter().map(|side| pickle.int(*side)).collect() };
    let shape =
        numbers(*shape).filter(|shape| shape.iter().all(|side| *side >= 0)).ok_or("it has no shape")?;
    let strides =
        numbers(*strides).filter(|strides| strides.len() == shape.len()).ok_or("it has no strides")?;
    let count = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).ok_or("it is too large")?;
    let offset = pickle.int(*offset).unwrap_or(-1);
    let end = offset.checked_add(count).filter(|_| offset >= 0).ok_or("it is outside its storage")?;
    let values = storage.get(offset as usize..end as usize).ok_or("it is outside its storage")?;
    if count > 0 && !row_major(&shape, &strides) {
        return Err(format!("its strides {strides:?} are not row-major"));
    }
    Tensor::from_slice(values)
        .f_view(shape.as_slice())
        .map_err(|_| format!("no tensor has the shape {shape:?}"))
}

fn row_major(shape: &[i64], strides: &[i64]) -> bool {
    let mut wanted = 1;
    shape.iter().zip(strides).rev().all(|(side, stride)| {
        let fits = *side == 1 || *stride == wanted;
        wanted *= side;
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_anywhere_or_with_any_byte_changed_does_not_panic() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/weights/lpips/v0.1/vgg.pth");
        let bytes = std::fs::read(&path).expect("the heads that `make setup` fetches");
        assert_eq!(read(&bytes, &path).expect("whole").len(), 5);
        for at in (0..bytes.len()).step_by(7) {
            assert!(read(&bytes[..at], &path).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            let _ = read(&changed, &path);
        }
    }
}
