//! Limit of the calls of Slurm's programs: a cluster has one controller, which all users share.

use std::time::Duration;

use super::queue::Moment;

/// Number of calls that may follow each other at once.
const BURST: i32 = 10;

/// Time after which a further call is allowed.
const EVERY: Duration = Duration::from_secs(6);

/// Calls that are allowed now.
pub(super) struct Calls {
    /// Negative if more calls were necessary.
    left: i32,
    /// Time since which the next call is being earned.
    since: Moment,
}

impl Calls {
    pub(super) fn new(now: Moment) -> Self {
        Self { left: BURST, since: now }
    }

    /// Number of calls that are allowed now.
    pub(super) fn left(&mut self, now: Moment) -> u32 {
        while self.left < BURST && now.saturating_sub(self.since) >= EVERY {
            self.left += 1;
            self.since += EVERY;
        }
        self.left.max(0) as u32
    }

    /// Notes calls.
    pub(super) fn made(&mut self, now: Moment, calls: u32) {
        if self.left(now) == BURST as u32 {
            self.since = now;
        }
        self.left -= calls as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_calls_are_allowed_at_once_and_then_ten_each_minute() {
        let at = Duration::from_secs;
        let mut calls = Calls::new(at(0));
        assert_eq!(calls.left(at(100)), 10, "no more are saved up");
        (0..10).for_each(|_| calls.made(at(100), 1));
        assert_eq!((calls.left(at(100)), calls.left(at(105)), calls.left(at(106))), (0, 0, 1));
        let mut made = 0;
        for second in 106..166 {
            let left = calls.left(at(second));
            calls.made(at(second), left);
            made += left;
        }
        assert_eq!(made, 10);
    }
}
