//! Errors for cases in which libtorch runs out of memory.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use anyhow::Result;
use callsheet_worker::user_error;

/// Texts in messages of libtorch, and the memory to which each refers.
const MESSAGES: [(&str, &str); 5] = [
    ("CUDA out of memory", "the GPU"),
    ("CUDA error: out of memory", "the GPU"),
    ("CUBLAS_STATUS_ALLOC_FAILED", "the GPU"),
    ("CUDNN_STATUS_ALLOC_FAILED", "the GPU"),
    ("DefaultCPUAllocator: can't allocate memory", "this machine"),
];

const HELP: &str = "lower the stage's parameters batch, crop or nf, or set precision = \"bf16\"; `nvidia-smi` lists other \
                    programs that use the GPU";

/// Runs a stage. Most calls of libtorch panic when they fail. If memory runs out, the panic is converted to
/// an error with a remedy.
///
/// # Errors
/// Returns the error of `run`, or an error if memory runs out.
pub(crate) fn guarded(run: impl FnOnce() -> Result<()>) -> Result<()> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| out_of_memory(&format!("{error:#}")).unwrap_or(error)),
        Err(panic) => {
            Err(text(panic.as_ref()).and_then(out_of_memory).unwrap_or_else(|| resume_unwind(panic)))
        }
    }
}

/// Message of a panic.
pub(crate) fn text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())
}

/// Returns the error for a `message` in which libtorch reports that memory ran out.
fn out_of_memory(message: &str) -> Option<anyhow::Error> {
    let (_, of) = MESSAGES.into_iter().find(|(text, _)| message.contains(text))?;
    // "Tried to allocate 2.00 GiB. GPU 0 has ..", "you tried to allocate 4096 bytes. Error code 12"
    let size =
        message.split_once("ried to allocate ").map(|(_, rest)| rest.split(". ").next().unwrap_or(rest));
    Some(user_error(format!("{of} is out of memory: cannot allocate {}", size.unwrap_or("a tensor")), HELP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_memory_is_an_error_with_the_size_and_a_remedy() {
        let cuda = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB";
        let error = guarded(|| panic!("called `Result::unwrap()` on an `Err` value: Torch(\"{cuda}\")"));
        let error = error.expect_err("refused");
        assert_eq!(error.to_string(), "the GPU is out of memory: cannot allocate 2.00 GiB");
        assert_eq!(callsheet_worker::help_of(&error).as_deref(), Some(HELP));
        let cpu =
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes. Error code 12";
        let error = guarded(|| Err(anyhow::anyhow!("{cpu}"))).expect_err("refused");
        assert_eq!(error.to_string(), "this machine is out of memory: cannot allocate 4096 bytes");
    }

    #[test]
    fn other_errors_and_panics_stay_as_they_are() {
        let error = guarded(|| Err(anyhow::anyhow!("no such file"))).expect_err("an error");
        assert_eq!(error.to_string(), "no such file");
        let panic = catch_unwind(|| guarded(|| panic!("a bug"))).expect_err("a panic");
        assert_eq!(text(panic.as_ref()), Some("a bug"));
    }
}
