//! A stage's command with its placeholders filled in.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `{inputs.NAME}` | the path of an input; the word is repeated per file, and left out if there is none |
//! | `{outputs.NAME}` | the path to write an output to |
//! | `{params.NAME}` | a parameter's value; a list becomes one argument for each element |
//! | `{scratch}` | the folder for checkpoints, which survives a killed worker |
//! | `{cpus}` | the number of CPUs that the worker may use |
//! | `{request}` | the path of `request.json` |
//!
//! A command without placeholders gets the path of `request.json` as its last argument. Words are not
//! escaped for a shell, so a shell script should take paths as arguments (`"$1"`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use callsheet_worker::protocol::WorkRequest;
use serde_json::Value;

/// Returns the words of `command` for one request, and true if one of them contains the request's path.
/// A word that is the name of one of `scripts` is replaced by the script's path.
pub(super) fn expand(
    command: &[String],
    scripts: &[(String, PathBuf)],
    request: &WorkRequest,
    request_path: &Path,
) -> (Vec<OsString>, bool) {
    let mut words = Vec::new();
    let mut filled = false;
    for word in command {
        if let Some((_, path)) = scripts.iter().find(|(name, _)| name == word) {
            words.push(path.clone().into());
            continue;
        }
        if let Some(elements) = list(word, request) {
            words.extend(elements.iter().map(|element| OsString::from(text(element))));
            filled = true;
            continue;
        }
        let input = word.split_once("{inputs.").and_then(|(_, rest)| Some(rest.split_once('}')?.0));
        // A word is repeated for each file of its input. It is left out if the input has no files, for
        // example because the input is not wired.
        let paths = match input {
            Some(name) => {
                request.inputs.get(name).map_or(&[][..], |input| &input.paths).iter().map(Some).collect()
            }
            None => vec![None],
        };
        filled |= input.is_some();
        for path in paths {
            let word_filled = fill(word, |placeholder| {
                value(placeholder, path.map(PathBuf::as_path), request, request_path)
            });
            filled |= word_filled != *word;
            words.push(OsString::from(word_filled));
        }
    }
    if !filled {
        words.push(request_path.into());
    }
    (words, !filled || command.iter().any(|word| word.contains("{request}")))
}

/// Elements of the list that a word stands for. The declaration check refuses lists within a word.
fn list<'a>(word: &str, request: &'a WorkRequest) -> Option<&'a Vec<Value>> {
    let name = word.strip_prefix("{params.")?.strip_suffix('}')?;
    request.params.get(name)?.as_array()
}

/// Value of a parameter as an argument: texts without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Replaces each `{placeholder}` that has a value. Values are not searched for placeholders.
fn fill(word: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let found = after.split_once('}').and_then(|(inside, after)| Some((value(inside)?, after)));
        rest = match found {
            Some((value, after)) => {
                text.push_str(&value);
                after
            }
            None => {
                text.push('{');
                after
            }
        };
    }
    text + rest
}

fn value(
    placeholder: &str,
    input: Option<&Path>,
    request: &WorkRequest,
    request_path: &Path,
) -> Option<String> {
    let (kind, name) = placeholder.split_once('.').unwrap_or((placeholder, ""));
    match kind {
        "inputs" => Some(input.map(|path| path.display().to_string()).unwrap_or_default()),
        "outputs" => Some(request.outputs.get(name)?.display().to_string()),
        "params" => Some(text(request.params.get(name)?)),
        "scratch" => Some(request.scratch.display().to_string()),
        "cpus" => Some(request.cpus.to_string()),
        "request" => Some(request_path.display().to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_were_filled_in_are_not_expanded_again() {
        let value = |name: &str| (name == "a").then(|| "{a}{b}".to_owned());
        assert_eq!(fill("x{a}y{c}{", value), "x{a}{b}y{c}{");
    }
}
