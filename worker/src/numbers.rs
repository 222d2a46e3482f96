//! Numbers in events, as programs in many languages write them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// A number that may be written by its name if it is not finite.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Name(String),
}

/// Reads a number, `"NaN"`, `"Infinity"` or `"-Infinity"`.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    match Number::deserialize(from)? {
        Number::Number(number) => Ok(number),
        Number::Name(name) => name.parse().map_err(|_| D::Error::custom(format!("`{name}` is not a number"))),
    }
}

/// Writes a number; one that is not finite is written by its name, because JSON has no such numbers.
pub(crate) fn write_number<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    match *number {
        number if number.is_finite() => to.serialize_f64(number),
        number if number.is_nan() => to.serialize_str("NaN"),
        number => to.serialize_str(if number > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

/// Reads a count, which may be written as a float without a fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
pub(crate) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Integer(u64),
        Float(f64),
    }
    match Count::deserialize(from)? {
        Count::Integer(count) => Ok(count),
        Count::Float(count) if count.fract() == 0.0 && (0.0..9e15).contains(&count) => Ok(count as u64),
        Count::Float(count) => Err(D::Error::custom(format!("`{count}` is not a count"))),
    }
}
