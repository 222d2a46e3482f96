//! Methods whose outputs are compared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::{Job, refusal};
use serde_json::Value;

/// A method with its trained model.
pub(super) struct Maker {
    /// Name in the key.
    pub name: String,
    /// The model's folder.
    pub model: PathBuf,
}

impl Maker {
    /// That which stands beside each of the others, and then these.
    ///
    /// # Errors
    /// When there are several of the first, or none of the others.
    pub(super) fn all(job: &Job) -> Result<Vec<Self>> {
        let mut makers: Vec<Self> = Vec::new();
        for input in ["ours", "others", "variants"] {
            let Some(wired) = job.request.inputs.get(input) else { continue };
            if input == "ours" && wired.paths.len() != 1 {
                let names = list(wired.names.iter().map(String::as_str));
                return Err(refusal(
                    format!(
                        "`ours` is wired to {} models, and one is compared with all others",
                        wired.paths.len()
                    ),
                    format!("name one of them, as in inputs.ours = \"train_generator@v4.model\" ({names})"),
                ));
            }
            for (at, model) in wired.paths.iter().enumerate() {
                let instance = wired.names.get(at).map_or("", String::as_str);
                let names = names(input, instance, wired.values.get(at));
                // The store has one place for what is the same to the bit.
                match makers.first() {
                    Some(Self { name: ours, model: known }) if known == model => job.info(format!(
                        "{} of `{input}` is the model of `ours`, {ours}: nothing is asked of it",
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
            return Err(refusal(
                "there is no other method to compare with that of `ours`",
                "wire the input `others` to models of another stage, or of other values",
            ));
        }
        Ok(makers)
    }
}

/// Names of an instance, the best first: its values but for seeds, all of them, and these with the input's.
fn names(input: &str, instance: &str, values: Option<&BTreeMap<String, Value>>) -> [String; 3] {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = values.into_iter().flatten().filter(|(name, _)| *name != "seed");
    let short = values.map(|(_, value)| shown(value)).collect::<Vec<_>>().join(", ");
    let or_input = |name: &str| if name.is_empty() { input.to_owned() } else { name.to_owned() };
    [or_input(&short), or_input(instance), format!("{} ({input})", or_input(instance))]
}
