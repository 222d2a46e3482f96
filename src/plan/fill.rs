//! Replacement of `{name}` in inputs, parameters and resources of a stage.

use callsheet_worker::error::{Error, Result, suggest};
use litemap::LiteMap;
use toml::Value;

use super::instance::{AT, code};
use crate::declare::{Origin, Values, is_name, value_text};

/// Variables after all layers: values, each with the place that set it.
pub(super) type Vars = LiteMap<String, (Value, Origin)>;

/// Replaces `{name}` by a value of the instance's `foreach` or by a variable.
#[derive(Clone, Copy)]
pub(super) struct Fill<'a> {
    /// Values of the instance; empty for a stage without `foreach`.
    pub values: &'a Values,
    /// Variables of the pipeline.
    pub vars: &'a Vars,
}

impl Fill<'_> {
    /// Fills a parameter or a resource, or each element of a list. A text that is only `{name}` becomes the value
    /// itself, with its type; if that is a variable, the returned origin is the place that set the variable.
    ///
    /// # Errors
    /// Returns an error if a name is neither a value of `foreach` nor a variable.
    pub(super) fn value(self, value: Value, origin: Origin) -> Result<(Value, Origin)> {
        let text = match value {
            Value::String(text) => text,
            Value::Array(elements) => {
                let filled = elements.into_iter().map(|element| Ok(self.value(element, origin.clone())?.0));
                return Ok((Value::Array(filled.collect::<Result<_>>()?), origin));
            }
            other => return Ok((other, origin)),
        };
        let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if let Some(name) = whole {
            if let Some((_, value)) = self.values.iter().find(|(known, _)| known == name) {
                return Ok((value.clone(), origin));
            }
            if let Some(var) = self.vars.get(name) {
                return Ok(var.clone());
            }
        }
        let text = self.text(text, &origin)?;
        Ok((Value::String(text), origin))
    }

    /// Fills the source or artifact that an input reads. After `@`, a value is written as in the names of instances.
    ///
    /// # Errors
    /// Returns an error if a name is neither a value of `foreach` nor a variable.
    pub(super) fn input(self, text: String, origin: &Origin) -> Result<String> {
        self.filled(text, origin, |value, before, after| {
            let value = value_text(value);
            // The last value of a name may contain hyphens.
            let last = !after.split('.').next().unwrap_or_default().contains('-');
            if before.contains(AT) { code(&value, last) } else { value }
        })
    }

    /// Fills a text; `{{name}}` stands for the text `{name}`. Braces around anything that is not a name stay.
    /// Without `foreach` and variables, all braces stay.
    ///
    /// # Errors
    /// Returns an error if a name is neither a value of `foreach` nor a variable.
    pub(super) fn text(self, text: String, origin: &Origin) -> Result<String> {
        self.filled(text, origin, |value, _, _| value_text(value))
    }

    /// Fills a text. `write` gets each value and the texts before and after it.
    fn filled(
        self,
        text: String,
        origin: &Origin,
        write: impl Fn(&Value, &str, &str) -> String,
    ) -> Result<String> {
        if self.values.is_empty() && self.vars.is_empty() {
            return Ok(text);
        }
        let mut filled = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let named = after.split_once('}').filter(|(name, _)| is_name(name));
            let literal = after.strip_prefix('{').and_then(|inside| inside.split_once("}}"));
            if let Some((name, after)) = literal.filter(|(name, _)| is_name(name)) {
                filled.push_str(&format!("{{{name}}}"));
                rest = after;
                continue;
            }
            rest = match named {
                Some((name, after)) => {
                    let value = self.find(name).ok_or_else(|| self.unknown(name, &text, origin))?;
                    let value = write(value, &filled, after);
                    filled.push_str(&value);
                    after
                }
                None => {
                    filled.push('{');
                    after
                }
            };
        }
        Ok(filled + rest)
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let value = self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        value.or_else(|| self.vars.get(name).map(|(value, _)| value))
    }

    fn unknown(&self, name: &str, text: &str, origin: &Origin) -> Error {
        let known = self.values.iter().map(|(name, _)| name.as_str());
        let known = known.chain(self.vars.keys().map(String::as_str));
        let help = format!("{}; write `{{{{{name}}}}}` for the text `{{{name}}}`", suggest(name, known));
        origin.declaration_error(
            format!("`{name}` in `{text}` is neither a value of `foreach` nor a variable"),
            "in this value",
            help,
        )
    }
}
