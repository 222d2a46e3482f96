//! Values over which a stage is fanned out.

use std::fmt;

use litemap::LiteMap;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

use super::is_name;

/// One value for each axis, in the order of the axes.
pub type Values = Vec<(String, Value)>;

/// Largest number of instances of one stage.
const MOST: usize = 10_000;

/// Instances of one stage, each given by its values.
///
/// A declaration has one of three forms:
/// - lists, which stand for every combination; the last list varies fastest:
///   `foreach = { objective = ["v1", "v4"], seed = [0, 1, 2] }`
/// - a list of combinations: `foreach = [{ objective = "v1", w = 0.1 }, { objective = "v4", w = 0.2 }]`
/// - the name of a stage whose values are copied: `foreach = "train"`
#[derive(Clone, Debug, Default)]
pub struct Foreach {
    /// Values of each instance; empty while `like` is not resolved.
    pub all: Vec<Values>,
    /// Lists, if the declaration has this form.
    axes: Vec<Axis>,
    /// Name of the stage whose values are copied.
    pub like: Option<String>,
}

/// Name of an axis, and its values.
type Axis = (String, Vec<Value>);

impl Foreach {
    /// Lays the values of a layer over those of the layer below. If these are lists whose names the layer
    /// below has, they replace its lists of these names. Otherwise they replace all values of the layer
    /// below.
    ///
    /// # Errors
    /// Returns an error if there are too many instances.
    pub fn over(self, below: Self) -> Result<Self, String> {
        let known = |(name, _): &Axis| below.axes.iter().any(|(known, _)| known == name);
        if self.axes.is_empty() || !self.axes.iter().all(known) {
            return Ok(self);
        }
        let above = |name: &String| self.axes.iter().find(|(known, _)| known == name);
        let axes = below.axes.into_iter().map(|axis| above(&axis.0).cloned().unwrap_or(axis)).collect();
        combined(axes)
    }
}

/// Returns every combination of the values; the last axis varies fastest.
fn combined(axes: Vec<Axis>) -> Result<Foreach, String> {
    let count = axes.iter().try_fold(1usize, |count, (_, values)| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > MOST) {
        return Err(too_many());
    }
    let mut all: Vec<Values> = vec![Vec::new()];
    for (name, values) in &axes {
        let extended = |before: Values| {
            values.iter().map(move |value| [&before[..], &[(name.clone(), value.clone())]].concat())
        };
        all = all.into_iter().flat_map(extended).collect();
    }
    Ok(Foreach { all, axes, like: None })
}

impl<'de> Deserialize<'de> for Foreach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ForeachVisitor)
    }
}

struct ForeachVisitor;

impl<'de> Visitor<'de> for ForeachVisitor {
    type Value = Foreach;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of lists, a list of tables with one value for each name, or the name of a stage")
    }

    fn visit_str<E: serde::de::Error>(self, stage: &str) -> Result<Foreach, E> {
        Ok(Foreach { like: Some(stage.to_owned()), ..Foreach::default() })
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Foreach, M::Error> {
        let mut axes: Vec<(Spanned<String>, Vec<Value>)> = Vec::new();
        while let Some(axis) = map.next_entry()? {
            axes.push(axis);
        }
        axes.sort_by_key(|(name, _)| name.span().start);
        let axes = axes.into_iter().map(|(name, values)| (name.into_inner(), values)).collect();
        checked(combined(axes).map_err(M::Error::custom)?)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Foreach, S::Error> {
        let mut all = Vec::new();
        while let Some(row) = seq.next_element::<LiteMap<Spanned<String>, Value>>()? {
            let mut row: Vec<_> = row.into_iter().collect();
            row.sort_by_key(|(name, _)| name.span().start);
            all.push(row.into_iter().map(|(name, value)| (name.into_inner(), value)).collect());
        }
        checked(Foreach { all, ..Foreach::default() })
    }
}

fn checked<E: serde::de::Error>(foreach: Foreach) -> Result<Foreach, E> {
    let all = &foreach.all;
    if all.len() > MOST {
        return Err(E::custom(too_many()));
    }
    let axes = |values: &Values| values.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let Some(first) = all.first().map(axes).filter(|axes| !axes.is_empty()) else {
        return Err(E::custom("`foreach` has no values: give at least one"));
    };
    for values in all {
        if axes(values) != first {
            return Err(E::custom(format!(
                "all tables of `foreach` must have the names `{}` in this order, but one has `{}`",
                first.join(", "),
                axes(values).join(", ")
            )));
        }
        for (name, value) in values {
            if !is_name(name) {
                return Err(E::custom(format!("`{name}` is not a valid name of a `foreach` value")));
            }
            if !is_value(value) {
                let shown: String = value.to_string().chars().take(50).collect();
                return Err(E::custom(format!(
                    "foreach.{name}: `{shown}` is not a valid value: use a string, a finite number, true or false"
                )));
            }
        }
    }
    Ok(foreach)
}

fn too_many() -> String {
    format!("`foreach` creates more than {MOST} instances: use fewer values")
}

/// Returns true if a stage can be fanned out over the value.
fn is_value(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Boolean(_) => true,
        Value::Float(float) => float.is_finite(),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => false,
    }
}

/// Returns a value as text, without the quotes of a string.
pub fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
