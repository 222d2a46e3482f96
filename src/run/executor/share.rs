//! Resources that an executor grants to an action.

/// Resources of one worker.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Number of CPUs.
    pub cpus: usize,
    /// Bytes of memory that the stage declares.
    pub memory: u64,
    /// Ids of its GPUs, as `CUDA_VISIBLE_DEVICES` takes them.
    pub gpus: Vec<String>,
}
