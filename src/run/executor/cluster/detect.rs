//! Declaration of an executor from what Slurm reports about its partitions.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use super::slurm::partitions_in_detail;

/// Partition, as `sinfo -o '%R|%c|%m|%G|%l'` reports it.
#[derive(Debug, PartialEq)]
struct Partition {
    name: String,
    cpus: usize,
    /// Memory in MiB.
    memory: u64,
    gpus: usize,
    gpu_type: Option<String>,
    time: Option<String>,
}

/// Returns the declaration of an executor `name` with a class for each kind of node of each partition. Partitions with the
/// least GPUs come first, because a stage runs in the first class that has its resources.
///
/// # Errors
/// Returns an error if Slurm's programs are not on PATH, or if they do not answer.
pub fn detect_executor(name: &str) -> Result<String> {
    let mut found: Vec<Partition> = partitions_in_detail()?.iter().filter_map(|line| parse(line)).collect();
    if found.is_empty() {
        return Err(Error::user_error(
            Code::Busy,
            "sinfo lists no partitions",
            "`sinfo` shows the state of the cluster",
        ));
    }
    found.sort_by(|a, b| (a.gpus, &a.name).cmp(&(b.gpus, &b.name)));
    found.dedup();
    let mut text = format!("[executors.{name}]\nkind = \"slurm\"\n");
    for Partition { name: partition, cpus, memory, gpus, gpu_type, time } in found {
        text += &format!(
            "\n[[executors.{name}.classes]]\npartition = \"{partition}\"\ncpus = {cpus}\nmemory = \"{memory} MiB\"\n"
        );
        if gpus > 0 {
            text += &format!("gpus = {gpus}\n");
        }
        text += &gpu_type.map(|kind| format!("gpu_type = \"{kind}\"\n")).unwrap_or_default();
        text += &time.map(|time| format!("time = \"{time}\"\n")).unwrap_or_default();
    }
    Ok(text)
}

fn parse(line: &str) -> Option<Partition> {
    let fields: Vec<&str> = line.trim().split('|').collect();
    let [name, cpus, memory, gres, time] = fields[..] else { return None };
    let number = |text: &str| text.trim_end_matches('+').parse::<u64>().ok();
    let (gpu_type, gpus) = gpus(gres);
    Some(Partition {
        name: name.to_owned(),
        cpus: number(cpus)? as usize,
        memory: number(memory)?,
        gpus,
        gpu_type,
        time: limit(time),
    })
}

/// Type and number of GPUs: `gpu:a100:4(S:0-1)`, `gpu:2` or `(null)`.
fn gpus(gres: &str) -> (Option<String>, usize) {
    let gpu = gres.split(',').find_map(|part| part.strip_prefix("gpu:"));
    let Some(gpu) = gpu.and_then(|gpu| gpu.split('(').next()) else { return (None, 0) };
    match gpu.split_once(':') {
        Some((kind, count)) => (Some(kind.to_owned()), count.parse().unwrap_or_default()),
        None => (None, gpu.parse().unwrap_or_default()),
    }
}

/// Time limit in the form of executors: `2-12:00:00` is `2d 12h`; `None` for no limit.
fn limit(time: &str) -> Option<String> {
    let (days, rest) = time.split_once('-').unwrap_or(("0", time));
    let parts: Vec<u64> = rest.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let seconds = match parts[..] {
        [hours, minutes, seconds] => hours * 3600 + minutes * 60 + seconds,
        [minutes, seconds] => minutes * 60 + seconds,
        _ => return None,
    };
    let seconds = days.parse::<u64>().ok()? * 86_400 + seconds;
    (seconds > 0).then(|| humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read_with_their_gpus_and_limits() {
        let found = parse("gpu|64|515000|gpu:a100:4(S:0-1)|2-12:00:00").expect("a partition");
        assert_eq!((found.cpus, found.memory, found.gpus), (64, 515_000, 4));
        assert_eq!((found.gpu_type.as_deref(), found.time.as_deref()), (Some("a100"), Some("2days 12h")));
        let found = parse("main|1|1000+|(null)|infinite").expect("a partition");
        assert_eq!((found.memory, found.gpus, found.time), (1000, 0, None));
        assert_eq!(gpus("gpu:2"), (None, 2));
        assert_eq!(limit("30:00").as_deref(), Some("30m"));
        assert_eq!(parse("main|1"), None);
    }
}
