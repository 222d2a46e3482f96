//! Learning rate during a training.

use serde::{Deserialize, Serialize};

use crate::lib::objective::Decay;

/// Decay of the learning rate with the number of images seen.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub(crate) struct Schedule {
    /// Form of the decay.
    pub decay: Decay,
    /// Thousands of images during which the rate is constant.
    pub fixed_kimg: u64,
    /// Thousands of images at which the schedule ends.
    pub total_kimg: u64,
}

impl Schedule {
    /// Factor on the learning rate after `images` images: 1 at first, then decreasing according to [`Decay`].
    pub(crate) fn factor(&self, images: u64) -> f64 {
        let span = self.total_kimg.saturating_sub(self.fixed_kimg) as f64;
        match self.decay {
            Decay::Gradual => {
                let past = (images / 1000).saturating_sub(self.fixed_kimg) as f64;
                (1.0 - past / (span + 10.0)).max(0.0)
            }
            Decay::Linear => {
                let past = images.saturating_sub(self.fixed_kimg.saturating_mul(1000)) as f64;
                (1.0 - past / (span * 1000.0).max(1.0)).max(0.0)
            }
        }
    }

    /// Number of images until which the factor is 1.
    pub(crate) fn constant_until(&self) -> u64 {
        let fixed = self.fixed_kimg.saturating_mul(1000);
        if self.decay == Decay::Gradual { fixed.saturating_add(999) } else { fixed }
    }

    /// Returns true if both schedules have equal factors for every number of images up to `images`.
    pub(crate) fn agrees(&self, other: &Self, images: u64) -> bool {
        self == other || images <= self.constant_until().min(other.constant_until())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(decay: Decay, fixed_kimg: u64, total_kimg: u64) -> Schedule {
        Schedule { decay, fixed_kimg, total_kimg }
    }

    #[test]
    fn it_is_constant_then_falls_and_does_not_reach_zero() {
        let schedule = schedule(Decay::Gradual, 150, 250);
        assert_eq!(schedule.factor(150_999), 1.0);
        assert_eq!(schedule.factor(151_000), 1.0 - 1.0 / 110.0);
        assert!((schedule.factor(249_999) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn linear_decay_ends_at_zero() {
        let long = schedule(Decay::Linear, 150, 250);
        assert_eq!([150_000, 200_000, 250_000, 300_000].map(|n| long.factor(n)), [1.0, 0.5, 0.0, 0.0]);
        assert_eq!(schedule(Decay::Linear, 150, 150).factor(151_000), 0.0);
    }

    #[test]
    fn schedules_agree_as_long_as_both_are_constant_and_equal_ones_always() {
        for decay in [Decay::Gradual, Decay::Linear] {
            let (short, long) = (schedule(decay, 150, 250), schedule(decay, 160, 250));
            let constant = short.constant_until();
            assert_eq!((short.factor(constant), long.factor(constant)), (1.0, 1.0));
            assert!(short.factor(constant + 1) < 1.0);
            assert!(short.agrees(&long, constant) && !short.agrees(&long, constant + 1));
            assert!(short.agrees(&short.clone(), 200_000));
        }
    }
}
