//! Kind of this machine's CPUs. The duration of a stage on another kind of CPU does not predict its duration
//! here.

use std::fs::File;
use std::io::Read as _;
use std::sync::LazyLock;

/// Instruction sets for wide vectors and 16-bit numbers, by their names in Linux.
const INSTRUCTIONS: [&str; 5] = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16"];
/// Bytes at the start of /proc/cpuinfo that contain its first CPU. Reading the file in full is slow on a
/// machine with hundreds of CPUs.
const FIRST_CPU: u64 = 8192;

/// Kind of this machine's CPUs: model and relevant instruction sets; empty if the system does not show them.
pub fn cpu_kind() -> &'static str {
    static KIND: LazyLock<String> = LazyLock::new(|| {
        let mut text = Vec::new();
        let file = File::open("/proc/cpuinfo");
        // Without this file, the kind stays unknown.
        let _ = file.and_then(|file| file.take(FIRST_CPU).read_to_end(&mut text));
        kind(&String::from_utf8_lossy(&text))
    });
    &KIND
}

/// Number of an unknown kind.
pub(super) const UNKNOWN: u32 = 0;

/// Number of this machine's kind of CPU.
pub(super) fn own_cpu_number() -> u32 {
    static NUMBER: LazyLock<u32> = LazyLock::new(|| cpu_number(cpu_kind()));
    *NUMBER
}

/// Number of a kind of CPU: the first bytes of its hash. Lists of thousands of stages contain it, because it
/// is shorter than the name.
pub(super) fn cpu_number(kind: &str) -> u32 {
    let [a, b, c, d, ..] = *blake3::hash(kind.as_bytes()).as_bytes();
    if kind.is_empty() { UNKNOWN } else { u32::from_le_bytes([a, b, c, d]) }
}

fn kind(cpuinfo: &str) -> String {
    let value = |name: &str| {
        let of = |line: &str| {
            let (key, value) = line.split_once(':')?;
            (key.trim_end() == name).then(|| value.trim().to_owned())
        };
        cpuinfo.lines().find_map(of)
    };
    // ARM CPUs have numbers instead of names.
    let numbers = || Some(format!("ARM {} {}", value("CPU implementer")?, value("CPU part")?));
    let Some(model) = value("model name").or_else(numbers) else { return String::new() };
    let flags = value("flags").or_else(|| value("Features")).unwrap_or_default();
    let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
    let found: Vec<&str> = INSTRUCTIONS.into_iter().filter(has).collect();
    if found.is_empty() { model } else { format!("{model}, {}", found.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_the_model_and_the_instructions_that_matter() {
        let intel = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx avx2 avx512f\n\n\
            processor\t: 1\nmodel name\t: another\nflags\t\t: amx_bf16\n";
        assert_eq!(kind(intel), "Intel(R) Xeon(R) Processor, avx2 avx512f");
        let arm = "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n";
        assert_eq!(kind(arm), "ARM 0x41 0xd40, bf16");
        assert_eq!(kind(""), "");
    }
}
