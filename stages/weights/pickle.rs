//! Pickles as data: nothing is imported, built or executed.
//!
//! A pickle is a program for a stack machine. Here its only effect is to put nodes on a list: what it
//! would import is a name, what it would call a record of name and arguments.

use std::collections::HashMap;

/// Position of a node in [`Pickle::nodes`]. Nodes may share others, and hold themselves.
pub type Id = usize;

/// What a pickle describes.
#[derive(Clone, Debug)]
pub enum Node {
    /// None, a float: nothing that is needed here.
    Other,
    /// A whole number; a truth is 1 or 0.
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A list, tuple or set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name to import: `module.name`.
    Global(String),
    /// What the program that wrote the pickle keeps elsewhere.
    Persistent(Id),
    /// A call of a name with arguments, what its attributes were set to, and what was put into it.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
        items: Vec<(Id, Id)>,
    },
}

/// A pickle that was read.
#[derive(Debug, Default)]
pub struct Pickle {
    nodes: Vec<Node>,
    /// What it is of.
    pub root: Id,
}

impl Pickle {
    /// A node.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The text at a node.
    pub fn text(&self, id: Id) -> Option<&str> {
        if let Node::Text(text) = self.node(id) { Some(text) } else { None }
    }

    /// The whole number at a node.
    pub fn int(&self, id: Id) -> Option<i64> {
        if let Node::Int(value) = self.node(id) { Some(*value) } else { None }
    }

    /// The elements of a list or tuple.
    pub fn list(&self, id: Id) -> Option<&[Id]> {
        if let Node::List(items) = self.node(id) { Some(items) } else { None }
    }

    /// Name and arguments of a call.
    pub fn call(&self, id: Id) -> Option<(&str, &[Id])> {
        let Node::Call { function, arguments, .. } = self.node(id) else { return None };
        let Node::Global(name) = self.node(*function) else { return None };
        Some((name, self.list(*arguments)?))
    }

    /// The items of a dict, also of an ordered one.
    pub fn items(&self, id: Id) -> Option<Vec<(Id, Id)>> {
        match self.node(id) {
            Node::Dict(items) => Some(items.clone()),
            Node::Call { items, .. } if self.call(id)?.0 == "collections.OrderedDict" => {
                // Python 2 gives the items as a list of pairs; Python 3 adds them afterwards.
                let pairs = self.call(id)?.1.first().and_then(|pairs| self.list(*pairs)).unwrap_or_default();
                let pair = |pair: &Id| {
                    if let [key, value] = self.list(*pair)? { Some((*key, *value)) } else { None }
                };
                Some(pairs.iter().filter_map(pair).chain(items.iter().copied()).collect())
            }
            _ => None,
        }
    }
}

/// Bytes that are read in order.
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// How many were read.
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or("it ends")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it ends".to_owned())
    }

    fn line(&mut self) -> Result<String, String> {
        let length = self.bytes[self.at..].iter().position(|b| *b == b'\n').ok_or("it ends")?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text)
    }

    fn sized(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.take(width)?.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.take(usize::try_from(length).map_err(|_| "it ends")?)
    }

    /// Reads one pickle of protocol 2 to 5.
    ///
    /// # Errors
    /// When it ends early, or is malformed.
    pub fn pickle(&mut self) -> Result<Pickle, String> {
        let mut machine = Machine::default();
        while !machine.step(self)? {}
        Ok(machine.pickle)
    }
}

#[derive(Default)]
struct Machine {
    pickle: Pickle,
    stack: Vec<Id>,
    /// Heights of the stack where marks stand.
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
            return Err("an empty stack".into());
        }
        self.stack.pop().ok_or_else(|| "an empty stack".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Id>, String>>()?;
        items.reverse();
        self.push(Node::List(items));
        Ok(())
    }

    fn remember(&mut self, slot: u32) -> Result<(), String> {
        self.memo.insert(slot, *self.stack.last().ok_or("an empty stack")?);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), String> {
        self.stack.push(*self.memo.get(&slot).ok_or("an unknown memo")?);
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
        let top = *self.stack.last().ok_or("an empty stack")?;
        match &mut self.pickle.nodes[top] {
            Node::List(items) => items.extend(added),
            // A list of another kind.
            Node::Call { .. } => {}
            _ => return Err("items for what is no list".into()),
        }
        Ok(())
    }

    fn insert(&mut self, added: &[Id]) -> Result<(), String> {
        let top = *self.stack.last().ok_or("an empty stack")?;
        let pairs = added.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        match &mut self.pickle.nodes[top] {
            Node::Dict(items) | Node::Call { items, .. } => items.extend(pairs),
            _ => return Err("items for what is no dict".into()),
        }
        Ok(())
    }

    /// Performs one instruction; whether it was the last.
    fn step(&mut self, reader: &mut Reader) -> Result<bool, String> {
        match reader.take(1)?[0] {
            0x80 => drop(reader.take(1)?),
            0x95 => drop(reader.take(8)?),
            b'.' => {
                self.pickle.root = self.pop()?;
                return Ok(true);
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new())),
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
                // Sizes are small; a magic number is not, and nobody needs its value.
                let low = reader.sized(1)?.iter().take(8).rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
                self.push(Node::Int(low.cast_signed()));
            }
            b'X' => self.text(reader.sized(4)?),
            0x8c => self.text(reader.sized(1)?),
            0x8d => self.text(reader.sized(8)?),
            // Python 2's strings are texts and bytes.
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
            b'c' => {
                let name = format!("{}.{}", reader.line()?, reader.line()?);
                self.push(Node::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let part = |id| self.pickle.text(id).ok_or("a name that is no text");
                let name = format!("{}.{}", part(module)?, part(name)?);
                self.push(Node::Global(name));
            }
            b'q' => self.remember(reader.take(1)?[0].into())?,
            b'r' => self.remember(u32::from_le_bytes(reader.array()?))?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.recall(reader.take(1)?[0].into())?,
            b'j' => self.recall(u32::from_le_bytes(reader.array()?))?,
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::List(items));
            }
            code @ 0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
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
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            b'R' | 0x81 => self.call()?,
            b'b' => {
                let given = self.pop()?;
                let top = *self.stack.last().ok_or("an empty stack")?;
                if let Node::Call { state, .. } = &mut self.pickle.nodes[top] {
                    *state = Some(given);
                }
            }
            code => return Err(format!("pickle code {code:#04x}, which no weights need")),
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_that_would_run_a_command_is_a_name_and_its_arguments() {
        let evil = b"\x80\x02cposix\nsystem\nq\x00X\x05\x00\x00\x00falseq\x01\x85q\x02Rq\x03.";
        let pickle = Reader::new(evil).pickle().expect("a pickle");
        let (name, arguments) = pickle.call(pickle.root).expect("a call");
        assert_eq!((name, pickle.text(arguments[0])), ("posix.system", Some("false")));
    }

    #[test]
    fn lists_that_double_take_no_more_room_than_the_pickle() {
        // Each list holds the one before twice: as a tree 2^200 nodes.
        let mut bytes = b"\x80\x02]q\x00".to_vec();
        for slot in 0..200u8 {
            bytes.extend([b'0', b'h', slot, b'h', slot, 0x86, b'q', slot + 1]);
        }
        bytes.push(b'.');
        let pickle = Reader::new(&bytes).pickle().expect("a pickle");
        assert_eq!(pickle.nodes.len(), 201);
    }
}
