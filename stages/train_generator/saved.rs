//! Checkpoints of a training.

use anyhow::Result;
use callsheet_worker::Job;
use serde::Deserialize;
use serde_json::Value;

use super::training::Training;
use super::watch::Watch;
use crate::lib::model::{AVERAGED, named, prefix};
use crate::lib::nn::checkpoint::{self, State, TrainingConfig};
use crate::lib::nn::schedule::Schedule;
use crate::lib::objective::Network;

impl Training {
    /// Continues from the last checkpoint of the same network and schedule, if there is one.
    ///
    /// # Errors
    /// Returns an error if a checkpoint is damaged.
    pub(super) fn resume(&mut self, job: &Job) -> Result<()> {
        let agrees = |step: u64, course: &Value| {
            let other = Schedule::deserialize(course);
            other.is_ok_and(|other| self.schedule.agrees(&other, self.images(step.saturating_sub(1))))
        };
        let Some((step, saved)) = checkpoint::resume(job, self.steps.last, &self.state(), agrees)? else {
            return Ok(());
        };
        self.model.load(&saved, |_| true)?;
        let since = if step > self.steps.warm { self.steps.warm } else { self.steps.first };
        self.optimizers.take(&saved, step - since);
        for (network, shadows) in &mut self.shadows {
            checkpoint::restore(shadows, &saved, &averaged(*network));
        }
        self.best.restore(&saved)?;
        self.step = step;
        Ok(())
    }

    /// Evaluates the averaged weights on held-out images, and shows images if `shows` is true. Returns the loss if there
    /// are held-out images.
    pub(super) fn measure(&self, job: &Job, shows: bool) -> Option<f64> {
        let look = |watch: &Watch| watch.look(job, self.step, &self.shadows, &self.vgg, shows);
        let loss = self.watch.as_ref().map(|watch| self.lanes.with_all_cpus(|| look(watch))).transpose();
        loss.unwrap_or_else(|error| {
            job.warn(format!("held-out images cannot be evaluated: {error:#}"));
            None
        })
    }

    /// Offers the averaged weights as the best ones, with their loss on held-out images.
    pub(super) fn offer(&mut self, loss: Option<f64>) {
        if let Some(loss) = loss {
            self.best.offer(self.step, loss, &named(&self.shadows));
        }
    }

    /// Writes a checkpoint of weights with this loss on held-out images.
    ///
    /// # Errors
    /// Returns an error if the checkpoint cannot be written.
    pub(super) fn save(&self, job: &Job, loss: Option<f64>) -> Result<()> {
        checkpoint::save(job, self.step, &self.state(), &self.course()?, loss).map(drop)
    }

    /// Returns the properties that a checkpoint must share with the training that resumes from it.
    fn course(&self) -> Result<TrainingConfig> {
        Ok(TrainingConfig {
            terms: serde_json::to_value(&self.schedule)?,
            network: serde_json::to_value(&self.model.spec)?,
            milestone: self.schedule.constant_until() / self.params.batch as u64 + 1,
            every: self.params.checkpoint_every,
        })
    }

    /// Returns everything that the next step depends on.
    fn state(&self) -> State {
        let mut all = self.model.tensors();
        self.optimizers.put(&mut all);
        for (network, shadows) in &self.shadows {
            checkpoint::put(&mut all, &averaged(*network), shadows);
        }
        self.best.put(&mut all);
        all
    }
}

/// Prefix of averaged weights in a checkpoint.
fn averaged(network: Network) -> String {
    format!("{AVERAGED}{}", prefix(network))
}
