//! Helpers that both kinds of measurement share.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error_with_code;

/// Checks that two images have equal sizes.
pub(super) fn check_sizes([a, b]: [&Path; 2], sizes: [(u32, u32); 2]) -> Result<()> {
    let [x, y] = sizes.map(|(width, height)| format!("{width}x{height}"));
    if x == y {
        return Ok(());
    }
    Err(user_error_with_code(
        Code::Unsupported,
        format!("`{}` has {x} pixels, but `{}` has {y}", a.display(), b.display()),
        "resize the images to one size, because they are compared pixel by pixel",
    ))
}

/// Returns the mean of the finite values; none if no value is finite.
pub(super) fn finite_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let finite: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}
