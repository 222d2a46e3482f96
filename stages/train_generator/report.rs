//! Losses and progress of a training, reported to the engine.

use anyhow::Result;
use callsheet_worker::{Job, user_error};

use super::gradients::Gradients;
use super::training::Training;

/// Steps between two reports of the losses.
const REPORT_EVERY: u64 = 20;
/// Threshold above which a loss, like NaN, means that the training has diverged. Usual losses are below
/// 1,000.
const LARGEST_LOSS: f64 = 1e6;
/// Prefix of weighted sums among the losses.
const TOTAL: &str = "total_";

impl Training {
    /// Reports the losses and the progress of the last step.
    ///
    /// # Errors
    /// Returns an error if a loss is NaN or too large: the training has diverged.
    pub(super) fn report(&self, job: &Job, found: Gradients) -> Result<()> {
        let reported = self.step.is_multiple_of(REPORT_EVERY) || self.step == self.steps.last;
        let terms = found.values.iter();
        let terms = terms.map(|(term, value)| (term.name().to_owned(), &value.sum / value.count as f64));
        let totals = found.totals.into_iter().map(|(name, total)| (format!("{TOTAL}{name}"), total));
        for (name, value) in terms.chain(totals) {
            let value = value.double_value(&[]);
            let largest = if name.starts_with(TOTAL) { f64::MAX } else { LARGEST_LOSS };
            if value.is_nan() || value.abs() > largest {
                return Err(diverged(job, &name, value, self.step));
            }
            if reported {
                job.metric(&format!("loss/{name}"), self.step, value);
            }
        }
        let images = |steps: u64| self.images(steps) as usize;
        let first = self.steps.first;
        job.progress(images(self.step - first), images(self.steps.last - first), "images");
        Ok(())
    }
}

fn diverged(job: &Job, name: &str, value: f64, step: u64) -> anyhow::Error {
    let scratch = job.request.scratch.display();
    let help =
        format!("lower the learning rates, which restarts the training; older checkpoints are in {scratch}");
    user_error(format!("training diverged: the loss {name} is {value} at step {step}"), help)
}
