//! Progress of a whole run: its running stages, and the time that is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use callsheet_figures::label::{counted, human_seconds};
use callsheet_worker::protocol::WorkerEvent;

use super::task::Task;
use crate::event::Event;

/// Progress of a run.
pub(super) struct Overview {
    clock: Instant,
    /// Stages with the seconds that they took before, until the first one starts: a run with nothing to do needs no index
    /// of its stages.
    stages: Vec<(String, Option<f64>)>,
    /// Stages that were cached until then.
    cached: Vec<String>,
    /// Stages that are not done.
    open: BTreeSet<String>,
    /// Seconds that stages took before.
    before: BTreeMap<String, f64>,
    /// Running stages.
    pub tasks: BTreeMap<String, Task>,
    /// Number of stages of the run.
    total: usize,
    /// Seconds that finished stages took in this run.
    worked: f64,
    /// Number of stages that failed.
    pub failed: usize,
    /// Number of stages that failed, or that read from one that did.
    lost: usize,
    /// True if the user stopped the run.
    pub stopped: bool,
}

impl Overview {
    /// Returns the progress of a run of these stages, each with the seconds that it took before.
    pub(super) fn new(stages: impl IntoIterator<Item = (String, Option<f64>)>) -> Self {
        let stages: Vec<(String, Option<f64>)> = stages.into_iter().collect();
        Self {
            clock: Instant::now(),
            total: stages.len(),
            stages,
            cached: Vec::new(),
            before: BTreeMap::new(),
            tasks: BTreeMap::new(),
            open: BTreeSet::new(),
            worked: 0.0,
            failed: 0,
            lost: 0,
            stopped: false,
        }
    }

    /// Follows an event of the run.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. } | Event::Hashing { .. } | Event::RunFinished { .. } => return,
            Event::Cached { stage, .. } if !self.stages.is_empty() => return self.cached.push(stage.clone()),
            _ => self.index(),
        }
        match event {
            Event::Started { stage, .. } => {
                self.tasks.insert(stage.clone(), Task::new(self.before.get(stage).copied()));
            }
            Event::Worker { stage, said } => {
                let Some(task) = self.tasks.get_mut(stage) else { return };
                match said {
                    WorkerEvent::Progress { done, total, unit } => task.advance(*done, *total, unit),
                    WorkerEvent::Metric { name, value, .. } => task.set_metric(name, *value),
                    _ => {}
                }
            }
            Event::Finished { stage, seconds, .. } => {
                self.worked += seconds;
                self.close(stage);
            }
            Event::Failed { stage, .. } => {
                self.failed += 1;
                self.lost += 1;
                self.close(stage);
            }
            Event::Blocked { stage, .. } => {
                self.lost += 1;
                self.close(stage);
            }
            Event::Cached { stage, .. } => self.close(stage),
            Event::Stopped { stage } => drop(self.tasks.remove(stage)),
            Event::Stopping { .. } => self.stopped = true,
            _ => {}
        }
    }

    /// Indexes the stages by name, unless that was done.
    fn index(&mut self) {
        let stages = std::mem::take(&mut self.stages);
        for (stage, before) in stages {
            self.before.extend(before.map(|seconds| (stage.clone(), seconds)));
            self.open.insert(stage);
        }
        for stage in std::mem::take(&mut self.cached) {
            self.open.remove(&stage);
        }
    }

    fn close(&mut self, stage: &str) {
        self.open.remove(stage);
        self.tasks.remove(stage);
    }

    /// Seconds since the run began.
    pub(super) fn elapsed(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// Seconds until the run ends, and true if the time of every open stage is known. Stages run at once are counted by
    /// the share of the time that stages took so far.
    fn left(&self) -> (f64, bool) {
        let (mut work, mut done, mut known) = (0.0, self.worked, true);
        for stage in &self.open {
            let task = self.tasks.get(stage);
            done += task.map_or(0.0, Task::elapsed);
            match task.map_or(self.before.get(stage).copied(), Task::left) {
                Some(seconds) => work += seconds,
                None => known = false,
            }
        }
        let at_once = if done > 0.0 { (self.elapsed() / done).clamp(0.01, 1.0) } else { 1.0 };
        (work * at_once, known)
    }

    /// Line about the run: `3 of 12 stages, 1 min 2 s, about 4 min 10 s left`.
    pub(super) fn line(&self) -> String {
        let done = self.total - self.open.len() - self.lost.min(self.total - self.open.len());
        let stages = format!("{done} of {}", counted(self.total as u64, "stage"));
        let left = match self.left() {
            (seconds, true) => format!(", about {} left", human_seconds(seconds)),
            (seconds, false) if seconds >= 1.0 => format!(", more than {} left", human_seconds(seconds)),
            _ => String::new(),
        };
        format!("{stages}, {}{left}", human_seconds(self.elapsed()))
    }
}

impl Default for Overview {
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(stage: &str) -> Event {
        let key = callsheet_worker::digest::Digest::from([0; 32]);
        Event::Started { stage: stage.into(), key, course: key, resumes: false, reasons: Vec::new() }
    }

    #[test]
    fn the_time_left_comes_from_earlier_runs() {
        let stages = [("a", Some(100.0)), ("b", Some(50.0)), ("c", None)];
        let mut run = Overview::new(stages.map(|(stage, before)| (stage.to_owned(), before)));
        let key = callsheet_worker::digest::Digest::from([0; 32]);
        run.follow(&Event::Stopped { stage: "a".into() });
        assert_eq!(run.left(), (150.0, false));
        assert_eq!(run.line(), "0 of 3 stages, 0.0 s, more than 2 min 30 s left");
        run.follow(&Event::Cached { stage: "c".into(), key });
        assert_eq!(run.line(), "1 of 3 stages, 0.0 s, about 2 min 30 s left");
        let mut other = Overview::new([("a".to_owned(), None), ("b".to_owned(), Some(1.0))]);
        other.follow(&Event::Cached { stage: "b".into(), key });
        other.follow(&started("a"));
        assert!(
            other.line().starts_with("1 of 2 stages"),
            "stages that were cached before the first one started"
        );
        run.follow(&started("a"));
        assert!(run.tasks.contains_key("a"));
        run.follow(&Event::Finished { stage: "a".into(), key, seconds: 99.0, rows: BTreeMap::new() });
        assert!(run.tasks.is_empty() && run.line().starts_with("2 of 3 stages"));
    }
}
