//! Arrays that NumPy saved: `.npz` archives, `.npy` files of one pickled dict of arrays (such as
//! `vgg16.npy`), and pickles of dicts of arrays, in which users of Flax save parameters.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::Result;
use tch::Tensor;
use zip::ZipArchive;

use super::pickle::{Id, Node, Pickle, Reader};
use super::unreadable::unreadable;

/// Largest size of all arrays in bytes, as stated in the archive before they are read.
const MOST_BYTES: u64 = 1 << 30;

const TOO_LARGE: &str = "its arrays are larger than any network's";

/// Largest number of entries of all dicts in a pickle. One dict can be an entry of many others.
const MOST_ENTRIES: usize = 10_000;

/// Longest name in nested dicts, in bytes. A dict can contain itself.
const LONGEST_NAME: usize = 1000;

/// Reads arrays by name. Arrays of a list `name` in a dict are called `name.0`, `name.1` and so on; arrays in
/// nested dicts are called `name/name`.
///
/// # Errors
/// Returns an error if the file is truncated, or contains arrays that are not floats.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let arrays = match bytes {
        [b'P', b'K', ..] => from_npz(bytes),
        [0x93, ..] => from_npy(bytes),
        _ => from_pickle(bytes),
    };
    arrays.map_err(|why| unreadable(path, why))
}

fn from_npz(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let (mut tensors, mut left) = (BTreeMap::new(), MOST_BYTES);
    for name in names {
        let file = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        left = left.checked_sub(file.size()).ok_or(TOO_LARGE)?;
        let mut bytes = Vec::new();
        let size = file.size();
        file.take(size).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        let (header, data) = header(&bytes).map_err(|why| format!("{name}: {why}"))?;
        let tensor = array(&header, data).map_err(|why| format!("{name}: {why}"))?;
        tensors.insert(name.trim_end_matches(".npy").to_owned(), tensor);
    }
    Ok(tensors)
}

fn from_npy(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let (header, data) = header(bytes)?;
    if !header.kind.contains('O') {
        return Ok(BTreeMap::from([("array".to_owned(), array(&header, data)?)]));
    }
    let pickle = Reader::new(data).pickle()?;
    // An array of one object has the state (version, shape, type, order, [object]).
    let object = state(&pickle, pickle.root).and_then(|state| pickle.list(*state.get(4)?)?.first().copied());
    let dict = pickle.items(object.unwrap_or(pickle.root)).ok_or("it contains no dict of arrays")?;
    let (mut tensors, mut left) = (BTreeMap::new(), MOST_BYTES);
    for (name, value) in dict {
        let name = match pickle.node(name) {
            Node::Text(text) => text.clone(),
            Node::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => continue,
        };
        let values = pickle.list(value).map_or_else(|| vec![value], <[Id]>::to_vec);
        for (number, value) in values.into_iter().enumerate() {
            let tensor = pickled(&pickle, value).map_err(|why| format!("`{name}`: {why}"))?;
            left = left.checked_sub(4 * tensor.numel() as u64).ok_or(TOO_LARGE)?;
            tensors.insert(format!("{name}.{number}"), tensor);
        }
    }
    Ok(tensors)
}

fn from_pickle(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let pickle = Reader::new(bytes).pickle()?;
    let (mut tensors, mut seen, mut left) = (BTreeMap::new(), 0, MOST_BYTES);
    let mut open = vec![(String::new(), pickle.root)];
    while let Some((name, value)) = open.pop() {
        seen += 1;
        if seen.max(open.len()) > MOST_ENTRIES || name.len() > LONGEST_NAME {
            return Err("it has more, or longer named, entries than any network".into());
        }
        let Some(items) = pickle.items(value) else {
            let tensor = pickled(&pickle, value).map_err(|why| format!("`{name}`: {why}"))?;
            left = left.checked_sub(4 * tensor.numel() as u64).ok_or(TOO_LARGE)?;
            tensors.insert(name, tensor);
            continue;
        };
        for (key, value) in items {
            let key = pickle.text(key).ok_or("an array has no name")?;
            open.push((if name.is_empty() { key.to_owned() } else { format!("{name}/{key}") }, value));
        }
    }
    Ok(tensors)
}

/// Header of an array.
struct Header {
    /// Type of the values, such as `<f4`.
    kind: String,
    fortran: bool,
    shape: Vec<i64>,
}

/// Returns the header of a `.npy` file (a Python dict as text), and the bytes after it.
fn header(bytes: &[u8]) -> Result<(Header, &[u8]), String> {
    let mut reader = Reader::new(bytes);
    if reader.take(6)? != b"\x93NUMPY" {
        return Err("it is not a NumPy array".into());
    }
    let [major, _] = reader.array()?;
    let length = if major == 1 {
        u16::from_le_bytes(reader.array()?).into()
    } else {
        u32::from_le_bytes(reader.array()?) as usize
    };
    let text = String::from_utf8_lossy(reader.take(length)?).into_owned();
    let field = |name: &str| Some(text.split_once(&format!("'{name}':"))?.1.trim_start());
    let kind = field("descr").and_then(|rest| rest.split('\'').nth(1)).ok_or("it has no type")?;
    let shape = field("shape").and_then(|rest| Some(rest.strip_prefix('(')?.split_once(')')?.0));
    let sides = shape.ok_or("it has no shape")?.split(',').map(str::trim).filter(|side| !side.is_empty());
    let shape = sides.map(|side| side.parse().map_err(|_| format!("`{side}` is not a valid side")));
    let header = Header {
        kind: kind.to_owned(),
        fortran: field("fortran_order").is_some_and(|rest| rest.starts_with("True")),
        shape: shape.collect::<Result<_, String>>()?,
    };
    Ok((header, &bytes[reader.at..]))
}

fn array(header: &Header, data: &[u8]) -> Result<Tensor, String> {
    let values: Vec<f32> = match header.kind.as_str() {
        "<f4" => data.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect(),
        "<f8" => {
            let whole = data.chunks_exact(8);
            whole
                .map(|c| f64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]) as f32)
                .collect()
        }
        kind => return Err(format!("its values are `{kind}`, not floats")),
    };
    let count = header.shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side).filter(|_| *side >= 0));
    if count != Some(values.len() as i64) {
        return Err(format!("it has {} values for the shape {:?}", values.len(), header.shape));
    }
    let shaped = |shape: &[i64]| {
        Tensor::from_slice(&values).f_view(shape).map_err(|_| format!("no array has the shape {shape:?}"))
    };
    if !header.fortran {
        return shaped(&header.shape);
    }
    let backwards: Vec<i64> = header.shape.iter().rev().copied().collect();
    let order: Vec<i64> = (0..backwards.len() as i64).rev().collect();
    Ok(shaped(&backwards)?.permute(order).contiguous())
}

/// Values of an array's attributes.
fn state(pickle: &Pickle, id: Id) -> Option<&[Id]> {
    match (pickle.node(id), pickle.call(id)?.0.ends_with("multiarray._reconstruct")) {
        (Node::Call { state: Some(state), .. }, true) => pickle.list(*state),
        _ => None,
    }
}

fn pickled(pickle: &Pickle, id: Id) -> Result<Tensor, String> {
    let [_, shape, kind, fortran, data] = state(pickle, id).ok_or("it is not an array")? else {
        return Err("the version of an array is unknown".into());
    };
    let shape = pickle.list(*shape).and_then(|sides| sides.iter().map(|side| pickle.int(*side)).collect());
    // dtype("f4", 0, 1), whose attributes are set to (3, "<", ..), where "<" is the byte order.
    if let Node::Call { state: Some(attributes), .. } = pickle.node(*kind) {
        let order = pickle.list(*attributes).and_then(|attributes| pickle.text(*attributes.get(1)?));
        if order.is_some_and(|order| !["<", "|", "="].contains(&order)) {
            return Err("its byte order is not little-endian".into());
        }
    }
    let kind = pickle.call(*kind).and_then(|(_, arguments)| pickle.text(*arguments.first()?));
    let header = Header {
        kind: format!("<{}", kind.ok_or("it has no type")?),
        fortran: pickle.int(*fortran) == Some(1),
        shape: shape.ok_or("it has no shape")?,
    };
    array(&header, &raw(pickle, *data).ok_or("it has no values")?)
}

/// Bytes of a node, including those that Python 3 wrote for Python 2: `_codecs.encode(text, "latin1")`.
fn raw(pickle: &Pickle, id: Id) -> Option<Vec<u8>> {
    match pickle.node(id) {
        Node::Bytes(bytes) => Some(bytes.clone()),
        Node::Text(text) => Some(text.as_bytes().to_vec()),
        Node::Call { .. } => match pickle.call(id)? {
            ("_codecs.encode", [text, ..]) => {
                pickle.text(*text)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
            }
            _ => None,
        },
        _ => None,
    }
}
