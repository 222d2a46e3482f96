//! Pickles as data: nothing is imported, built or executed.
//!
//! A pickle is a program for a stack machine. Here it only adds nodes to a list: an import becomes a name,
//! and a call becomes a record of a name and arguments.

mod machine;
mod reader;

pub(super) use reader::Reader;

/// Position of a node in [`Pickle::nodes`]. Nodes may share other nodes, and contain themselves.
pub(super) type Id = usize;

/// Node of a pickle.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A value that is not needed here: None, or a float.
    Other,
    /// An integer. Booleans are 1 or 0.
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A list, tuple or set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name to import: `module.name`.
    Global(String),
    /// A reference to data that the writer of the pickle stores outside it.
    Persistent(Id),
    /// A call of a name with arguments, the state of its attributes, and the items that were added to it.
    Call {
        function: Id,
        arguments: Id,
        state: Option<Id>,
        items: Vec<(Id, Id)>,
    },
}

/// A pickle that was read.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// Object that the pickle describes.
    pub root: Id,
}

impl Pickle {
    /// Node at a position.
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// All nodes, in the order in which the pickle describes them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Text of a node.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        if let Node::Text(text) = self.node(id) { Some(text) } else { None }
    }

    /// Integer of a node.
    pub(super) fn int(&self, id: Id) -> Option<i64> {
        if let Node::Int(value) = self.node(id) { Some(*value) } else { None }
    }

    /// Elements of a list or tuple.
    pub(super) fn list(&self, id: Id) -> Option<&[Id]> {
        if let Node::List(items) = self.node(id) { Some(items) } else { None }
    }

    /// Name and arguments of a call.
    pub(super) fn call(&self, id: Id) -> Option<(&str, &[Id])> {
        let Node::Call { function, arguments, .. } = self.node(id) else { return None };
        let Node::Global(name) = self.node(*function) else { return None };
        Some((name, self.list(*arguments)?))
    }

    /// Items of a dict, or of an ordered dict.
    pub(super) fn items(&self, id: Id) -> Option<Vec<(Id, Id)>> {
        match self.node(id) {
            Node::Dict(items) => Some(items.clone()),
            Node::Call { items, .. } if self.call(id)?.0 == "collections.OrderedDict" => {
                // Python 2 passes the items as a list of pairs. Python 3 adds them after the call.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_that_would_run_a_command_is_read_as_name_and_arguments() {
        let evil = b"\x80\x02cposix\nsystem\nq\x00X\x05\x00\x00\x00falseq\x01\x85q\x02Rq\x03.";
        let pickle = Reader::new(evil).pickle().expect("a pickle");
        let (name, arguments) = pickle.call(pickle.root).expect("a call");
        assert_eq!((name, pickle.text(arguments[0])), ("posix.system", Some("false")));
    }

    #[test]
    fn more_objects_than_weights_have_are_refused_before_they_fill_the_memory() {
        let error = Reader::new(&vec![b'N'; 1 << 20]).pickle().expect_err("too many");
        assert!(error.contains("objects, which no weights need"), "{error}");
    }

    #[test]
    fn lists_that_double_take_no_more_memory_than_the_pickle() {
        // Each list contains the previous one twice. As a tree, they would have 2^200 nodes.
        let mut bytes = b"\x80\x02]q\x00".to_vec();
        for slot in 0..200u8 {
            bytes.extend([b'0', b'h', slot, b'h', slot, 0x86, b'q', slot + 1]);
        }
        bytes.push(b'.');
        let pickle = Reader::new(&bytes).pickle().expect("a pickle");
        assert_eq!(pickle.nodes.len(), 201);
    }
}
