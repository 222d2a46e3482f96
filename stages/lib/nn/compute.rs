//! Device and precision of networks.

use anyhow::Result;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;
use tch::{Cuda, Device, Kind};

/// Number format of convolutions. Weights and losses are float32 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    /// float32.
    Fp32,
    /// float32, but GPUs multiply with 11 instead of 24 significant bits. Equal to [`Self::Fp32`] on CPUs.
    Tf32,
    /// bfloat16.
    Bf16,
}

impl Precision {
    /// Type of tensors in this precision.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Fp32 | Self::Tf32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// Device, and number format of convolutions on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compute {
    /// Device of parameters and images.
    pub device: Device,
    /// Number format of convolutions.
    pub kind: Kind,
}

impl Compute {
    /// CPU with float32.
    pub(crate) const CPU: Self = Self { device: Device::Cpu, kind: Kind::Float };

    /// Returns the device and number format that a stage's parameters `device` and `precision` select. Logs
    /// the device if it is a GPU.
    ///
    /// If the computation must be `deterministic`, GPUs convolve with libtorch's own kernels, because cuDNN's
    /// gradients differ from run to run.
    ///
    /// # Errors
    /// Returns an error if the device does not exist.
    pub(crate) fn choose(job: &Job, device: &str, precision: Precision, deterministic: bool) -> Result<Self> {
        if precision == Precision::Fp32 {
            forbid_tf32();
        }
        let device = self::device(device, Cuda::device_count()).map_err(|error| {
            let help = if device.starts_with("cuda:") {
                "set device to auto or cpu; to use a GPU, set device to auto, and gpus = 1 under \
                 [stages.NAME.resources] of the pipeline or profile"
            } else {
                "set device to auto, cpu, or cuda:0, cuda:1, .."
            };
            user_error(format!("{error}"), help)
        })?;
        if let Device::Cuda(number) = device {
            Cuda::set_user_enabled_cudnn(!deterministic);
            job.info(format!("computes on cuda:{number}"));
        }
        Ok(Self::new(job, device, precision))
    }

    /// Returns the CPU with a stage's parameter `precision`. Warns if it is bf16 and the CPU has no
    /// instructions for it.
    pub(crate) fn on_cpu(job: &Job, precision: Precision) -> Self {
        Self::new(job, Device::Cpu, precision)
    }

    fn new(job: &Job, device: Device, precision: Precision) -> Self {
        #[expect(clippy::disallowed_methods, reason = "only a warning depends on them")]
        let limit = LIMITS.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
        let limit = limit.as_ref().map(|(name, value)| (*name, value.as_str()));
        if device == Device::Cpu
            && precision == Precision::Bf16
            && let Some(reason) = slow_bf16(cpu_has_bf16(), limit)
        {
            job.warn(format!(
                "precision = \"bf16\" is slower than \"fp32\" here: {reason}, so they are emulated; set \
                 precision = \"fp32\""
            ));
        }
        Self { device, kind: precision.kind() }
    }
}

/// Forbids GPU libraries to multiply float32 as TF32, which libtorch allows in convolutions. It must be
/// called before the first computation on a GPU, which loads these libraries.
#[expect(unsafe_code, reason = "libtorch's switch for it is not in tch")]
fn forbid_tf32() {
    // SAFETY: the stage has just begun, so no other thread reads the environment.
    unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
}

/// Environment variables that limit the instructions of oneDNN, which computes convolutions: the current name
/// and the older one.
const LIMITS: [&str; 2] = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];
/// Values of [`LIMITS`] that exclude bfloat16.
const WITHOUT_BF16: [&str; 6] = ["SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"];

/// Reason for which bfloat16 is emulated: the `limit`, which is a variable and its value, or a CPU that lacks
/// the instructions (`there` is false). `None` if the instructions are used.
fn slow_bf16(there: bool, limit: Option<(&str, &str)>) -> Option<String> {
    match limit {
        Some((name, value)) if WITHOUT_BF16.iter().any(|isa| isa.eq_ignore_ascii_case(value)) => {
            Some(format!("{name}={value} forbids the instructions for bfloat16"))
        }
        _ if there => None,
        _ => Some("this CPU has no instructions for bfloat16".to_owned()),
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu_has_bf16() -> bool {
    // CPUs with AMX have these instructions, too.
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(target_arch = "aarch64")]
fn cpu_has_bf16() -> bool {
    std::arch::is_aarch64_feature_detected!("bf16")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_has_bf16() -> bool {
    false
}

/// Returns the device called `name` if there are `count` GPUs: `cpu`, `cuda:N`, or `auto` (the first GPU, or
/// the CPU).
///
/// # Errors
/// Returns an error if the name is not valid, or the device does not exist.
pub(crate) fn device(name: &str, count: i64) -> Result<Device> {
    let number = name.strip_prefix("cuda:").and_then(|number| number.parse::<u32>().ok()).map(i64::from);
    match (name, number) {
        ("cpu", _) => Ok(Device::Cpu),
        ("auto", _) => Ok(if count > 0 { Device::Cuda(0) } else { Device::Cpu }),
        (_, Some(number)) if number < count => Ok(Device::Cuda(number as usize)),
        (_, Some(_)) => {
            let there: Vec<String> = (0..count).map(|number| format!("cuda:{number}")).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            let help = if count > 0 {
                "use --device auto, --device cpu, or one of the available GPUs"
            } else {
                "use --device auto or --device cpu; to use a GPU, build with a libtorch with CUDA \
                 (`LIBTORCH=folder make build`), and list the GPU in CUDA_VISIBLE_DEVICES"
            };
            Err(user_error(format!("device `{name}` does not exist; available GPUs: {there}"), help))
        }
        _ => Err(user_error(
            format!("`{name}` is not a valid device"),
            "use --device auto, cpu, or cuda:0, cuda:1, ..",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_slow_where_its_instructions_are_missing_or_not_allowed() {
        let limit = |value| Some(("ONEDNN_MAX_CPU_ISA", value));
        assert_eq!(slow_bf16(true, None), None);
        assert_eq!(slow_bf16(true, limit("AVX512_CORE_AMX")), None);
        let limited = slow_bf16(true, limit("avx2")).expect("limited");
        assert_eq!(limited, "ONEDNN_MAX_CPU_ISA=avx2 forbids the instructions for bfloat16");
        let lacking = slow_bf16(false, limit("DEFAULT")).expect("lacking");
        assert_eq!(lacking, "this CPU has no instructions for bfloat16");
    }

    #[test]
    fn a_device_is_the_one_that_is_named_or_refused() {
        assert_eq!(device("auto", 0).expect("one"), Device::Cpu);
        assert_eq!(device("auto", 2).expect("one"), Device::Cuda(0));
        assert_eq!(device("cpu", 2).expect("one"), Device::Cpu);
        assert_eq!(device("cuda:1", 2).expect("one"), Device::Cuda(1));
        let error = |name, count| device(name, count).expect_err("refused").to_string();
        assert_eq!(error("cuda:2", 2), "device `cuda:2` does not exist; available GPUs: cuda:0, cuda:1");
        assert!(error("cuda:0", 0).ends_with("available GPUs: none"));
        assert_eq!(
            error("cuda:18446744073709551615", 1),
            "`cuda:18446744073709551615` is not a valid device"
        );
        assert_eq!(error("gpu", 1), "`gpu` is not a valid device");
    }
}
