//! `[resources]` of a stage.toml: what a worker needs of the machine, and how long it may try.

use std::fmt;

use bytesize::ByteSize;
use callsheet_worker::error::suggest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// Resources of one worker.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResourcesDecl {
    /// CPUs of those the run may use.
    pub cpus: Cpus,
    /// Memory that is kept free for it.
    pub memory: Bytes,
    /// GPUs; their ids are in its `CUDA_VISIBLE_DEVICES`.
    pub gpus: usize,
    /// Seconds after which it is ended and has failed.
    pub timeout_seconds: Option<Seconds>,
    /// Times that it is started again after a failure.
    pub retries: u32,
}

impl Default for ResourcesDecl {
    fn default() -> Self {
        Self { cpus: Cpus::Count(1), memory: Bytes(0), gpus: 0, timeout_seconds: None, retries: 0 }
    }
}

impl ResourcesDecl {
    /// Names of its fields.
    pub const NAMES: [&str; 5] = ["cpus", "memory", "gpus", "timeout_seconds", "retries"];

    /// Sets a field by name.
    ///
    /// # Errors
    /// When there is none of that name, or the value is none of it.
    pub fn set(&mut self, name: &str, value: &toml::Value) -> Result<(), (String, String)> {
        let value = value.clone();
        let set = match name {
            "cpus" => value.try_into().map(|cpus| self.cpus = cpus),
            "memory" => value.try_into().map(|memory| self.memory = memory),
            "gpus" => value.try_into().map(|gpus| self.gpus = gpus),
            "timeout_seconds" => value.try_into().map(|seconds| self.timeout_seconds = Some(seconds)),
            "retries" => value.try_into().map(|retries| self.retries = retries),
            _ => return Err((format!("there is no resource `{name}`"), suggest(name, Self::NAMES))),
        };
        let help = "as in a stage.toml: cpus = 2 or \"all\", memory = \"4 GB\", gpus = 1, timeout_seconds = 60, retries = 2";
        set.map_err(|error| (error.to_string().trim_end().to_owned(), help.to_owned()))
    }
}

/// Number of CPUs that a stage takes of those the run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// A number.
    Count(usize),
    /// `"all"`.
    All,
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(n) if n >= 1 => Ok(Self::Count(n as usize)),
            toml::Value::String(s) if s == "all" => Ok(Self::All),
            other => Err(de::Error::custom(format!("cpus = {other}: a number of at least 1, or \"all\""))),
        }
    }
}

/// A time that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub f64);

/// Some three centuries.
const LONGEST: f64 = 1e10;

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if seconds > 0.0 && seconds <= LONGEST {
            return Ok(Self(seconds));
        }
        Err(de::Error::custom(format!("{seconds} is no time to wait: a number of seconds above 0")))
    }
}

/// A number of bytes, written as a number or as `"4 GB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// As people read them: `812 B`, `1.5 MB`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&ByteSize(self.0).display().si().to_string())
    }
}

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A size that is too large is read as the largest.
        let size = text.trim().parse::<ByteSize>().ok().filter(|size| size.0 < u64::MAX);
        size.map(|size| Self(size.0))
            .ok_or_else(|| format!("`{text}` is not a valid size: e.g. \"4 GB\" or \"512 MiB\""))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(n) if n >= 0 => Ok(Self(n as u64)),
            toml::Value::String(text) => text.parse().map_err(de::Error::custom),
            other => Err(de::Error::custom(format!("`{other}` is not a valid size: e.g. \"4 GB\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let sizes = ["512", "4 GB", "1.5GiB", "2 kB", "7 B"].map(|text| text.parse::<Bytes>().expect(text).0);
        assert_eq!(sizes, [512, 4_000_000_000, 1_610_612_736, 2_000, 7]);
        for text in ["", "GB", "four GB", "-1 GB", "inf GB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
