//! Reads a line of a worker's events, as programs in many languages write them.

use serde_json::{Map, Value};

use crate::protocol::WorkerEvent;

/// Kinds of [`WorkerEvent`].
const KINDS: [&str; 5] = ["progress", "metric", "image", "log", "error"];

impl WorkerEvent {
    /// Reads an event. Accepts `NaN` and `Infinity`, which Python's json writes, and ignores unknown keys.
    ///
    /// # Errors
    /// Returns an error if the line is not JSON, or not an event.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line).or_else(|_| {
            let text = String::from_utf8_lossy(line);
            let mut map: Map<String, Value> = serde_json::from_str(&quote_names(&text))?;
            map.retain(|key, _| KINDS.contains(&key.as_str()));
            serde_json::from_value(Value::Object(map))
        })
    }
}

/// Puts quotes around the numbers that JSON does not have.
fn quote_names(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    let (mut rest, mut inside) = (text, false);
    while let Some(c) = rest.chars().next() {
        let name =
            ["NaN", "-Infinity", "Infinity"].into_iter().find(|name| !inside && rest.starts_with(name));
        if let Some(name) = name {
            quoted.extend(["\"", name, "\""]);
            rest = &rest[name.len()..];
            continue;
        }
        // An escaped character does not end a string.
        let length = if c == '\\' {
            rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at)
        } else {
            c.len_utf8()
        };
        inside ^= c == '"';
        quoted.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(line: &str) -> (u64, f64) {
        match WorkerEvent::parse(line.as_bytes()) {
            Ok(WorkerEvent::Metric { step, value, .. }) => (step, value),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn numbers_that_json_lacks_float_steps_and_unknown_keys_are_accepted() {
        assert_eq!(metric(r#"{"metric": {"name": "a", "step": 3.0, "value": 1}}"#), (3, 1.0));
        assert_eq!(
            metric(r#"{"metric": {"name": "a", "step": 1, "value": -Infinity}}"#),
            (1, f64::NEG_INFINITY)
        );
        assert!(metric(r#"{"metric": {"name": "NaN \" NaN", "step": 1, "value": NaN}}"#).1.is_nan());
        assert_eq!(
            metric(r#"{"time": 5, "metric": {"name": "a", "step": 1, "value": 2, "unit": "m"}}"#),
            (1, 2.0)
        );
    }

    #[test]
    fn a_number_that_is_not_finite_is_read_as_it_was_written() {
        let event = WorkerEvent::Metric { name: "a".into(), step: 1, value: f64::INFINITY };
        let text = serde_json::to_vec(&event).expect("written");
        assert_eq!(WorkerEvent::parse(&text).expect("read"), event);
    }

    #[test]
    fn what_is_not_an_event_is_an_error() {
        for line in
            ["", "1", "{}", "{\"metric\": {\"name\": \"a\", \"step\": 1.5, \"value\": 1}}", "{\"log\": 1"]
        {
            assert!(WorkerEvent::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}
