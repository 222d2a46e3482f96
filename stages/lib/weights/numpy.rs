//! Arrays that NumPy saved: `.npz` archives, `.npy` files of one pickled dict of arrays (such as
//! `vgg16.npy`), and pickles of dicts of arrays, in which users of Flax save parameters.

use std::path::Path;

use anyhow::Result;
use tch::{Kind, Tensor};

use super::archive::Archive;
use super::floats::{Arrays, tensor};
use super::limits::{LONGEST_NAME, MOST_BYTES, MOST_ENTRIES, TOO_LARGE, TOO_MANY};
use super::pickle::{Id, Node, Pickle, Reader};
use super::unreadable::unreadable;

/// Reads arrays by name. Arrays of a list `name` in a dict are called `name.0`, `name.1` and so on; arrays in
/// nested dicts are called `name/name`.
///
/// # Errors
/// Returns an error if the file is truncated or damaged.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Arrays> {
    let arrays = match bytes {
        [b'P', b'K', ..] => from_npz(bytes),
        [0x93, ..] => from_npy(bytes),
        _ => from_pickle(bytes),
    };
    arrays.map_err(|why| unreadable(path, why))
}

fn from_npz(bytes: &[u8]) -> Result<Arrays, String> {
    let mut archive = Archive::open(bytes)?;
    let mut arrays = Arrays::new();
    for name in archive.names() {
        let bytes = archive.member(&name)?;
        let array = header(&bytes).and_then(|(header, data)| array(&header, data));
        arrays.insert(name.trim_end_matches(".npy").to_owned(), array);
    }
    Ok(arrays)
}

fn from_npy(bytes: &[u8]) -> Result<Arrays, String> {
    let (header, data) = header(bytes)?;
    if !header.kind.contains('O') {
        return Ok(Arrays::from([("array".to_owned(), array(&header, data))]));
    }
    let pickle = Reader::new(data).pickle()?;
    // An array of one object has the state (version, shape, type, order, [object]).
    let object = state(&pickle, pickle.root).and_then(|state| pickle.list(*state.get(4)?)?.first().copied());
    let dict = pickle.items(object.unwrap_or(pickle.root)).ok_or("it contains no dict of arrays")?;
    let (mut arrays, mut left) = (Arrays::new(), MOST_BYTES);
    for (name, value) in dict {
        let name = match pickle.node(name) {
            Node::Text(text) => text.clone(),
            Node::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => continue,
        };
        let values = pickle.list(value).map_or_else(|| vec![value], <[Id]>::to_vec);
        for (number, value) in values.into_iter().enumerate() {
            arrays.insert(format!("{name}.{number}"), within(&mut left, pickled(&pickle, value))?);
        }
    }
    Ok(arrays)
}

fn from_pickle(bytes: &[u8]) -> Result<Arrays, String> {
    let pickle = Reader::new(bytes).pickle()?;
    let (mut arrays, mut seen, mut left) = (Arrays::new(), 0, MOST_BYTES);
    let mut open = vec![(String::new(), pickle.root)];
    while let Some((name, value)) = open.pop() {
        seen += 1;
        if seen.max(open.len()) > MOST_ENTRIES || name.len() > LONGEST_NAME {
            return Err(TOO_MANY.into());
        }
        let Some(items) = pickle.items(value) else {
            arrays.insert(name, within(&mut left, pickled(&pickle, value))?);
            continue;
        };
        for (key, value) in items {
            let key = pickle.text(key).ok_or("an array has no name")?;
            open.push((if name.is_empty() { key.to_owned() } else { format!("{name}/{key}") }, value));
        }
    }
    Ok(arrays)
}

/// Subtracts the size of an array from the bytes that are left. A pickle can contain one array many times.
fn within(left: &mut u64, array: Result<Tensor, String>) -> Result<Result<Tensor, String>, String> {
    let size = array.as_ref().map_or(0, |array| 4 * array.numel() as u64);
    *left = left.checked_sub(size).ok_or(TOO_LARGE)?;
    Ok(array)
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
    let kind = match header.kind.get(1..) {
        Some("f2") => Kind::Half,
        Some("f4") => Kind::Float,
        Some("f8") => Kind::Double,
        _ => return Err(format!("its values are `{}`, not `<f2`, `<f4` or `<f8`", header.kind)),
    };
    let swapped: Vec<u8>;
    let data = match header.kind.starts_with('>') {
        true => {
            let values = data.chunks_exact(kind.elt_size_in_bytes());
            swapped = values.flat_map(|value| value.iter().rev().copied()).collect();
            &swapped
        }
        false => data,
    };
    if !header.fortran {
        return tensor(data, &header.shape, kind);
    }
    let backwards: Vec<i64> = header.shape.iter().rev().copied().collect();
    let order: Vec<i64> = (0..backwards.len() as i64).rev().collect();
    Ok(tensor(data, &backwards, kind)?.permute(order).contiguous())
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
    let order = match pickle.node(*kind) {
        Node::Call { state: Some(attributes), .. } => {
            pickle.list(*attributes).and_then(|attributes| pickle.text(*attributes.get(1)?))
        }
        _ => None,
    };
    let order = if order == Some(">") { '>' } else { '<' };
    let kind = pickle.call(*kind).and_then(|(_, arguments)| pickle.text(*arguments.first()?));
    let header = Header {
        kind: format!("{order}{}", kind.ok_or("it has no type")?),
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
