//! Device and precision of networks.

use anyhow::Result;
use callsheet_worker::{Job, refusal};
use serde::Deserialize;
use tch::{Cuda, Device, Kind};

/// Kinds of numbers that convolutions are computed in; weights and losses are float32 all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    /// float32.
    Fp32,
    /// float32, of which GPUs multiply the first 11 of 24 binary digits; on CPUs the same as [`Self::Fp32`].
    Tf32,
    /// bfloat16.
    Bf16,
}

impl Precision {
    /// The kind of a tensor.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Fp32 | Self::Tf32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// A device, and the kind of what convolutions compute on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compute {
    /// Device of parameters and images.
    pub device: Device,
    /// Kind that convolutions are computed in.
    pub kind: Kind,
}

impl Compute {
    /// float32 on the CPUs.
    pub(crate) const CPU: Self = Self { device: Device::Cpu, kind: Kind::Float };

    /// What a stage's parameters `device` and `precision` ask for; says so where it is no CPU. Where it is to be
    /// `deterministic`, GPUs convolve by libtorch's own kernels: cuDNN's gradients differ from run to run.
    ///
    /// # Errors
    /// When there is no such device.
    pub(crate) fn choose(job: &Job, device: &str, precision: Precision, deterministic: bool) -> Result<Self> {
        if precision == Precision::Fp32 {
            forbid_tf32();
        }
        let device = self::device(device, Cuda::device_count()).map_err(|error| {
            let help = "set device to auto or cpu; a stage is given GPUs by [stages.NAME.resources] gpus = 1";
            refusal(format!("{error}"), help)
        })?;
        if let Device::Cuda(number) = device {
            Cuda::set_user_enabled_cudnn(!deterministic);
            job.info(format!("computes on cuda:{number}"));
        }
        Ok(Self::new(job, device, precision))
    }

    /// The CPUs with a stage's parameter `precision`; warns if it is bf16 and the CPUs lack instructions for it.
    pub(crate) fn on_cpu(job: &Job, precision: Precision) -> Self {
        Self::new(job, Device::Cpu, precision)
    }

    fn new(job: &Job, device: Device, precision: Precision) -> Self {
        #[expect(clippy::disallowed_methods, reason = "only a warning depends on them")]
        let limit = LIMITS.into_iter().find_map(|name| std::env::var(name).ok());
        if device == Device::Cpu
            && precision == Precision::Bf16
            && !has_bf16(cpu_has_bf16(), limit.as_deref())
        {
            job.warn(
                "precision = \"bf16\" is slower than \"fp32\" here: this CPU has no instructions for bfloat16, so \
                 they are emulated; set precision = \"fp32\"",
            );
        }
        Self { device, kind: precision.kind() }
    }
}

/// Forbids the libraries of GPUs to multiply float32 as TF32, which libtorch allows them in convolutions. It must be called
/// before they are loaded, which the first computation on a GPU does.
#[expect(unsafe_code, reason = "libtorch's switch for it is not in tch")]
fn forbid_tf32() {
    // SAFETY: the stage has just begun, so no other thread reads the environment.
    unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
}

/// Variables that limit the instructions of oneDNN, which computes convolutions: the name and its older form.
const LIMITS: [&str; 2] = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];
/// Values of [`LIMITS`] that leave bfloat16 out.
const WITHOUT_BF16: [&str; 6] = ["SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"];

/// Returns true if the CPU's instructions for bfloat16 are `there` and the `limit` allows them.
fn has_bf16(there: bool, limit: Option<&str>) -> bool {
    there && !limit.is_some_and(|limit| WITHOUT_BF16.iter().any(|name| name.eq_ignore_ascii_case(limit)))
}

#[cfg(target_arch = "x86_64")]
fn cpu_has_bf16() -> bool {
    // CPUs with AMX have these too.
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

/// The device that `name` means where there are `count` GPUs: `cpu`, `cuda:N`, or `auto`, the first GPU if any.
///
/// # Errors
/// When it is none, or not there.
pub(crate) fn device(name: &str, count: i64) -> Result<Device> {
    let number = name.strip_prefix("cuda:").and_then(|number| number.parse::<u32>().ok()).map(i64::from);
    match (name, number) {
        ("cpu", _) => Ok(Device::Cpu),
        ("auto", _) => Ok(if count > 0 { Device::Cuda(0) } else { Device::Cpu }),
        (_, Some(number)) if number < count => Ok(Device::Cuda(number as usize)),
        (_, Some(_)) => {
            let there: Vec<String> = (0..count).map(|number| format!("cuda:{number}")).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            Err(refusal(
                format!("device = {name} is not there; GPUs that may be used: {there}"),
                "say auto or cpu, or use a libtorch with CUDA and CUDA_VISIBLE_DEVICES that has the GPU",
            ))
        }
        _ => {
            Err(refusal(format!("device = \"{name}\" is no device"), "say auto, cpu, or cuda:0, cuda:1, .."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_slow_where_its_instructions_are_missing_or_not_allowed() {
        assert!(has_bf16(true, None));
        assert!(has_bf16(true, Some("AVX512_CORE_AMX")));
        assert!(!has_bf16(true, Some("avx2")));
        assert!(!has_bf16(false, None));
    }

    #[test]
    fn a_device_is_the_one_that_is_named_or_refused() {
        assert_eq!(device("auto", 0).expect("one"), Device::Cpu);
        assert_eq!(device("auto", 2).expect("one"), Device::Cuda(0));
        assert_eq!(device("cpu", 2).expect("one"), Device::Cpu);
        assert_eq!(device("cuda:1", 2).expect("one"), Device::Cuda(1));
        let error = |name, count| device(name, count).expect_err("refused").to_string();
        assert_eq!(error("cuda:2", 2), "device = cuda:2 is not there; GPUs that may be used: cuda:0, cuda:1");
        assert!(error("cuda:0", 0).ends_with("may be used: none"));
        assert_eq!(
            error("cuda:18446744073709551615", 1),
            "device = \"cuda:18446744073709551615\" is no device"
        );
        assert_eq!(error("gpu", 1), "device = \"gpu\" is no device");
    }
}
