//! The pickled format that `torch.save` wrote before 1.6, read as data: nothing is executed.
//!
//! Four pickles follow one another (magic, protocol, system, state dict), a fifth lists the
//! storages, then come per storage an int64 count and raw little-endian float32.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use tch::Tensor;

use crate::nn::file::unreadable;

/// A pickled value, as far as state dicts need it.
#[derive(Clone, Debug)]
enum Value {
    Mark,
    Other,
    Int(i64),
    Text(String),
    List(Vec<Value>),
    /// Items of a dict, in order.
    Dict(Vec<(Value, Value)>),
    /// A storage's key.
    Storage(String),
    /// Storage key, offset, shape.
    Tensor(String, i64, Vec<i64>),
    /// A name that the pickle wants imported; only `torch._utils._rebuild_tensor*` means anything.
    Global(String),
}

/// Reads the tensors of a state dict by name.
///
/// # Errors
/// When the file is truncated or holds anything but float tensors in a dict.
pub fn read(bytes: &[u8], path: &Path) -> Result<BTreeMap<String, Tensor>> {
    if bytes.starts_with(b"PK") {
        return Err(unreadable(path, "it is a zip archive; only torch's older format is read here"));
    }
    let mut reader = Reader { bytes, at: 0 };
    parse(&mut reader).map_err(|why| unreadable(path, format!("{why} at byte {}", reader.at)))
}

fn parse(reader: &mut Reader) -> Result<BTreeMap<String, Tensor>, String> {
    for _ in 0..3 {
        reader.pickle()?;
    }
    let Value::Dict(items) = reader.pickle()? else { return Err("no state dict".into()) };
    let Value::List(keys) = reader.pickle()? else { return Err("no list of storages".into()) };
    let mut storages = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("a storage without a key".into()) };
        let count = i64::from_le_bytes(reader.array()?);
        let length =
            usize::try_from(count).ok().and_then(|n| n.checked_mul(4)).ok_or("a storage of no size")?;
        let floats = reader.take(length)?.chunks_exact(4);
        let floats: Vec<f32> = floats.map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        storages.insert(key, floats);
    }
    let mut tensors = BTreeMap::new();
    for (name, value) in items {
        let (Value::Text(name), Value::Tensor(key, offset, shape)) = (name, value) else { continue };
        let storage = storages.get(&key).ok_or("a tensor without its storage")?;
        if shape.iter().any(|side| *side < 0) {
            return Err("a tensor of negative size".into());
        }
        let count =
            shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).ok_or("a tensor too large")?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(count)).ok());
        let values =
            range.and_then(|(from, to)| storage.get(from..to)).ok_or("a tensor outside its storage")?;
        tensors.insert(name, Tensor::from_slice(values).view(shape.as_slice()));
    }
    Ok(tensors)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("it ends")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it ends".to_owned())
    }

    fn text(&mut self, length: usize) -> Result<Value, String> {
        Ok(Value::Text(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    fn line(&mut self) -> Result<String, String> {
        let length = self.bytes[self.at..].iter().position(|b| *b == b'\n').ok_or("it ends")?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text)
    }

    /// One pickle of protocol 2, as a stack machine whose only effects are on its own stack.
    fn pickle(&mut self) -> Result<Value, String> {
        let mut stack: Vec<Value> = Vec::new();
        let mut memo: BTreeMap<u32, Value> = BTreeMap::new();
        loop {
            let value = match self.take(1)?[0] {
                0x80 => {
                    self.take(1)?;
                    continue;
                }
                b'.' => return stack.pop().ok_or_else(|| "an empty pickle".into()),
                b'(' => Value::Mark,
                b'}' => Value::Dict(Vec::new()),
                b']' => Value::List(Vec::new()),
                b')' => Value::List(Vec::new()),
                b'N' | 0x88 | 0x89 => Value::Other,
                b'K' => Value::Int(i64::from(self.take(1)?[0])),
                b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
                b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
                0x8a => {
                    let length = usize::from(self.take(1)?[0]);
                    let bytes = self.take(length)?;
                    // Storage ids are small; the magic number is not, and nobody needs its value.
                    let low = bytes.iter().take(8).rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
                    Value::Int(low.cast_signed())
                }
                b'T' | b'X' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    self.text(length)?
                }
                // Python 2's strings: short, and long beside Python 3's.
                b'U' => {
                    let length = self.take(1)?[0].into();
                    self.text(length)?
                }
                b'c' => Value::Global(format!("{}.{}", self.line()?, self.line()?)),
                b'q' => {
                    let slot = u32::from(self.take(1)?[0]);
                    memo.insert(slot, stack.last().cloned().ok_or("an empty stack")?);
                    continue;
                }
                b'r' => {
                    let slot = u32::from_le_bytes(self.array()?);
                    memo.insert(slot, stack.last().cloned().ok_or("an empty stack")?);
                    continue;
                }
                b'h' => memo.get(&u32::from(self.take(1)?[0])).cloned().ok_or("an unknown memo")?,
                b'j' => memo.get(&u32::from_le_bytes(self.array()?)).cloned().ok_or("an unknown memo")?,
                b't' => Value::List(since_mark(&mut stack)?),
                code @ 0x85..=0x87 => {
                    let from = stack.len().checked_sub(usize::from(code - 0x84)).ok_or("an empty stack")?;
                    Value::List(stack.split_off(from))
                }
                code @ (b'e' | b'u') => {
                    let items = since_mark(&mut stack)?;
                    extend(stack.last_mut().ok_or("an empty stack")?, items, code == b'u')?;
                    continue;
                }
                b'a' => {
                    let item = stack.pop().ok_or("an empty stack")?;
                    extend(stack.last_mut().ok_or("an empty stack")?, vec![item], false)?;
                    continue;
                }
                b's' => {
                    let from = stack.len().checked_sub(2).ok_or("an empty stack")?;
                    let pair = stack.split_off(from);
                    extend(stack.last_mut().ok_or("an empty stack")?, pair, true)?;
                    continue;
                }
                b'Q' => storage(stack.pop().ok_or("an empty stack")?)?,
                b'R' => {
                    let arguments = stack.pop().ok_or("an empty stack")?;
                    reduce(stack.pop().ok_or("an empty stack")?, arguments)
                }
                // Attributes of an object: none matters here.
                b'b' => {
                    stack.pop();
                    continue;
                }
                code => return Err(format!("pickle code {code:#04x}, which no state dict needs")),
            };
            stack.push(value);
        }
    }
}

fn since_mark(stack: &mut Vec<Value>) -> Result<Vec<Value>, String> {
    let mark = stack.iter().rposition(|v| matches!(v, Value::Mark)).ok_or("no mark")?;
    let items = stack.split_off(mark + 1);
    stack.pop();
    Ok(items)
}

fn extend(target: &mut Value, items: Vec<Value>, pairs: bool) -> Result<(), String> {
    match target {
        Value::List(list) if !pairs => list.extend(items),
        Value::Dict(dict) if pairs => {
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                dict.push((key, value));
            }
        }
        _ => return Err("items for what is no collection".into()),
    }
    Ok(())
}

/// `("storage", type, key, device, count, view)`.
fn storage(id: Value) -> Result<Value, String> {
    let Value::List(parts) = id else { return Err("a storage id of another kind".into()) };
    match parts.as_slice() {
        [Value::Text(_), Value::Global(kind), Value::Text(key), ..] if kind == "torch.FloatStorage" => {
            Ok(Value::Storage(key.clone()))
        }
        _ => Err("a storage that is not of float32".into()),
    }
}

fn reduce(function: Value, arguments: Value) -> Value {
    let (Value::Global(name), Value::List(arguments)) = (function, arguments) else { return Value::Other };
    match (name.as_str(), arguments.as_slice()) {
        // Python 2 gives the items as a list of pairs; Python 3 adds them afterwards.
        ("collections.OrderedDict", [Value::List(pairs)]) => {
            let pair = |pair: &Value| match pair {
                Value::List(pair) => Some((pair.first()?.clone(), pair.get(1)?.clone())),
                _ => None,
            };
            Value::Dict(pairs.iter().filter_map(pair).collect())
        }
        ("collections.OrderedDict", _) => Value::Dict(Vec::new()),
        (_, [Value::Storage(key), Value::Int(offset), Value::List(shape), ..])
            if name.starts_with("torch._utils._rebuild_tensor") =>
        {
            let side = |v: &Value| if let Value::Int(n) = v { *n } else { 0 };
            Value::Tensor(key.clone(), *offset, shape.iter().map(side).collect())
        }
        // torch.nn.Parameter: the tensor itself.
        (_, [tensor @ Value::Tensor(..), ..]) => tensor.clone(),
        _ => Value::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_anywhere_or_with_any_byte_changed_is_no_panic() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/weights/lpips/vgg.pth");
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
