//! Values of parameters, checked against the declared type and bounds.

use serde_json::Value;

use super::param::{ParamDecl, ParamType};

/// Problem of a value, and the remedy.
type Refusal = (String, String);

impl ParamDecl {
    /// Returns the value as JSON if it has the declared type and is within the declared bounds.
    ///
    /// # Errors
    /// Returns the problem of the value, and the remedy. The problem of a list names its first invalid element.
    pub fn accept(&self, value: &toml::Value) -> Result<Value, (String, String)> {
        if self.kind == ParamType::List {
            return self.accept_list(value);
        }
        self.accept_scalar(value).map_err(|problem| (format!("`{value}` {problem}"), self.help()))
    }

    fn accept_list(&self, value: &toml::Value) -> Result<Value, Refusal> {
        let Some(elements) = value.as_array() else {
            return Err((format!("`{value}` is not a list"), self.help()));
        };
        let count = elements.len();
        let short = self.min_length.is_some_and(|least| count < least);
        if short || self.max_length.is_some_and(|most| count > most) {
            let (count, elements) = (elements.len(), if count == 1 { "element" } else { "elements" });
            return Err((format!("a list of {count} {elements} is not a valid value"), self.help()));
        }
        let accept = |(position, element): (usize, &toml::Value)| {
            let problem = |problem| (format!("element {position} (`{element}`) {problem}"), self.help());
            self.accept_scalar(element).map_err(problem)
        };
        (1..).zip(elements).map(accept).collect()
    }

    /// Accepts a value, or an element of a list. The error completes a sentence that begins with the value.
    fn accept_scalar(&self, value: &toml::Value) -> Result<Value, String> {
        let accepted = match (self.scalar(), value) {
            (ParamType::Int, toml::Value::Integer(i)) => Value::from(*i),
            (ParamType::Float, toml::Value::Integer(i)) => Value::from(*i as f64),
            (ParamType::Float, toml::Value::Float(f)) if f.is_finite() => Value::from(*f + 0.0), // -0.0 is 0.0
            (ParamType::Bool, toml::Value::Boolean(b)) => Value::from(*b),
            (ParamType::String, toml::Value::String(s)) => Value::from(s.as_str()),
            (ParamType::Float, number) if is_infinite(number) => return Err("is not a finite number".into()),
            (kind, _) => return Err(format!("is not of type {}", type_name(kind))),
        };
        let number = accepted.as_f64();
        let low = self.min.zip(number).is_some_and(|(min, n)| n < min);
        let high = self.max.zip(number).is_some_and(|(max, n)| n > max);
        let foreign = !self.choices.is_empty()
            && accepted.as_str().is_some_and(|s| !self.choices.iter().any(|c| c == s));
        if low || high || foreign { Err("is not a valid value".into()) } else { Ok(accepted) }
    }

    fn help(&self) -> String {
        format!("use {}, e.g. {}", self.wanted(), self.default.get_ref())
    }

    /// Description of valid values, for help and errors.
    pub fn wanted(&self) -> String {
        let bounds = match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        };
        let choices = self.choices.join(", ");
        let name = type_name(self.scalar());
        if self.kind == ParamType::List {
            let each = if choices.is_empty() { choices } else { format!(", each one of: {choices}") };
            return format!("a list of {}{bounds}{each}", self.counted(name));
        }
        match (choices.is_empty(), self.kind) {
            (false, _) => format!("one of: {choices}"),
            (true, ParamType::Int) => format!("an {name}{bounds}"),
            (true, _) => format!("a {name}{bounds}"),
        }
    }

    /// Returns the name of the elements with their valid number, e.g. `1 to 4 integers`.
    fn counted(&self, name: &str) -> String {
        let (number, last) = match (self.min_length.filter(|least| *least > 0), self.max_length) {
            (None, None) => return format!("{name}s"),
            (Some(least), None) => (format!("at least {least}"), least),
            (None, Some(most)) => (format!("at most {most}"), most),
            (Some(least), Some(most)) if least == most => (most.to_string(), most),
            (Some(least), Some(most)) => (format!("{least} to {most}"), most),
        };
        format!("{number} {name}{}", if last == 1 { "" } else { "s" })
    }

    /// Type of the value, or of the elements of a list.
    pub fn scalar(&self) -> ParamType {
        self.elements.map_or(self.kind, ParamType::from)
    }
}

/// Returns true for a number that is not finite. One that is too large for TOML, such as `1e400`, is a text.
fn is_infinite(value: &toml::Value) -> bool {
    let number = value.as_float().or_else(|| value.as_str()?.parse().ok());
    number.is_some_and(|number: f64| !number.is_finite())
}

fn type_name(kind: ParamType) -> &'static str {
    match kind {
        ParamType::Int => "integer",
        ParamType::Float => "number",
        ParamType::Bool => "boolean",
        ParamType::String => "string",
        ParamType::List => "list",
    }
}
