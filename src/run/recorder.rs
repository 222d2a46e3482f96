//! Record of a run's events, kept as soon as the run does more than find cached results.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::tensorboard::TensorBoard;
use crate::event::{Event, LogLine};
use crate::store::RunDir;

/// Interval between flushes of frequent events; other events are flushed at once.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Writes events to a file, one JSON object per line, with the seconds since the run began. Metrics and
/// images are also written to TensorBoard's files.
pub(super) struct Recorder {
    path: PathBuf,
    tensorboard: TensorBoard,
    clock: Instant,
    file: Option<BufWriter<File>>,
    /// Events that are kept in memory until the file is created.
    before: Vec<Event>,
    flushed: Instant,
}

impl Recorder {
    /// Returns a recorder that writes to the folder of a run.
    pub(super) fn new(folder: &RunDir) -> Self {
        let now = Instant::now();
        let path = folder.events();
        let tensorboard = TensorBoard::new(folder.path().to_owned());
        Self { path, tensorboard, clock: now, file: None, before: Vec::new(), flushed: now }
    }

    /// Records an event. A run without a record writes nothing.
    pub(super) fn keep(&mut self, event: &Event) {
        let begins = match event {
            Event::Hashing { .. } => return,
            Event::RunStarted { .. } | Event::Cached { .. } => false,
            Event::RunFinished { recorded, .. } => *recorded,
            _ => true,
        };
        if begins || self.file.is_some() {
            // A log that cannot be written does not stop the run: actions that lack disk space report it.
            let _ = self.write(event).and(self.tensorboard.tell(event));
        } else {
            self.before.push(event.clone());
        }
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        let at = self.clock.elapsed().as_secs_f64();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
                let mut file = BufWriter::new(File::create(&self.path)?);
                for event in std::mem::take(&mut self.before) {
                    append(&mut file, &LogLine { at, event: &event })?;
                }
                none.insert(file)
            }
        };
        append(file, &LogLine { at, event })?;
        let frequent = matches!(event, Event::Worker { .. } | Event::Cached { .. });
        if self.flushed.elapsed() > FLUSH_EVERY || !frequent {
            self.flushed = Instant::now();
            file.flush()?;
            self.tensorboard.flush()?;
        }
        Ok(())
    }
}

fn append(file: &mut BufWriter<File>, line: &LogLine<&Event>) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}
