//! State dicts in both formats of `torch.save`.
//!
//! Before 1.6, a file begins with four pickles (magic, protocol, system, state dict) and a fifth that lists
//! the storages. For each storage, an int64 count and raw little-endian values follow. Since 1.6, it is a zip
//! archive with the pickle `data.pkl` and a file in `data/` for each storage.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use tch::{Kind, Tensor};

use super::archive::Archive;
use super::floats::{Arrays, FLOATS, tensor};
use super::limits::{LONGEST_NAME, MOST_ENTRIES, TOO_MANY};
use super::pickle::{Id, Node, Pickle, Reader};
use super::unreadable::unreadable;

/// Bytes of the storages, by key.
type Storages = BTreeMap<String, Vec<u8>>;

/// Reads the tensors of a state dict by name. Tensors of a dict in the dict are called `name/name`.
///
/// # Errors
/// Returns an error if the file is truncated or damaged, or contains no dict.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Arrays> {
    let arrays = if bytes.starts_with(b"PK") {
        from_zip(bytes)
    } else {
        let mut reader = Reader::new(bytes);
        from_legacy(&mut reader).map_err(|why| format!("{why} at byte {}", reader.at))
    };
    arrays.map_err(|why| unreadable(path, why))
}

fn from_legacy(reader: &mut Reader) -> Result<Arrays, String> {
    for _ in 0..3 {
        reader.pickle()?;
    }
    let dict = reader.pickle()?;
    let keys = reader.pickle()?;
    let kinds: BTreeMap<&str, &str> = dict.nodes().filter_map(|node| storage(&dict, node)).collect();
    let mut storages = Storages::new();
    for key in keys.list(keys.root).ok_or("the list of storages is missing")? {
        let key = keys.text(*key).ok_or("a storage has no key")?;
        let kind = *kinds.get(key).ok_or("a storage has no type")?;
        let size = value_size(kind).ok_or_else(|| format!("the size of a {kind} is unknown"))?;
        let count = i64::from_le_bytes(reader.array()?);
        let bytes =
            usize::try_from(count).ok().and_then(|n| n.checked_mul(size)).ok_or("a storage has no size")?;
        storages.insert(key.to_owned(), reader.take(bytes)?.to_vec());
    }
    arrays(&dict, &storages)
}

fn from_zip(bytes: &[u8]) -> Result<Arrays, String> {
    let mut archive = Archive::open(bytes)?;
    let names = archive.names();
    let Some(dict) = names.iter().find(|name| name.ends_with("/data.pkl")) else {
        let members = callsheet_worker::error::list(names.iter().map(String::as_str));
        return Err(format!(
            "it is an archive without data.pkl, which torch.save writes; it contains {members}"
        ));
    };
    let root = dict.trim_end_matches("data.pkl");
    if names.contains(&format!("{root}byteorder"))
        && archive.member(&format!("{root}byteorder"))? != b"little"
    {
        return Err("its values are not little-endian".into());
    }
    let folder = format!("{root}data/");
    let dict = Reader::new(&archive.member(dict)?).pickle()?;
    let mut storages = Storages::new();
    for name in names.iter().filter(|name| name.starts_with(&folder)) {
        storages.insert(name[folder.len()..].to_owned(), archive.member(name)?);
    }
    arrays(&dict, &storages)
}

/// Key and type of a storage: ("storage", type, key, device, count).
fn storage<'a>(pickle: &'a Pickle, node: &'a Node) -> Option<(&'a str, &'a str)> {
    let Node::Persistent(id) = node else { return None };
    let [_, kind, key, ..] = pickle.list(*id)? else { return None };
    let Node::Global(kind) = pickle.node(*kind) else { return None };
    Some((pickle.text(*key)?, kind))
}

/// Size of a storage's values in bytes.
fn value_size(storage: &str) -> Option<usize> {
    match storage.strip_prefix("torch.")? {
        "BoolStorage" | "ByteStorage" | "CharStorage" => Some(1),
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => Some(2),
        "FloatStorage" | "IntStorage" => Some(4),
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => Some(8),
        "ComplexDoubleStorage" => Some(16),
        _ => None,
    }
}

/// Tensors of a dict and of the dicts in it. Other values are ignored, such as the state of an optimizer.
fn arrays(pickle: &Pickle, storages: &Storages) -> Result<Arrays, String> {
    if pickle.items(pickle.root).is_none() {
        let found = pickle.call(pickle.root).map_or(String::new(), |(name, _)| format!(" but a `{name}`"));
        return Err(format!("it contains no state dict{found}; save `model.state_dict()`"));
    }
    let (mut arrays, mut seen) = (Arrays::new(), 0);
    let mut open = vec![(String::new(), pickle.root)];
    while let Some((name, value)) = open.pop() {
        seen += 1;
        if seen.max(open.len()) > MOST_ENTRIES || name.len() > LONGEST_NAME {
            return Err(TOO_MANY.into());
        }
        if let Some(rebuilt) = rebuilt(pickle, value) {
            arrays.insert(name, array(pickle, rebuilt, storages));
            continue;
        }
        for (key, value) in pickle.items(value).unwrap_or_default() {
            let Some(key) = pickle.text(key) else { continue };
            open.push((if name.is_empty() { key.to_owned() } else { format!("{name}/{key}") }, value));
        }
    }
    Ok(arrays)
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

fn array(pickle: &Pickle, arguments: &[Id], storages: &Storages) -> Result<Tensor, String> {
    let [id, offset, shape, strides, ..] = arguments else { return Err("too few arguments".into()) };
    let (key, name) = storage(pickle, pickle.node(*id)).ok_or("its storage is unknown")?;
    let kind = match name {
        "torch.HalfStorage" => Kind::Half,
        "torch.BFloat16Storage" => Kind::BFloat16,
        "torch.FloatStorage" => Kind::Float,
        "torch.DoubleStorage" => Kind::Double,
        _ => return Err(format!("its storage is a {name}, not {FLOATS}")),
    };
    let storage = storages.get(key).ok_or("its storage is missing")?;
    let numbers =
        |id: Id| -> Option<Vec<i64>> { pickle.list(id)?.iter().map(|side| pickle.int(*side)).collect() };
    let shape =
        numbers(*shape).filter(|shape| shape.iter().all(|side| *side >= 0)).ok_or("it has no shape")?;
    let strides =
        numbers(*strides).filter(|strides| strides.len() == shape.len()).ok_or("it has no strides")?;
    let count = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).ok_or("it is too large")?;
    if count > 0 && !row_major(&shape, &strides) {
        return Err(format!("its strides {strides:?} are not row-major"));
    }
    let bytes = |count: i64| usize::try_from(count).ok()?.checked_mul(kind.elt_size_in_bytes());
    let start = pickle.int(*offset).and_then(bytes);
    let end = start.zip(bytes(count)).and_then(|(start, length)| start.checked_add(length));
    let values = start.zip(end).and_then(|(start, end)| storage.get(start..end));
    tensor(values.ok_or("it is outside its storage")?, &shape, kind)
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
