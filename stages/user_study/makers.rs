//! Methods whose outputs are compared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::{Job, user_error};
use serde_json::Value;

/// A method with its trained model.
pub(super) struct Maker {
    /// Name in the key.
    pub name: String,
    /// Folder of the model.
    pub model: PathBuf,
}

impl Maker {
    /// Returns the method that is compared with each of the others, followed by the others.
    ///
    /// # Errors
    /// Returns an error if `ours` is wired to several models, or there is no other method.
    pub(super) fn all(job: &Job) -> Result<Vec<Self>> {
        let mut makers: Vec<Self> = Vec::new();
        for input in ["ours", "others", "variants"] {
            let Some(wired) = job.request.inputs.get(input) else { continue };
            if input == "ours" && wired.paths.len() != 1 {
                let names = list(wired.names.iter().map(String::as_str));
                let first = wired.names.first().map_or("NAME", String::as_str);
                return Err(user_error(
                    format!(
                        "`ours` is wired to {} models, but only one can be compared with the others",
                        wired.paths.len()
                    ),
                    format!("name one instance, e.g. inputs.ours = \"STAGE@{first}.model\" (known: {names})"),
                ));
            }
            for (at, model) in wired.paths.iter().enumerate() {
                let instance = wired.names.get(at).map_or("", String::as_str);
                let names = names(input, instance, wired.values.get(at));
                // Models that are bit-identical have one path in the store.
                match makers.first() {
                    Some(Self { name: ours, model: known }) if known == model => job.info(format!(
                        "{} of `{input}` is the model of `ours`, {ours}, so it is left out",
                        names[0]
                    )),
                    _ => {
                        let is_free = |name: &&String| makers.iter().all(|maker| maker.name != **name);
                        let name = names.iter().find(is_free).unwrap_or(&names[2]).clone();
                        makers.push(Self { name, model: model.clone() });
                    }
                }
            }
        }
        if makers.len() < 2 {
            return Err(user_error(
                "the inputs contain no model that differs from `ours`",
                "wire the input `others` to models of another stage, or to instances with other `foreach` \
                 values",
            ));
        }
        Ok(makers)
    }
}

/// Returns names of an instance, the best first: its values except seeds, its name, and its name with that of
/// the input.
fn names(input: &str, instance: &str, values: Option<&BTreeMap<String, Value>>) -> [String; 3] {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = values.into_iter().flatten().filter(|(name, _)| *name != "seed");
    let short = values.map(|(_, value)| shown(value)).collect::<Vec<_>>().join(", ");
    let or_input = |name: &str| if name.is_empty() { input.to_owned() } else { name.to_owned() };
    [or_input(&short), or_input(instance), format!("{} ({input})", or_input(instance))]
}
