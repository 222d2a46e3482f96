//! Progress of a run as plain lines, for logs, pipes and CI.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use callsheet_worker::protocol::{Level, WorkerEvent};

use crate::declare::Bytes;
use crate::event::Event;
use crate::store::Store;
use callsheet_figures::label::{counted, human_seconds};

/// Minimum time between two lines of progress of a worker.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Reporter that converts the events of a run into lines.
#[derive(Default)]
pub(super) struct LogReporter<'a> {
    title: String,
    labels: BTreeSet<String>,
    store: Option<&'a Store>,
    run: String,
    begun: bool,
    images: BTreeSet<String>,
    shown: BTreeMap<String, Instant>,
}

impl<'a> LogReporter<'a> {
    /// Creates a reporter with a title. `labels` name the stand-ins that results are based on; `store`
    /// contains the images of the run.
    pub(super) fn new(title: String, labels: BTreeSet<String>, store: &'a Store) -> Self {
        Self { title, labels, store: Some(store), ..Self::default() }
    }

    /// Returns the lines for an event; cached stages are counted, not listed.
    pub(super) fn report(&mut self, event: &Event) -> Vec<String> {
        let mut lines = Vec::new();
        match event {
            Event::Cached { .. } => {}
            Event::Hashing { done, total } => {
                if self.due("") {
                    lines.push(format!("hashing raw data: {} of {}", Bytes(*done), Bytes(*total)));
                }
            }
            Event::RunStarted { run, .. } => self.run.clone_from(run),
            Event::Waiting { stage, holder } if *holder == self.run => {
                lines.push(format!("{stage}: waiting for another stage that computes the same result"));
            }
            Event::Waiting { stage, holder } => {
                lines.push(format!("{stage}: waiting for run {holder}, which computes the same result"));
            }
            Event::Retrying { stage, message, seconds } => {
                let first = message.lines().next().unwrap_or_default();
                lines.push(format!("{stage}: failed, retrying in {}: {first}", human_seconds(*seconds)));
            }
            Event::Stopping { workers } => {
                lines.push(format!("stopping {workers} workers (another Ctrl-C kills them)"));
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
                lines.push(format!("{stage}: computes {compute} of {of} rows"));
            }
            Event::Worker { stage, said } => lines.extend(self.worker(stage, said)),
            Event::Finished { stage, seconds, rows, .. } => {
                let rows = rows.iter().map(|(name, rows)| format!(", {rows} rows of {name}"));
                let rows: String = rows.collect();
                lines.push(format!("{stage}: done in {}{rows}", human_seconds(*seconds)));
            }
            Event::Failed { stage, message, .. } => {
                let first = message.lines().next().unwrap_or_default();
                lines.push(format!("{stage}: FAILED: {first}"));
            }
            Event::Blocked { stage, by } => lines.push(format!("{stage}: not run, {by} failed")),
            Event::RunFinished { cached, ran, failed, seconds, shown, .. } => {
                let time = human_seconds(*seconds);
                lines.push(match (*ran, *failed) {
                    (0, 0) if *shown > 0 => format!(
                        "{}: nothing to run; data/out now shows {}",
                        self.heading(),
                        counted(*shown as u64, "earlier result")
                    ),
                    (0, 0) => format!("{}: nothing to do, {cached} stages up to date", self.heading()),
                    (_, 0) => format!("done in {time}: stages run {ran}, up to date {cached}"),
                    _ => {
                        format!("stages failed or not run {failed}, run {ran}, up to date {cached} ({time})")
                    }
                });
            }
        }
        lines
    }

    fn heading(&self) -> String {
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let rests = if labels.is_empty() { String::new() } else { format!(" [{}]", labels.join(", ")) };
        format!("{}{rests}", self.title)
    }

    /// Returns true if it is time for another line of progress of a stage, or of the hashing of raw files.
    fn due(&mut self, stage: &str) -> bool {
        let now = Instant::now();
        let due = self.shown.get(stage).is_none_or(|last| now - *last >= PROGRESS_EVERY);
        if due {
            self.shown.insert(stage.to_owned(), now);
        }
        due
    }

    fn worker(&mut self, stage: &str, said: &WorkerEvent) -> Option<String> {
        match said {
            WorkerEvent::Progress { done, total, unit } => {
                self.due(stage).then(|| format!("{stage}: {done}/{total} {unit}"))
            }
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
            WorkerEvent::Metric { .. } | WorkerEvent::Image { .. } | WorkerEvent::Error { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_first_image_of_a_kind_is_printed_with_its_path() {
        let store = Store::open(Path::new("data/store")).expect("a store");
        let mut lines = LogReporter::new("chain".into(), BTreeSet::new(), &store);
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
