//! Values of the command line, read by the declared type of their parameter.

use std::borrow::Cow;

use toml::Value;

use crate::declare::{Origin, ParamDecl, ParamType};

/// Returns the value of a parameter as its type reads it. A file contains the value itself. On the command line a
/// text needs no quotes, so the declared type decides whether `4e5` is a text, and a list needs no brackets.
pub(super) fn typed<'v>(declared: &ParamDecl, value: &'v Value, origin: &Origin) -> Cow<'v, Value> {
    let Origin::CommandLine(option) = origin else { return Cow::Borrowed(value) };
    let written = option.split_once('=').map_or("", |(_, text)| text.trim());
    match (declared.kind, value) {
        (ParamType::String, Value::String(_)) => Cow::Borrowed(value),
        (ParamType::String, _) => Cow::Owned(Value::String(written.to_owned())),
        (ParamType::List, Value::Array(elements))
            if declared.scalar() != ParamType::String || elements.iter().all(Value::is_str) =>
        {
            Cow::Borrowed(value)
        }
        // Values of `foreach` and variables are already filled into a text.
        (ParamType::List, Value::String(text)) if !written.starts_with(['"', '\'']) => {
            Cow::Owned(listed(text, declared.scalar()))
        }
        (ParamType::List, _) => Cow::Owned(listed(written, declared.scalar())),
        _ => Cow::Borrowed(value),
    }
}

/// Reads a list such as `1, 2` or `[a, "b, c"]`.
fn listed(text: &str, elements: ParamType) -> Value {
    // In `[a]b,[c]`, the first bracket does not end with the text.
    let inner = match split(text)[..] {
        [whole] => whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text),
        _ => text,
    };
    Value::Array(split(inner).into_iter().map(|word| element(word, elements)).collect())
}

fn element(word: &str, kind: ParamType) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {word}")).ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    match parsed {
        Some(Value::String(text)) => Value::String(text),
        Some(value) if kind != ParamType::String || value.is_array() || value.is_table() => value,
        _ => Value::String(word.to_owned()),
    }
}

/// Splits a text at commas that are neither within quotes nor within brackets. An empty text has no parts, and a
/// comma at the end adds none.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) if text[begin..at].trim().is_empty() => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    let last = text[begin..].trim();
    parts.extend((!last.is_empty()).then_some(last));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, elements: ParamType) -> String {
        listed(text, elements).to_string()
    }

    #[test]
    fn a_list_needs_neither_brackets_nor_quotes() {
        assert_eq!(read("1, 2,4", ParamType::Int), "[1, 2, 4]");
        assert_eq!(read("[a, b c]", ParamType::String), r#"["a", "b c"]"#);
        assert_eq!(read("", ParamType::Int), "[]");
        assert_eq!(read("[ ]", ParamType::Int), "[]");
        assert_eq!(read("7", ParamType::Float), "[7]");
    }

    #[test]
    fn the_type_of_the_elements_decides_and_quotes_protect_commas() {
        assert_eq!(read("4e5,007,true", ParamType::String), r#"["4e5", "007", "true"]"#);
        assert_eq!(read(r#"["a, b", 'c"d', it's]"#, ParamType::String), r#"["a, b", 'c"d', "it's"]"#);
        assert_eq!(read("1,x", ParamType::Int), r#"[1, "x"]"#, "refused later, with its position");
        assert_eq!(read("[[1, 2], 3]", ParamType::Int), "[[1, 2], 3]", "refused later, with its position");
        assert_eq!(read("[0-9]*.png,x[12]", ParamType::String), r#"["[0-9]*.png", "x[12]"]"#);
        assert_eq!(read("[a]b,[c]", ParamType::String), r#"["[a]b", "[c]"]"#);
        assert_eq!(read("a,,b", ParamType::String), r#"["a", "", "b"]"#);
    }
}
