//! `[resources]` of a stage.toml: CPUs, memory and GPUs of a worker, its time limit and its retries.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use callsheet_worker::error::suggest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::origin::plain_words;

/// Resources of one worker. Changing them never invalidates a result.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResourcesDecl {
    /// CPUs of the worker: a number, or `"all"` for all CPUs that the run may use. Default: 1.
    pub cpus: Cpus,
    /// Memory reserved for the worker: a number of bytes, or a size such as `"4 GB"`. Default: 0.
    pub memory: Bytes,
    /// Number of GPUs; the worker finds their ids in `CUDA_VISIBLE_DEVICES`. Default: 0.
    pub gpus: usize,
    /// Seconds after which the worker is stopped and has failed. Default: no limit.
    pub timeout_seconds: Option<Seconds>,
    /// Number of times that the worker is started again after a failure. Default: 0.
    pub retries: u32,
    /// Longest duration of one job on a cluster, e.g. `"12h"`. Shortly before its end, the worker is asked for a checkpoint,
    /// and another job resumes from it. Default: the limit of the partition.
    pub time: Option<TimeLimit>,
    /// True if the stage needs so little that it runs where callsheet runs, also with `run --on`. Default: true if
    /// the stage declares `enumerates_rows`, otherwise false.
    pub light: bool,
    /// Executor of the stage: a name under `executors` in callsheet.toml, or `"local"` for the machine on which callsheet
    /// runs. Default: the executor of `run --on`, otherwise `"local"`.
    pub executor: Option<String>,
}

impl Default for ResourcesDecl {
    fn default() -> Self {
        Self {
            cpus: Cpus::Count(1),
            memory: Bytes(0),
            gpus: 0,
            timeout_seconds: None,
            retries: 0,
            time: None,
            light: false,
            executor: None,
        }
    }
}

impl ResourcesDecl {
    /// Names of the fields.
    pub const NAMES: [&str; 8] =
        ["cpus", "memory", "gpus", "timeout_seconds", "retries", "time", "light", "executor"];

    /// Sets a field by name.
    ///
    /// # Errors
    /// Returns the problem and the remedy if the field does not exist, or the value is not valid for it.
    pub fn set(&mut self, name: &str, value: &toml::Value) -> Result<(), (String, String)> {
        let value = value.clone();
        let set = match name {
            "cpus" => value.try_into().map(|cpus| self.cpus = cpus),
            "memory" => value.try_into().map(|memory| self.memory = memory),
            "gpus" => value.try_into().map(|gpus| self.gpus = gpus),
            "timeout_seconds" => value.try_into().map(|seconds| self.timeout_seconds = Some(seconds)),
            "retries" => value.try_into().map(|retries| self.retries = retries),
            "time" => value.try_into().map(|time| self.time = Some(time)),
            "light" => value.try_into().map(|light| self.light = light),
            "executor" => value.try_into().map(|executor| self.executor = Some(executor)),
            _ => return Err((format!("unknown resource `{name}`"), suggest(name, Self::NAMES))),
        };
        let help = match name {
            "cpus" => "write e.g. cpus = 2, or cpus = \"all\"",
            "memory" => "write e.g. memory = \"4 GB\"",
            "gpus" => "write e.g. gpus = 1",
            "timeout_seconds" => "write e.g. timeout_seconds = 60",
            "time" => "write e.g. time = \"12h\"",
            "light" => "write light = true or light = false",
            "executor" => "write the name of an executor, e.g. executor = \"local\"",
            _ => "write e.g. retries = 2",
        };
        set.map_err(|error| (plain_words(error.to_string().trim_end()), help.to_owned()))
    }
}

/// CPUs of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// A number of CPUs.
    Count(usize),
    /// All CPUs that the run may use: `"all"`.
    All,
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(n) if n >= 1 => Ok(Self::Count(n as usize)),
            toml::Value::String(s) if s == "all" => Ok(Self::All),
            other => Err(de::Error::custom(format!(
                "`cpus = {other}` is not valid: use a number of at least 1, or \"all\""
            ))),
        }
    }
}

impl Serialize for Cpus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::All => "all".serialize(serializer),
        }
    }
}

/// A duration in seconds, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds(pub f64);

/// Longest duration in seconds: about three centuries.
const LONGEST: f64 = 1e10;

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if seconds > 0.0 && seconds <= LONGEST {
            return Ok(Self(seconds));
        }
        Err(de::Error::custom(format!(
            "`{seconds}` is not a valid duration: use a number of seconds above 0 and at most 1e10"
        )))
    }
}

/// A time limit of at least a second, written as `"12h"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeLimit(pub Duration);

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&humantime::format_duration(self.0).to_string())
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let text = value.as_str().and_then(|text| humantime::parse_duration(text.trim()).ok());
        let longest = Duration::from_secs_f64(LONGEST);
        text.filter(|time| (Duration::from_secs(1)..=longest).contains(time)).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "`{value}` is not a valid time: write e.g. \"12h\", \"90m\" or \"1h 30m\", at least \"1s\""
            ))
        })
    }
}

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_string().serialize(serializer)
    }
}

/// A number of bytes, written as a number or as `"4 GB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes(pub u64);

/// Formats a size for people: `812 B`, `1.5 MB`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&ByteSize(self.0).display().si().to_string())
    }
}

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `ByteSize` reads a size that is too large as the largest size, so that one is rejected.
        let size = text.trim().parse::<ByteSize>().ok().filter(|size| size.0 < u64::MAX);
        size.map(|size| Self(size.0))
            .ok_or_else(|| format!("`{text}` is not a valid size: write e.g. \"4 GB\" or \"512 MiB\""))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Integer(n) if n >= 0 => Ok(Self(n as u64)),
            toml::Value::String(text) => text.parse().map_err(de::Error::custom),
            other => Err(de::Error::custom(format!("`{other}` is not a valid size: write e.g. \"4 GB\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |text: &str| toml::Value::from(text).try_into::<TimeLimit>();
        let times = ["12h", "1h 30m", "5s", "2 min", "1d"].map(|text| read(text).expect(text).0.as_secs());
        assert_eq!(times, [43_200, 5_400, 5, 120, 86_400]);
        for text in ["", "12", "10ms", "soon", "-1h", "10000000 days"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(toml::Value::from(12).try_into::<TimeLimit>().is_err(), "a number has no unit");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let sizes = ["512", "4 GB", "1.5GiB", "2 kB", "7 B"].map(|text| text.parse::<Bytes>().expect(text).0);
        assert_eq!(sizes, [512, 4_000_000_000, 1_610_612_736, 2_000, 7]);
        for text in ["", "GB", "four GB", "-1 GB", "inf GB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
