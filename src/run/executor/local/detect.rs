//! CPUs, memory and GPUs of this machine that a run may use.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::thread::available_parallelism;

use super::machine::Machine;
use crate::declare::Bytes;

/// Returns the resources of a run: those that the user sets or, if not set, all that this machine has.
pub fn machine(jobs: Option<u16>, memory: Option<Bytes>, ids: Option<&[String]>) -> Machine {
    let cpus = available_parallelism().map_or(1, usize::from);
    let system = rustix::system::sysinfo();
    Machine {
        cpus: jobs.map_or(cpus, usize::from),
        memory: memory.map_or(system.totalram as u64 * u64::from(system.mem_unit), |bytes| bytes.0),
        gpus: ids.map_or_else(gpus, |ids| visible(ids.iter().map(String::as_str))),
    }
}

/// Returns the distinct ids before the first negative one, as CUDA reads them.
fn visible<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let ids = ids.take_while(|id| !id.starts_with('-')).filter(|id| !id.is_empty());
    ids.filter(|id| seen.insert(*id)).map(str::to_owned).collect()
}

/// Returns the ids in `CUDA_VISIBLE_DEVICES` or, if it is not set, one id for each device that the driver
/// shows. CUDA counts devices from 0, independent of their names: a container with only `/dev/nvidia3` sees
/// it as GPU 0.
fn gpus() -> Vec<String> {
    if let Ok(visible) = env::var("CUDA_VISIBLE_DEVICES") {
        return self::visible(visible.split(','));
    }
    let devices = fs::read_dir("/dev").into_iter().flatten().flatten();
    let names = devices.filter_map(|entry| entry.file_name().into_string().ok());
    let devices =
        names.filter(|name| name.strip_prefix("nvidia").is_some_and(|id| id.parse::<u32>().is_ok()));
    (0..devices.count()).map(|id| id.to_string()).collect()
}
