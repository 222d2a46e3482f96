//! Code that both kinds of measures need.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::code::Code;
use callsheet_worker::user_error;

/// Refuses two images that differ in size.
pub(super) fn check_sizes([a, b]: [&Path; 2], sizes: [(u32, u32); 2]) -> Result<()> {
    let [x, y] = sizes.map(|(width, height)| format!("{width}x{height}"));
    if x == y {
        return Ok(());
    }
    Err(user_error(
        Code::Unsupported,
        format!("{} is {x}, {} is {y}", a.display(), b.display()),
        "images are compared place by place: make them of one size",
    ))
}

/// The mean of what is finite, if anything is.
pub(super) fn finite_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let finite: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}
