//! Progress of one running stage.

use std::time::{Duration, Instant};

use callsheet_figures::label::{human_seconds, number};

/// Time after which another line of progress is printed to a log.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shortest time between two lines, if a tenth of the work was done meanwhile.
const SHORTEST: Duration = Duration::from_secs(5);

/// A running stage.
pub(super) struct Task {
    started: Instant,
    /// Seconds that the stage took before, if they are known.
    before: Option<f64>,
    progress: Option<Progress>,
    /// Latest metric, e.g. `score` and its value.
    metric: Option<(String, f64)>,
    /// Time and fraction of the last line that was printed to a log.
    printed: (Instant, f64),
}

/// Progress that the worker reported.
struct Progress {
    done: u64,
    total: u64,
    unit: String,
    /// Time and value of the first report of this worker. Work that an earlier run did is not part of the rate.
    first: (Instant, u64),
}

impl Task {
    /// Returns a stage that starts now. `before` has the seconds that it took before.
    pub(super) fn new(before: Option<f64>) -> Self {
        let now = Instant::now();
        Self { started: now, before, progress: None, metric: None, printed: (now, 0.0) }
    }

    /// Sets the number of units that are done. A total of 0 is unknown.
    pub(super) fn advance(&mut self, done: u64, total: u64, unit: &str) {
        let first = match &self.progress {
            Some(progress) if progress.unit == unit && progress.first.1 <= done => progress.first,
            _ => (Instant::now(), done),
        };
        self.progress = Some(Progress { done, total, unit: unit.to_owned(), first });
    }

    pub(super) fn set_metric(&mut self, name: &str, value: f64) {
        self.metric = Some((name.to_owned(), value));
    }

    /// Seconds since the stage started.
    pub(super) fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Part of the work that is done, 0 to 1; none if it is not known.
    pub(super) fn fraction(&self) -> Option<f64> {
        let Progress { done, total, .. } = self.progress.as_ref()?;
        (*total > 0).then(|| (*done as f64 / *total as f64).min(1.0))
    }

    /// Seconds that remain: from the rate or, without one, from the time that the stage took before.
    pub(super) fn left(&self) -> Option<f64> {
        let by_rate = self.progress.as_ref().and_then(|progress| {
            let open = progress.total.saturating_sub(progress.done) as f64;
            (progress.total > 0).then_some(open / progress.rate()?)
        });
        by_rate.or_else(|| Some((self.before? - self.elapsed()).max(0.0)))
    }

    /// Units that are done; none if the worker has not reported any.
    pub(super) fn progress(&self) -> Option<String> {
        let Progress { done, total, unit, .. } = self.progress.as_ref()?;
        Some(if *total > 0 { format!("{done} of {total} {unit}") } else { format!("{done} {unit}") })
    }

    /// Facts about the progress, the most important one first.
    pub(super) fn facts(&self) -> Vec<String> {
        let mut facts = Vec::from_iter(self.progress());
        if self.fraction().is_none_or(|fraction| fraction < 1.0) {
            facts.extend(self.left().map(|left| format!("{} left", human_seconds(left))));
        }
        facts.extend(self.metric.as_ref().map(|(name, value)| format!("{name} {value:.4}")));
        let rate = self.progress.as_ref().and_then(|progress| Some((progress.rate()?, &progress.unit)));
        facts.extend(rate.map(|(rate, unit)| format!("{} {unit}/s", number(rate))));
        facts
    }

    /// Returns true if it is time for another line in a log, and notes that the line is printed.
    pub(super) fn is_due(&mut self) -> bool {
        let (since, fraction) = (self.printed.0.elapsed(), self.fraction().unwrap_or_default());
        let is_due = since >= LINE_EVERY || since >= SHORTEST && fraction >= self.printed.1 + 0.1;
        if is_due {
            self.printed = (Instant::now(), fraction);
        }
        is_due
    }
}

impl Progress {
    /// Units per second; none before the second report.
    fn rate(&self) -> Option<f64> {
        let (at, first) = self.first;
        let seconds = at.elapsed().as_secs_f64();
        (self.done > first && seconds > 0.0).then(|| (self.done - first) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_without_reports_has_the_time_left_of_its_last_run() {
        let mut task = Task::new(Some(60.0));
        assert!(task.left().is_some_and(|left| (59.0..=60.0).contains(&left)));
        assert_eq!(task.fraction(), None);
        task.advance(3, 0, "files");
        assert_eq!(task.facts()[0], "3 files");
        task.advance(50, 100, "rows");
        assert_eq!((task.fraction(), task.facts()[0].as_str()), (Some(0.5), "50 of 100 rows"));
        task.set_metric("score", 0.25);
        assert!(task.facts().contains(&"score 0.2500".to_owned()));
        task.advance(100, 100, "rows");
        assert!(!task.facts().iter().any(|fact| fact.ends_with("left")), "nothing is left");
        assert!(!task.is_due(), "the stage has just started");
    }

    #[test]
    fn the_rate_leaves_out_what_an_earlier_run_did() {
        let mut task = Task::new(None);
        task.advance(900, 1000, "steps");
        std::thread::sleep(Duration::from_millis(20));
        task.advance(910, 1000, "steps");
        let rate = task.progress.as_ref().and_then(Progress::rate).expect("a rate");
        assert!(rate < 10.0 / 0.02 + 1.0, "{rate}");
    }
}
