//! Allocation of the machine's CPUs, memory and GPUs to workers.

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, Result};

use crate::declare::{Bytes, Cpus, ResourcesDecl};
use crate::run::executor::share::Share;

/// Resources that all workers of a run share.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Number of CPUs.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Ids of GPUs, as `CUDA_VISIBLE_DEVICES` takes them.
    pub gpus: Vec<String>,
}

impl Machine {
    /// Rejects a stage that this machine can never serve. CPUs are not checked, because a stage that needs
    /// more than there are gets all of them.
    ///
    /// # Errors
    /// Returns an error if the stage needs more memory or GPUs than there are.
    pub fn check(&self, stage: &str, wanted: &ResourcesDecl) -> Result<()> {
        if wanted.gpus > self.gpus.len() {
            let needed = if wanted.gpus == 1 { "1 GPU".to_owned() } else { format!("{} GPUs", wanted.gpus) };
            let found = match self.gpus.len() {
                0 => "no GPUs".to_owned(),
                count => format!("only {count} (ids: {})", self.gpus.join(", ")),
            };
            return Err(Error::user_error(
                Code::Resources,
                format!("stage `{stage}` needs {needed}, but the run has {found}"),
                "name GPUs with --gpus, e.g. --gpus 0,1",
            ));
        }
        if wanted.memory.0 > self.memory {
            return Err(Error::user_error(
                Code::Resources,
                format!(
                    "stage `{stage}` needs {} of memory, but the run may use only {}",
                    wanted.memory,
                    Bytes(self.memory)
                ),
                format!("raise --memory, or lower `memory` of stage `{stage}`"),
            ));
        }
        Ok(())
    }

    /// Takes the resources that a stage declares, if all of them are free; `whole` is the idle machine.
    pub fn take(&mut self, wanted: &ResourcesDecl, whole: &Machine) -> Option<Share> {
        let cpus = match wanted.cpus {
            Cpus::All => whole.cpus,
            Cpus::Count(count) => count.min(whole.cpus),
        };
        if cpus > self.cpus || wanted.memory.0 > self.memory || wanted.gpus > self.gpus.len() {
            return None;
        }
        self.cpus -= cpus;
        self.memory -= wanted.memory.0;
        let gpus = self.gpus.drain(..wanted.gpus).collect();
        Some(Share { cpus, memory: wanted.memory.0, gpus })
    }

    /// Frees a share.
    pub fn give(&mut self, share: Share) {
        self.cpus += share.cpus;
        self.memory += share.memory;
        self.gpus.extend(share.gpus);
        self.gpus.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(cpus: usize, memory: u64, gpus: usize) -> ResourcesDecl {
        ResourcesDecl { cpus: Cpus::Count(cpus), memory: Bytes(memory), gpus, ..ResourcesDecl::default() }
    }

    #[test]
    fn no_resource_is_taken_twice_and_all_are_returned() {
        let whole = Machine { cpus: 4, memory: 10, gpus: vec!["0".into(), "1".into()] };
        let mut free = whole.clone();
        let first = free.take(&wanted(1, 6, 1), &whole).expect("free");
        assert_eq!(first.gpus, ["0"]);
        assert!(free.take(&wanted(1, 6, 0), &whole).is_none(), "memory");
        assert!(free.take(&wanted(1, 0, 2), &whole).is_none(), "GPUs");
        let second = free.take(&wanted(9, 4, 1), &whole);
        assert!(second.is_none(), "9 CPUs are limited to the machine's 4, and only 3 are free");
        let second = free.take(&wanted(3, 4, 1), &whole).expect("free");
        assert_eq!(second.gpus, ["1"]);
        free.give(second);
        free.give(first);
        assert_eq!((free.cpus, free.memory, free.gpus), (4, 10, vec!["0".to_owned(), "1".to_owned()]));
    }
}
