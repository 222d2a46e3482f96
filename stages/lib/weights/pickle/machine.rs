//! Stack machine that interprets a pickle.

use std::collections::HashMap;

use super::reader::Reader;
use super::{Id, Node, Pickle};

/// Largest number of objects in a pickle. A state dict has about twelve objects per tensor.
const MOST_NODES: usize = 1 << 18;

impl Reader<'_> {
    /// Reads one pickle of protocol 2 to 5.
    ///
    /// # Errors
    /// Returns an error if the pickle ends early, or is malformed.
    pub(crate) fn pickle(&mut self) -> Result<Pickle, String> {
        let mut machine = Machine::default();
        while !machine.step(self)? {
            if machine.pickle.nodes.len() > MOST_NODES {
                return Err(format!("it has more than {MOST_NODES} objects, which no weights need"));
            }
        }
        Ok(machine.pickle)
    }
}

#[derive(Default)]
struct Machine {
    pickle: Pickle,
    stack: Vec<Id>,
    /// Heights of the stack at which marks were set.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn push(&mut self, node: Node) {
        self.stack.push(self.pickle.nodes.len());
        self.pickle.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or_default();
        if self.stack.len() <= floor {
            return Err("the stack is empty".into());
        }
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Id>, String>>()?;
        items.reverse();
        self.push(Node::List(items));
        Ok(())
    }

    fn remember(&mut self, slot: u32) -> Result<(), String> {
        self.memo.insert(slot, *self.stack.last().ok_or("the stack is empty")?);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), String> {
        self.stack.push(*self.memo.get(&slot).ok_or("a memo is unknown")?);
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) {
        self.push(Node::Text(String::from_utf8_lossy(bytes).into_owned()));
    }

    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        self.push(Node::Call { function, arguments, state: None, items: Vec::new() });
        Ok(())
    }

    fn extend(&mut self, added: Vec<Id>) -> Result<(), String> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        match &mut self.pickle.nodes[top] {
            Node::List(items) => items.extend(added),
            // The items of other list types are not needed.
            Node::Call { .. } => {}
            _ => return Err("items are added to an object that is not a list".into()),
        }
        Ok(())
    }

    fn insert(&mut self, added: &[Id]) -> Result<(), String> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        let pairs = added.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match &mut self.pickle.nodes[top] {
            Node::Dict(items) | Node::Call { items, .. } => items.extend(pairs),
            _ => return Err("items are added to an object that is not a dict".into()),
        }
        Ok(())
    }

    /// Performs one instruction. Returns true if it was the last one.
    pub(crate) fn step(&mut self, reader: &mut Reader) -> Result<bool, String> {
        let code = reader.take(1)?[0];
        match code {
            // The version of the protocol, and the length of a frame.
            0x80 => drop(reader.take(1)?),
            0x95 => drop(reader.take(8)?),
            b'.' => {
                self.pickle.root = self.pop()?;
                return Ok(true);
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'q' => self.remember(reader.take(1)?[0].into())?,
            b'r' => self.remember(u32::from_le_bytes(reader.array()?))?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.recall(reader.take(1)?[0].into())?,
            b'j' => self.recall(u32::from_le_bytes(reader.array()?))?,
            _ if self.literal(code, reader)? || self.collection(code)? || self.object(code, reader)? => {}
            _ => return Err(format!("it has the pickle code {code:#04x}, which no weights need")),
        }
        Ok(false)
    }

    /// Pushes a number or a text. Returns false if the instruction has another purpose.
    fn literal(&mut self, code: u8, reader: &mut Reader) -> Result<bool, String> {
        match code {
            b'N' => self.push(Node::Other),
            0x88 => self.push(Node::Int(1)),
            0x89 => self.push(Node::Int(0)),
            b'G' => {
                reader.take(8)?;
                self.push(Node::Other);
            }
            b'K' => {
                let value = reader.take(1)?[0];
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(reader.array()?);
                self.push(Node::Int(value.into()));
            }
            b'J' => {
                let value = i32::from_le_bytes(reader.array()?);
                self.push(Node::Int(value.into()));
            }
            0x8a => {
                // Eight bytes are enough: sizes are small, and the value of a magic number is not needed.
                let low = reader.sized(1)?.iter().take(8).rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
                self.push(Node::Int(low.cast_signed()));
            }
            b'X' => self.text(reader.sized(4)?),
            0x8c => self.text(reader.sized(1)?),
            0x8d => self.text(reader.sized(8)?),
            // Strings of Python 2 are texts or bytes.
            b'T' => self.push(Node::Bytes(reader.sized(4)?.to_vec())),
            b'U' => {
                let bytes = reader.sized(1)?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => self.push(Node::Text(text.to_owned())),
                    Err(_) => self.push(Node::Bytes(bytes.to_vec())),
                }
            }
            b'B' => self.push(Node::Bytes(reader.sized(4)?.to_vec())),
            b'C' => self.push(Node::Bytes(reader.sized(1)?.to_vec())),
            0x8e | 0x96 => self.push(Node::Bytes(reader.sized(8)?.to_vec())),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Creates or fills a list, a tuple or a dict. Returns false if the instruction has another purpose.
    fn collection(&mut self, code: u8) -> Result<bool, String> {
        match code {
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new())),
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::List(items));
            }
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.extend(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.insert(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Records the name, the call or the items of an object, and executes nothing. Returns false if the
    /// instruction has another purpose.
    fn object(&mut self, code: u8, reader: &mut Reader) -> Result<bool, String> {
        match code {
            b'c' => {
                let name = format!("{}.{}", reader.line()?, reader.line()?);
                self.push(Node::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let part = |id| self.pickle.text(id).ok_or("a name is not text");
                let name = format!("{}.{}", part(module)?, part(name)?);
                self.push(Node::Global(name));
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            b'R' | 0x81 => self.call()?,
            b'b' => {
                let given = self.pop()?;
                let top = *self.stack.last().ok_or("the stack is empty")?;
                if let Node::Call { state, .. } = &mut self.pickle.nodes[top] {
                    *state = Some(given);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
