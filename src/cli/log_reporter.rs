//! Progress of a run as plain lines, for logs, pipes and CI.

use std::collections::BTreeSet;
use std::path::Path;

use callsheet_worker::protocol::{Level, WorkerEvent};

use super::overview::Overview;
use super::task::Task;
use crate::declare::Bytes;
use crate::event::Event;
use crate::store::Store;
use callsheet_figures::label::{counted, human_seconds};

/// Reporter that converts the events of a run into lines.
#[derive(Default)]
pub(super) struct LogReporter<'a> {
    title: String,
    labels: BTreeSet<String>,
    store: Option<&'a Store>,
    run: String,
    begun: bool,
    images: BTreeSet<String>,
    overview: Overview,
    hashing: Option<Task>,
}

impl<'a> LogReporter<'a> {
    /// Creates a reporter with a title. `labels` name the stand-ins that results are based on; `store` contains the
    /// images of the run. `overview` has the stages of the run.
    pub(super) fn new(title: String, labels: BTreeSet<String>, store: &'a Store, overview: Overview) -> Self {
        Self { title, labels, store: Some(store), overview, ..Self::default() }
    }

    /// Progress of the run.
    pub(super) fn overview(&self) -> &Overview {
        &self.overview
    }

    /// Returns true if a stage has started.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// Returns the lines for an event, with progress from time to time; cached stages are counted, not listed.
    pub(super) fn report(&mut self, event: &Event) -> Vec<String> {
        let mut lines = self.report_to_terminal(event);
        if let Event::Hashing { done, total } = event {
            let task = self.hashing.get_or_insert_with(|| Task::new(None));
            task.advance(*done, *total, "bytes");
            if task.is_due() {
                lines.push(format!("hashing raw data: {} of {}", Bytes(*done), Bytes(*total)));
            }
        }
        if let Event::Worker { stage, said: WorkerEvent::Progress { .. } } = event
            && let Some(task) = self.overview.tasks.get_mut(stage)
            && task.is_due()
        {
            let facts = task.facts().join(", ");
            lines.push(format!("{stage}: {facts} (run: {})", self.overview.line()));
        }
        lines
    }

    /// Returns the lines for an event without progress, which a terminal shows in another way.
    pub(super) fn report_to_terminal(&mut self, event: &Event) -> Vec<String> {
        let began = |stage: &str| self.overview.tasks.contains_key(stage);
        let has_begun = matches!(event, Event::Stopped { stage } if began(stage));
        self.overview.follow(event);
        let mut lines = Vec::new();
        match event {
            Event::Cached { .. } | Event::Hashing { .. } => {}
            Event::RunStarted { run, .. } => self.run.clone_from(run),
            Event::Waiting { stage, holder } if *holder == self.run => {
                lines.push(format!("{stage}: waiting for another stage that computes the same result"));
            }
            Event::Waiting { stage, holder } => {
                lines.push(format!("{stage}: waiting for run {holder}, which computes the same result"));
            }
            Event::Queued { stage, reason } => lines.push(format!("{stage}: waits on the cluster: {reason}")),
            Event::Retrying { stage, message, seconds } => {
                let first = message.lines().next().unwrap_or_default();
                lines.push(format!("{stage}: failed, retrying in {}: {first}", human_seconds(*seconds)));
            }
            Event::Stopping { .. } if self.overview.tasks.is_empty() => {
                lines.push("stopping (another Ctrl-C ends the run immediately)".to_owned());
            }
            Event::Stopping { .. } => {
                let stages = counted(self.overview.tasks.len() as u64, "running stage");
                lines.push(format!("stopping {stages} (another Ctrl-C kills the workers)"));
            }
            Event::Stopped { stage } if !has_begun => {
                lines.push(format!("{stage}: stopped before it started"))
            }
            Event::Stopped { stage } => {
                lines.push(format!(
                    "{stage}: stopped; the next run resumes it from its last checkpoint, else restarts it"
                ));
            }
            Event::Started { stage, reasons, .. } => {
                if !std::mem::replace(&mut self.begun, true) {
                    lines.push(self.heading());
                }
                lines.push(format!("{stage}: started ({})", reasons.join("; ")));
            }
            Event::Rows { stage, compute, of } => {
                lines.push(format!("{stage}: computes {compute} of {}", counted(*of, "row")));
            }
            Event::Worker { stage, said } => lines.extend(self.worker(stage, said)),
            Event::Finished { stage, seconds, rows, .. } => {
                let rows = rows.iter().map(|(name, rows)| format!(", {} of {name}", counted(*rows, "row")));
                let rows: String = rows.collect();
                lines.push(format!("{stage}: done in {}{rows}", human_seconds(*seconds)));
            }
            Event::Failed { stage, message, .. } => {
                let first = message.lines().next().unwrap_or_default();
                lines.push(format!("{stage}: FAILED: {first}"));
            }
            Event::Blocked { stage, by } => lines.push(format!("{stage}: not run, {by} failed")),
            Event::RunFinished { cached, ran, failed, seconds, shown, .. } => {
                lines.push(self.end(*cached, *ran, *failed, *shown, &human_seconds(*seconds)));
            }
        }
        lines
    }

    /// Last line of a run: `cached` stages were up to date, `ran` were computed, and `open` have no result.
    fn end(&self, cached: usize, ran: usize, open: usize, shown: usize, time: &str) -> String {
        let stages = |count: usize| counted(count as u64, "stage");
        let Overview { failed, stopped, .. } = self.overview;
        match (open + failed, ran) {
            (0, 0) if shown > 0 => {
                let shown = counted(shown as u64, "earlier result");
                format!("{}: nothing to run; data/out now shows {shown}", self.heading())
            }
            (0, 0) => nothing_to_do(&self.heading(), cached),
            (0, _) => format!("done in {time}: {} run, {cached} up to date", stages(ran)),
            _ if stopped && failed == 0 => {
                let done = stages(ran + cached);
                format!("stopped after {time}: {done} done, {open} left; `callsheet run` resumes")
            }
            _ => {
                let left = open - failed.min(open);
                let not_run = if left > 0 { format!(", {left} not run") } else { String::new() };
                format!("{} failed{not_run}, {ran} run, {cached} up to date ({time})", stages(failed))
            }
        }
    }

    fn heading(&self) -> String {
        heading(&self.title, &self.labels)
    }

    fn worker(&mut self, stage: &str, said: &WorkerEvent) -> Option<String> {
        match said {
            WorkerEvent::Log { level: Level::Warning, message } => {
                Some(format!("{stage}: warning: {message}"))
            }
            WorkerEvent::Log { message, .. } => Some(format!("{stage}: {message}")),
            // Only the first image of a name is printed; the others are in the same folder.
            WorkerEvent::Image { name, step, path } if self.images.insert(format!("{stage}/{name}")) => {
                let folder = self.store.map(|store| store.run_dir(&self.run));
                let path = folder.map_or_else(|| path.clone(), |folder| folder.path().join(path));
                Some(format!("{stage}: {name} at step {step}: {}", path.display()))
            }
            WorkerEvent::Progress { .. }
            | WorkerEvent::Metric { .. }
            | WorkerEvent::Image { .. }
            | WorkerEvent::Error { .. } => None,
        }
    }
}

/// Title of a run, with the labels of the stand-ins that results are based on.
pub(super) fn heading(title: &str, labels: &BTreeSet<String>) -> String {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let rests = if labels.is_empty() { String::new() } else { format!(" [{}]", labels.join(", ")) };
    format!("{title}{rests}")
}

/// Last line of a run with this heading that found the results of all `stages`.
pub(super) fn nothing_to_do(heading: &str, stages: usize) -> String {
    format!("{heading}: nothing to do, {} up to date", counted(stages as u64, "stage"))
}

/// Line that names the folder of the results.
pub(super) fn results(folder: &Path) -> String {
    format!("results: {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_of_a_kind_is_printed_with_its_path() {
        let store = Store::open(Path::new("data/store")).expect("a store");
        let mut lines = LogReporter::new("chain".into(), BTreeSet::new(), &store, Overview::default());
        lines.run = "first".into();
        let said = WorkerEvent::Image {
            name: "samples".into(),
            step: 400,
            path: "images/train/samples-400.png".into(),
        };
        let event = Event::Worker { stage: "train".into(), said };
        assert_eq!(
            lines.report(&event),
            ["train: samples at step 400: data/store/runs/first/images/train/samples-400.png"]
        );
        assert!(lines.report(&event).is_empty(), "only the first image of a name is printed");
    }
}
